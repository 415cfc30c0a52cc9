"""What the tests of evaluation share: their helpers `bop_reference` and `small_bop_dataset`, and a small data set."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from small_bop_dataset import make_dataset


@pytest.fixture(scope="session")
def small_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BOP data set of four images; not to be changed."""
    return make_dataset(tmp_path_factory.mktemp("small"))
