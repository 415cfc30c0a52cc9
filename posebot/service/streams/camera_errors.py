"""Classifies the messages of camera libraries into a few codes that programs and the page can act on."""

from __future__ import annotations

import re

_PATTERNS = (
    ("auth_failed", r"40[13]|unauthori[sz]ed|forbidden|authori[sz]ation|password|permission denied"),
    ("timeout", r"timed? ?out|immediate exit|no (picture|image) for"),
    ("refused", r"refused|unreachable|no route|name or service|resolve"),
    ("codec", r"invalid data|codec|decod|no video|not readable as|cut off|truncated|protocol not found|bitstream"),
    ("not_found", r"404|no such|not found|cannot be opened|does not exist|missing"),
    ("disconnected", r"has ended|input/output|end of file|reset|broken pipe|gives no (picture|image)|connection|"
                     r"i/o error"),
)
_RETRY = re.compile(r"; trying again in ([\d.]+) s$")


def error_code(reason: str) -> str:
    """One of `schemas.streams.ErrorCode`."""
    text = reason.lower()
    return next((code for code, pattern in _PATTERNS if re.search(pattern, text)), "bad_input")


def announced_retry_s(reason: str) -> float | None:
    """Seconds until a live source tries again, where it lost its camera; None: only one frame was bad."""
    match = _RETRY.search(reason)
    return float(match[1]) if match else None
