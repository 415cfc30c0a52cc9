"""Installed packages compared with the requirements and tested versions of posebot, from package metadata."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import posebot

Status = Literal["ok", "warn", "missing"]
Task = Literal["inference", "training", "serving", "rendering"]
TASKS: tuple[Task, ...] = ("inference", "training", "serving", "rendering")
EXTRAS: dict[str, tuple[Task, ...]] = {  # and what does not work without them
    "synth": ("rendering",), "evaluate": (), "train": ("training",), "yolo": (), "serve": ("serving",)}
TWINS = {"onnxruntime": "onnxruntime-gpu", "opencv-python": "opencv-python-headless"}  # the same modules


@dataclass(frozen=True)
class Check:
    """One line of the report: the name of the check, its status, what was found, how to fix it, and what does not work
    because of it."""

    name: str
    status: Status
    found: str
    advice: str = ""
    stops: tuple[Task, ...] = ()


def packages() -> Iterator[Check]:
    """Packages that are missing, outside the allowed range, or not of the tested version, for each extra."""
    requirements = [Requirement(line) for line in metadata.requires("posebot") or []]
    pins = tested_versions()
    for extra, tasks in {"": TASKS, **EXTRAS}.items():
        wanted = [one for one in requirements if one.name != "posebot" and _belongs(one, extra)]
        missing = [one.name for one in wanted if not (installed(one.name) or installed(TWINS.get(one.name, "")))]
        wanted = [one for one in wanted if installed(one.name)]
        name = f"packages [{extra}]" if extra else "packages"
        command = f"pip install 'posebot[{extra}]'" if extra else "pip install posebot"
        if missing:
            found = f"not installed: {', '.join(missing)}"
            yield Check(name, "warn" if extra else "missing", found, command, tasks)
            continue
        clashes = [clash for one in wanted if (clash := conflict(one))]
        if clashes:
            yield Check(name, "warn" if extra else "missing", "; ".join(clashes), "pip install -r requirements.txt",
                        tasks)
        else:
            yield _against_pins(name, wanted, pins)
    duplicates = [name for name in ("opencv-python-headless", "opencv-contrib-python") if installed(name)]
    if duplicates and installed("opencv-python"):
        yield Check("OpenCV packages", "warn",
                    f"{', '.join(duplicates)} beside opencv-python: they overwrite each other",
                    f"pip uninstall {' '.join(duplicates)}; pip install --force-reinstall opencv-python")


def able(checks: Iterable[Check]) -> dict[Task, Check | None]:
    """What this machine can do: for each task the first check that stops it, None if it works."""
    listed = list(checks)
    return {task: next((check for check in listed if task in check.stops), None) for task in TASKS}


def conflict(requirement: Requirement) -> str:
    """The exact version conflict of a requirement, or of what its package requires in turn; "" if all fits."""
    version = metadata.version(requirement.name)
    if not requirement.specifier.contains(version, prereleases=True):
        return f"{requirement.name} {version} is installed, posebot needs {requirement.specifier}"
    for line in metadata.requires(requirement.name) or []:
        needed = Requirement(line)
        if needed.marker is not None and not needed.marker.evaluate({"extra": ""}):
            continue
        if installed(needed.name) and not needed.specifier.contains(metadata.version(needed.name), prereleases=True):
            found = metadata.version(needed.name)
            return f"{needed.name} {found} is installed, {requirement.name} {version} needs {needed.specifier}"
    return ""


def tested_versions() -> dict[str, str]:
    """Package name to the version in requirements.txt, which the wheel carries; {} where the file is not found."""
    home = Path(posebot.__file__).parent
    for path in (home / "requirements.txt", home.parent / "requirements.txt"):
        if path.is_file():
            lines = [Requirement(line) for line in path.read_text().splitlines() if line.strip()]
            return {canonicalize_name(one.name): next(iter(one.specifier)).version for one in lines}
    return {}


def installed(name: str) -> bool:
    """Whether a distribution of this name is installed."""
    try:
        metadata.version(name)
    except (metadata.PackageNotFoundError, ValueError):  # ValueError: an empty name
        return False
    return True


def _against_pins(name: str, wanted: list[Requirement], pins: dict[str, str]) -> Check:
    others = []
    for one in wanted:
        version, pin = metadata.version(one.name), pins.get(canonicalize_name(one.name))
        if pin and version.partition("+")[0] != pin:
            others.append(f"{one.name} {version} (tested: {pin})")
    if others:
        return Check(name, "warn", ", ".join(others), "allowed, but not the tested versions; see requirements.txt")
    return Check(name, "ok", f"{len(wanted)} installed, the tested versions")


def _belongs(requirement: Requirement, extra: str) -> bool:
    marker = requirement.marker
    if not extra:
        return marker is None or marker.evaluate({"extra": ""})
    return marker is not None and marker.evaluate({"extra": extra}) and not marker.evaluate({"extra": ""})
