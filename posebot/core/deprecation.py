"""Deprecated names that are still read: one line on stderr for each, once per process."""

from __future__ import annotations

import logging

_log = logging.getLogger("posebot.deprecation")
_reported: set[tuple[str, str]] = set()


def renamed(where: object, old: str, new: str) -> None:
    """Say that a key or flag has a new name. Repeated calls with the same names are silent.

    The line goes through the logger `posebot.deprecation`; where no logging is configured (the command line), Python
    prints it plainly on stderr.

    Args:
        where: file, flag or request in which the old name was found. old, new: the names.
    """
    if (old, new) not in _reported:
        _reported.add((old, new))
        _log.warning("posebot: deprecated: %s: %s is now called %s; the old name is still read", where, old, new)


def ignored(where: object, old: str, why: str) -> None:
    """Say that a flag no longer does anything, and why. Repeated calls with the same name are silent."""
    if (old, why) not in _reported:
        _reported.add((old, why))
        _log.warning("posebot: deprecated: %s: %s is ignored: %s", where, old, why)


def reset() -> None:
    """Forget what was reported (for tests)."""
    _reported.clear()
