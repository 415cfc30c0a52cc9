import subprocess
import sys

import pytest

from posebot.core import deprecation


@pytest.fixture(autouse=True)
def _fresh():
    deprecation.reset()


def test_each_name_is_reported_once(caplog):
    for where in ("a.yaml", "b.yaml"):
        deprecation.renamed(where, "old_key", "new_key")
    deprecation.renamed("a.yaml", "other", "new_key")
    assert [record.getMessage() for record in caplog.records] == [
        "posebot: deprecated: a.yaml: old_key is now called new_key; the old name is still read",
        "posebot: deprecated: a.yaml: other is now called new_key; the old name is still read"]


def test_without_logging_configured_it_is_one_plain_line_on_stderr():
    code = ("from posebot.core.deprecation import renamed\n"
            "renamed('a.yaml', 'old', 'new'); renamed('a.yaml', 'old', 'new')")
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "posebot: deprecated: a.yaml: old is now called new; the old name is still read\n"
    assert done.stdout == ""
