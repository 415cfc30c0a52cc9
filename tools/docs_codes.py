"""The error codes' reference: an index by kind and a page each, from posebot.core.error_codes."""

from __future__ import annotations

from docs_cli import escape

from posebot.core.error_codes import ERROR_CODES, ErrorCode

_INTRO = """# Error codes

Every error has a stable code. The command line prints it in brackets behind the message, the API answers it as
`error.code`, and Python has it as `error.code` of [`PosebotError`](../python.md):

```text
posebot: error: part.ply: holds no triangles [bad_mesh]
```

Exit codes: 0 done, 1 internal error, 2 bad input, 3 the verdict is no, 4 inconclusive, 5 platform lost,
130 interrupted.

| Code | Meaning | Exit code | HTTP status |
|---|---|---|---|
"""


def pages() -> dict[str, str]:
    """Markdown by page, relative to docs/: the index, and one page a code."""
    rows = "\n".join(_row(code, one) for code, one in ERROR_CODES.items())
    found = {"reference/errors/index.md": f"{_INTRO}{rows}\n"}
    for code, one in ERROR_CODES.items():
        found[f"reference/errors/{code}.md"] = _page(code, one)
    return found


def _row(code: str, one: ErrorCode) -> str:
    status = one.http_status if one.http_status is not None else "–"
    return f"| [`{code}`]({code}.md) | {escape(one.meaning)} | {one.exit_code} | {status} |"


def _page(code: str, one: ErrorCode) -> str:
    status = "The API does not answer it." if one.http_status is None else f"HTTP status {one.http_status}."
    return (f"# `{code}`\n\n{escape(one.meaning)}\n\n## What to do\n\n{escape(one.cure)}\n\n"
            f"## Where it appears\n\nExit code {one.exit_code} of the command line. {status}\n\n"
            f"[All error codes](index.md)\n")
