"""Every shell and Python block of the documentation runs, data blocks parse, every block has a language: blocks.py."""

from __future__ import annotations

import doctest
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import yaml

from tests.docs import blocks as md

ROOT = Path(__file__).resolve().parents[2]


PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PROSE = [page for page in PAGES if "research" not in page.parts]
UNITS = [unit for page in PROSE for unit in md.units(page)]


def _parameter(unit: md.Unit):
    marks = [pytest.mark.long, pytest.mark.timeout(5400)] if unit.long else []
    return pytest.param(unit, id=unit.name(ROOT), marks=marks)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the pages' commands find: photos/, rgb.jpg, depth.png, camera.json, part.stl, parts/ (the kit's files)."""
    home = tmp_path_factory.mktemp("world")
    _posebot(home, "objects", "kit", "--out", "parts")
    shutil.copy(home / "parts" / "stl" / "bracket.stl", home / "part.stl")
    example = ROOT / "posebot" / "api" / "example"
    scene = json.loads((example / "views.json").read_text())
    (fx, _, cx, _, fy, cy), size = scene["camera"]["K"][:6], {key: scene["camera"][key] for key in ("width", "height")}
    camera = {"fx": fx, "fy": fy, "cx": cx, "cy": cy, "depth_scale": scene["depth_scale"], **size}
    (home / "camera.json").write_text(json.dumps(camera))
    (home / "photos").mkdir()
    for number, view in enumerate(scene["views"]):
        shutil.copy(example / view["image"], home / "photos" / f"{number:06}.jpg")
    shutil.copy(example / scene["views"][0]["image"], home / "rgb.jpg")
    shutil.copy(example / scene["views"][0]["depth"], home / "depth.png")
    return home


@pytest.fixture(scope="session")
def rendered(world: Path) -> Path:
    """For long blocks: data/kit besides, a BOP data set of six rendered frames."""
    _posebot(world, "synth", "--objects", "parts/models", "--frames", "6", "--out", "data/kit")
    return world / "data"


def _environment() -> dict[str, str]:
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": programs, "PYTHONPATH": str(ROOT), "POSEBOT_ROOT": str(ROOT)}


def _posebot(cwd: Path, *arguments: object) -> None:
    subprocess.run([sys.executable, "-m", "posebot.cli.main", *map(str, arguments)], cwd=cwd, env=_environment(),
                   check=True, capture_output=True, timeout=250)


def _run(command: list[str], block: md.Block, folder: Path, code: int = 0) -> None:
    done = subprocess.run(command, cwd=folder, env=_environment(), capture_output=True, text=True, check=False,
                          timeout=5000 if "long" in block.words else 280)
    shown = f"{block.page.relative_to(ROOT)}:{block.line}\n{block.body}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    assert done.returncode == code, f"exit code {done.returncode}, not {code}: {shown}"


@contextmanager
def _background(block: md.Block, folder: Path) -> Iterator[None]:
    """The block's processes, from when their URL answers until the others are done."""
    url = block.argument("background")
    with (folder / "background.log").open("w") as log:
        process = subprocess.Popen(["bash", "-euo", "pipefail", "-c", block.body], cwd=folder, env=_environment(),
                                   stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        end = time.monotonic() + 180
        while not _answers(url):
            shown = (folder / "background.log").read_text()[-3000:]
            assert process.poll() is None and time.monotonic() < end, f"{block.page}:{block.line}: no answer: {shown}"
            time.sleep(0.5)
        yield
    finally:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def _script(bodies: list[str]) -> str:
    """Python source of blocks; those in doctest's form print what they must."""
    lines = []
    for body in bodies:
        if ">>>" in body:
            lines += ["import doctest as _d",
                      f"_t = _d.DocTestParser().get_doctest({body!r}, globals(), 'block', None, 0)",
                      f"_r = _d.DocTestRunner(optionflags={doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE})",
                      "_f = _r.run(_t, clear_globs=False).failed; globals().update(_t.globs); assert not _f"]
        else:
            lines.append(body)
    return "\n".join(lines)


@pytest.mark.parametrize("unit", [_parameter(unit) for unit in UNITS])
def test_blocks_run(unit: md.Unit, world: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if unit.long:
        request.getfixturevalue("rendered")
    folder = tmp_path / "here"
    shutil.copytree(world, folder)
    source: list[str] = []
    with ExitStack() as stack:
        for number, block in enumerate(unit.blocks):
            if "background" in block.words:
                stack.enter_context(_background(block, folder))
            elif block.kind == "shell":
                _run(["bash", "-euo", "pipefail", "-c", block.body], block, folder, int(block.argument("fails") or 0))
            else:
                source.append(block.body)
                following = unit.blocks[number + 1 :]
                if not following or following[0].kind != "python":  # Python blocks in a row are one process
                    (folder / "block.py").write_text(_script(source))
                    _run([sys.executable, "block.py"], block, folder)


@pytest.mark.parametrize("page", PROSE, ids=lambda page: str(page.relative_to(ROOT)))
def test_blocks_have_a_language_and_data_parses(page: Path) -> None:
    for block in md.blocks(page):
        where = f"{page.relative_to(ROOT)}:{block.line}"
        assert block.language in {*md.RUN, *md.DATA, *md.PLAIN}, f"{where}: language {block.language!r}"
        assert block.kind != "shell" or not block.body.startswith("$ "), f"{where}: a prompt; use ```console"
        if block.kind == "yaml":
            yaml.safe_load(block.body)
        elif block.kind == "toml":
            tomllib.loads(block.body)
        elif block.kind in ("json", "jsonl"):
            for text in block.body.splitlines() if block.kind == "jsonl" else [block.body]:
                json.loads(text)


@pytest.mark.parametrize("page", PROSE, ids=lambda page: str(page.relative_to(ROOT)))
def test_code_is_fenced_and_not_indented(page: Path) -> None:
    indented, before, fenced = [], "", False
    for number, line in enumerate(page.read_text().splitlines(), 1):
        fenced ^= line.lstrip().startswith("```")
        if line.startswith("    ") and not fenced and not before.strip() and not _within_a_list(page, number):
            indented.append(number)
        before = line
    assert not indented, f"indented code, lines {indented}; use a fenced block with a language"


def _within_a_list(page: Path, number: int) -> bool:
    """Whether the nearest line above that is not indented begins a list item, an admonition, a tab or a footnote."""
    for line in reversed(page.read_text().splitlines()[: number - 1]):
        if line.strip() and not line.startswith("  "):
            return line.lstrip().startswith(("-", "*", "!!!", "???", "===", "[^", ":")) or line[:1].isdigit()
    return False
