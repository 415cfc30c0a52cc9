"""The notebook runs from its first cell to its last, and is committed without outputs."""

import os
from pathlib import Path

import nbformat
import pytest

pytest.importorskip("moderngl", reason="the notebook renders images")
nbclient = pytest.importorskip("nbclient")
NOTEBOOK = "docs/notebooks/first_pose.ipynb"


def test_it_is_small(root: Path) -> None:
    notebook = nbformat.read(root / NOTEBOOK, as_version=4)
    assert not [cell for cell in notebook.cells if cell.cell_type == "code" and (cell.outputs or cell.execution_count)]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_it_runs(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.read(root / NOTEBOOK, as_version=4)
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3", cwd=str(tmp_path)).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    text = "".join(output.get("text", "") for output in outputs)
    assert "tea_box" in text and " mm off" in text and "mm from two" in text
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 2
