"""Configuration files: what they say is taken, what they say wrongly is named with file, line and key."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from posebot.config import json_schema, read_document, read_yaml
from posebot.core import deprecation
from posebot.core.errors import InputError

FORBID = ConfigDict(extra="forbid", use_attribute_docstrings=True)


def _even(value: int) -> int:
    if value % 2:
        raise ValueError("is odd; an even number")
    return value


Side = Annotated[int, Field(ge=32, le=2048)]


@dataclass(frozen=True)
class Network:
    """A network."""

    __pydantic_config__ = FORBID
    kind: Literal["head", "yolo"] = "head"
    """Which trainer."""
    size: tuple[Side, Side] = (256, 320)
    minutes: Annotated[float, Field(gt=0)] | None = None
    lr: Annotated[float, Field(ge=1e-6, le=0.1)] = 5e-4
    bias: dict[int, tuple[float, ...]] = field(default_factory=dict)
    batch: Annotated[int, AfterValidator(_even)] = 8


@dataclass(frozen=True)
class Recipe:
    """A recipe."""

    __pydantic_config__ = FORBID
    seed: int = 0
    network: Network = field(default_factory=Network)


class Server(BaseModel):
    model_config = FORBID
    host: str
    password: int = 0
    source: int = 0
    folder: Path = Path("data")


def read(tmp_path: Path, text: str, kind=Recipe, **options):
    path = tmp_path / "file.yaml"
    path.write_text(text, encoding="utf-8")
    return read_yaml(path, kind, **options)


def test_a_dataclass_is_filled_over_given_settings(tmp_path: Path) -> None:
    base = Recipe(3, Network("yolo", lr=0.01))
    recipe = read(tmp_path, "network:\n  size: [320, 416]\n  minutes: 5\n  bias: {7: [1, 2.5]}\n", over=base)
    assert recipe == Recipe(3, Network("yolo", (320, 416), 5.0, 0.01, {7: (1.0, 2.5)}))
    assert read(tmp_path, "# nothing\n", over=base) == base
    assert read(tmp_path, "") == Recipe()


def test_a_pydantic_model(tmp_path: Path) -> None:
    server = read(tmp_path, "host: here\nfolder: sub/folder\n", Server)
    assert (server.host, server.folder) == ("here", Path("sub/folder"))
    assert read(tmp_path, "host: here\npassword: '5'\n", Server, strict=False).password == 5


@pytest.mark.parametrize(("text", "line", "message"), [
    ("seed: true", 1, "seed: true is not valid; a whole number"),
    ("seed: 1.5", 1, "seed: 1.5 is not valid; a whole number"),
    ("\nsed: 1", 2, "sed: unknown key; did you mean seed? known: seed, network"),
    ("network: 5", 1, "network: is a number; it must be a mapping; the keys kind, size"),
    ("network:\n  kind: ssd", 2, "network.kind: ssd is not valid; one of head, yolo"),
    ("network:\n  kind:", 2, "network.kind: null is not valid; one of head, yolo"),
    ("network:\n  size: 320", 2, "network.size: 320 is not valid; a list of 2 whole numbers from 32 to 2048"),
    ("network:\n  size: [320]", 2, "network.size: a list of 1 is not valid; a list of 2 whole numbers"),
    ("network:\n  size:\n  - 320\n  - 8", 4, "network.size.1: 8 is not valid; a whole number from 32 to 2048"),
    ("network:\n  minutes: 0", 2, "network.minutes: 0 is not valid; a number, above 0 or null"),
    ("network:\n  lr: 5e-4", 2, "network.lr: 5e-4 is not valid; a number from 1e-06 to 0.1 (with a point: YAML reads"),
    ("network:\n  batch: 7", 2, "network.batch: 7: is odd; an even number"),
    ("network:\n  bias:\n    7: [1, x]", 3, "network.bias.7.1: x is not valid; a number"),
    ("network:\n  bias:\n    mug: [1]", 3, "network.bias.mug: this key is not valid; "),
    ("seed: 1\nseed: 2", 2, "seed: given twice, before on line 1"),
    ("- a", 1, "the document is a list; it must be a mapping"),
    ("a: [1, 2\nb: }", 2, "is not valid YAML: "),
    ("network: &x {bias: *x}", 1, "a value contains itself"),
])
def test_mistakes_are_named_with_file_line_and_key(tmp_path: Path, text: str, line: int, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path / 'file.yaml'}:{line}: {message}")


def test_a_missing_key_says_what_belongs_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="host: missing; text"):
        read(tmp_path, "password: 1", Server)


@pytest.mark.parametrize("text", ["host: a\npassword: hunter2", "host: a\nsource: rtsp://me:hunter2@cam",
                                  "host: {a: hunter2}", "host: a\npassword: *hunter2", "hunter2", "host: [a, hunter2",
                                  "host: a\nfolder: 7\npassword: 'https://me:hunter2@there'"])
def test_no_message_quotes_a_secret(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, text, Server)
    assert "hunter2" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_yaml(tmp_path / "none.yaml", Recipe)
    (tmp_path / "raw.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="is not text"):
        read_yaml(tmp_path / "raw.yaml", Recipe)


def test_deprecated_keys_are_read_and_reported_once(tmp_path: Path, caplog) -> None:
    deprecation.reset()
    renamed = {"network.rate": "lr", "*.trainer": "kind"}
    with caplog.at_level(logging.WARNING):
        recipe = read(tmp_path, "network:\n  rate: 0.01\n  trainer: yolo\n", renamed=renamed)
        read(tmp_path, "network:\n  rate: 0.01\n", renamed=renamed)
    assert recipe.network == Network("yolo", lr=0.01)
    assert [record.getMessage() for record in caplog.records] == [
        f"posebot: deprecated: {tmp_path / 'file.yaml'}:2: rate is now called lr; the old name is still read",
        f"posebot: deprecated: {tmp_path / 'file.yaml'}:3: trainer is now called kind; the old name is still read"]
    with pytest.raises(InputError, match=r"network\.lr: given twice, before on line 2"):
        read(tmp_path, "network:\n  lr: 0.01\n  rate: 0.02\n", renamed=renamed)


def test_a_document_names_the_nearest_line(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text("a:\n  b:\n  - x\n  - y: 1\n")
    document = read_document(path, where="here.yaml")
    assert [document.place(key) for key in ((), ("a",), ("a", "b", 1), ("a", "b", 1, "z"))] == [
        "here.yaml:1", "here.yaml:1", "here.yaml:4", "here.yaml:4"]
    assert str(document.error(("a", "b"), "is bad", "good")) == "here.yaml:2: a.b: is bad; good"


def test_the_schema_describes_every_key() -> None:
    schema = json_schema(Recipe)
    assert schema["additionalProperties"] is False
    network = schema["$defs"]["Network"]["properties"]
    assert network["kind"]["enum"] == ["head", "yolo"] and network["kind"]["description"] == "Which trainer."
    assert (network["lr"]["minimum"], network["lr"]["maximum"]) == (1e-6, 0.1)
