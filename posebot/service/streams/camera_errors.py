"""From what a camera library says to one of a few codes that a program, or a page, can act on."""

from __future__ import annotations

import re

_PATTERNS = (
    ("auth_failed", r"40[13]|unauthori[sz]ed|forbidden|authori[sz]ation|password|permission denied"),
    ("timeout", r"timed? ?out|immediate exit|no picture for"),
    ("refused", r"refused|unreachable|no route|name or service|resolve"),
    ("codec", r"invalid data|codec|decod|no video|not readable as|cut off|protocol not found|bitstream"),
    ("not_found", r"404|no such|not found|cannot be opened|does not exist|missing"),
    ("disconnected", r"has ended|input/output|end of file|reset|broken pipe|gives no picture|connection|i/o error"),
)
_RETRY = re.compile(r"; trying again in ([\d.]+) s$")


def code_of(reason: str) -> str:
    """One of `schemas.streams.ErrorCode`."""
    text = reason.lower()
    return next((code for code, pattern in _PATTERNS if re.search(pattern, text)), "bad_input")


def retry_s(reason: str) -> float | None:
    """The pause that a live source has announced, if its camera has broken off; None: only one frame was bad."""
    match = _RETRY.search(reason)
    return float(match[1]) if match else None
