"""HTML reports from Jinja2 templates (`templates/*.html.j2`): one self-contained file, all text escaped."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, context: Mapping[str, Any], folder: Path = TEMPLATES) -> str:
    """Render a template. `folder` is searched first; `templates/` of this package has the shared `base.html.j2`.

    Filters: percent (0..1 to "12.3", None to a dash), number(digits), coverage (share with its interval).
    An undefined name in a template is an error.
    """
    return _environment(folder).get_template(template).render(context)


@lru_cache(maxsize=8)
def _environment(folder: Path) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(loader=FileSystemLoader([folder, TEMPLATES]), autoescape=True, undefined=StrictUndefined,
                              trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    environment.filters |= {"percent": percent, "number": number, "coverage": coverage}
    return environment


def coverage(share: Mapping[str, Any]) -> str:
    """A coverage with its confidence interval."""
    low, high = share["interval"]
    return f"{percent(share['coverage'])} % ({percent(low)} to {percent(high)})"


def percent(share: float | None, digits: int = 1) -> str:
    """A share 0..1 in percent, or a dash."""
    return "–" if share is None else f"{100 * share:.{digits}f}"


def number(value: float | None, digits: int = 1) -> str:
    """A number, or a dash."""
    return "–" if value is None else f"{value:.{digits}f}"
