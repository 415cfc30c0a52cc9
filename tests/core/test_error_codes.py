"""The table of error codes is complete: what is raised has an entry."""

import ast
from pathlib import Path

import pytest

import posebot
from posebot.core import errors
from posebot.core.error_codes import ERROR_CODES, exit_code, http_status
from posebot.core.errors import PosebotError

PACKAGE = Path(posebot.__file__).parent
EXIT_CODES = {value for name, value in vars(errors).items() if name.startswith("EXIT_")}


def _trees() -> list[ast.Module]:
    return [ast.parse(path.read_text()) for path in PACKAGE.rglob("*.py") if path.name != "error_codes.py"]


def _named(tree: ast.Module) -> set[str]:
    """Codes that a module gives to errors: `code="..."` of a call, and `code = "..."` of a class."""
    calls = [keyword.value for node in ast.walk(tree) if isinstance(node, ast.Call)
             and ast.unparse(node.func).endswith("Error") for keyword in node.keywords if keyword.arg == "code"]
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name.endswith("Error")]
    attributes = [line.value for node in classes for line in node.body
                  if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "code"]
    return {value.value for value in calls + attributes if isinstance(value, ast.Constant) and value.value is not None}


def test_every_code_that_is_raised_has_an_entry() -> None:
    named = set().union(*map(_named, _trees()))
    assert {"bad_mesh", "port_in_use", "unknown_bundle"} <= named <= set(ERROR_CODES)


def test_every_code_is_raised_somewhere() -> None:
    trees = _trees()
    literals = {node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert set(ERROR_CODES) - literals == set()
    used = {node.id for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name)}
    kinds = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, PosebotError)}
    assert kinds - used == set()


@pytest.mark.parametrize("code", ERROR_CODES)
def test_entries_are_whole_sentences(code: str) -> None:
    entry = ERROR_CODES[code]
    assert code.isidentifier() and code == code.lower()
    assert entry.exit_code in EXIT_CODES
    assert entry.http_status is None or 400 <= entry.http_status < 600
    assert entry.meaning.endswith(".") and entry.cure.endswith(".") and len(entry.meaning) < 100


def test_exit_code_and_status_of_an_error() -> None:
    error = PosebotError("the cluster is gone", code="platform_lost")
    assert (exit_code(error), http_status(error)) == (5, 503)
    newer = PosebotError("?", code="of_a_newer_service")
    assert (exit_code(newer), http_status(newer)) == (2, 500)
