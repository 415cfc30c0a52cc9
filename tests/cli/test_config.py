"""posebot config: the schemas of all configuration files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from posebot.cli.config import SCHEMAS
from posebot.cli.main import run
from posebot.models.reference import known_bundles


def described(part: dict, schema: dict) -> list[str]:
    """Keys without a description, below a part of a schema."""
    missing = [] if part.get("description") else ["here"]
    for name, value in part.get("properties", {}).items():
        target = schema["$defs"][value["$ref"].rpartition("/")[2]] if "$ref" in value else value
        if not value.get("description") and not target.get("description"):
            missing.append(name)
    return missing


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_schema_is_printed_and_refuses_unknown_keys(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "schema", name]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["properties"]


@pytest.mark.parametrize("name", ["recipe", "bundle"])
def test_sections_are_described(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "schema", name]) == 0
    schema = json.loads(capsys.readouterr().out)
    parts = {key: described(part, schema) for key, part in {"": schema, **schema["$defs"]}.items()}
    assert {key: missing for key, missing in parts.items() if missing and key not in ("ObjectRef",)} == {}


def test_the_schemas_hold_for_the_files_of_this_checkout(capsys: pytest.CaptureFixture[str]) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    root = Path(__file__).parents[2]
    files = {"recipe": sorted((root / "recipes").glob("*.yaml")),
             "bundle": [folder / "bundle.yaml" for folder in known_bundles().values()]}
    for name, paths in files.items():
        assert run(["config", "schema", name]) == 0
        schema = json.loads(capsys.readouterr().out)
        for path in paths:
            data = yaml.safe_load(path.read_text())
            jsonschema.validate(json.loads(json.dumps(data)), schema)


def test_all_schemas_go_into_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "schema", "--out", str(tmp_path / "schemas")]) == 0
    assert {path.name for path in (tmp_path / "schemas").iterdir()} == {f"{name}.schema.json" for name in SCHEMAS}
    capsys.readouterr()
    assert run(["config", "schema"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(SCHEMAS)


def test_an_unknown_name_lists_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "schema", "recipes"]) == 2
    said = capsys.readouterr().err
    assert "'recipes' is not a configuration; one of recipe, service, cameras, intrinsics, hand-eye, pose" in said
