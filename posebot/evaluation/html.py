"""Pieces of report.html: tables, and numbers as a reader wants them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any


def table(head: Sequence[str], rows: Iterable[tuple[bool, Sequence[str]]], kind: str = "") -> str:
    """A table. rows: whether to lift it out, and its cells. kind: a CSS class."""
    lines = "".join(f"<tr{' class=own' if own else ''}>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
                    for own, cells in rows)
    return (f"<div class=scroll><table class='{kind}'><tr>{''.join(f'<th>{escape(cell)}</th>' for cell in head)}</tr>"
            f"{lines}</table></div>")


def covered(share: Mapping[str, Any]) -> str:
    """A coverage with its interval."""
    low, high = share["interval"]
    return f"{percent(share['coverage'])} % ({percent(low)} to {percent(high)})"


def percent(share: float | None) -> str:
    """A share 0..1 in percent, or a dash."""
    return "–" if share is None else f"{100 * share:.1f}"


def plain(value: float | None, digits: int = 1) -> str:
    """A number, or a dash."""
    return "–" if value is None else f"{value:.{digits}f}"
