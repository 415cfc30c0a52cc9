"""The kit's model, loaded once."""

import pytest

import posebot


@pytest.fixture(scope="session")
def loaded() -> posebot.Model:
    return posebot.load("kit", masks=True)


@pytest.fixture
def model(loaded: posebot.Model) -> posebot.Model:
    """Without views of other tests."""
    loaded.reset()
    return loaded
