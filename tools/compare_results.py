"""Compare two result files of `posebot infer`, frame by frame: equal but for times?

    python tools/compare_results.py before.jsonl after.jsonl

Times (`stage_ms`, `age_ms`, `captured_at`) and fields that BEFORE lacks are ignored; every other value must be equal to
the last digit. Prints the first differences, or that there are none, and the ratio of the total times (AFTER / BEFORE,
first two frames left out). AFTER may hold fewer frames than BEFORE. Exits with 3 where the results differ.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from posebot.core.errors import EXIT_BAD_INPUT

EXIT_DIFFERENT = 3
IGNORED = frozenset({"stage_ms", "age_ms", "captured_at"})
_WARM_UP = 2  # frames
_SHOWN = 10  # differences


def differences(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """One line for each value of `before` that `after` lacks or has otherwise. path: where both are in their result."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            if key not in IGNORED:
                yield from differences(value, after.get(key), f"{path}.{key}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from differences(one, other, f"{path}[{index}]")
    elif type(before) is not type(after) or before != after:
        yield f"{path}: {json.dumps(before):.80} -> {json.dumps(after):.80}"


def compare(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """All differences between results by frame. Frames that only `before` has are none, unless `after` is empty."""
    lines = [f"{frame_id}: not in BEFORE" for frame_id in after if frame_id not in before]
    if not after:
        lines.append("AFTER holds no frame")
    for frame_id, result in after.items():
        lines += [f"{frame_id} {line}" for line in differences(before.get(frame_id, result), result)]
    return lines


def time_ratio(before: dict[str, Any], after: dict[str, Any]) -> float:
    """Total milliseconds of AFTER over those of BEFORE, over the frames of both but the first ones."""
    common = [frame_id for frame_id in before if frame_id in after][_WARM_UP:]
    spent = [sum(results[frame_id]["stage_ms"]["total"] for frame_id in common) for results in (before, after)]
    return spent[1] / spent[0] if spent[0] else float("nan")


def read_results(path: Path) -> dict[str, Any]:
    """Results by frame id. Raises OSError, ValueError or KeyError where the file is not one of results."""
    results = [json.loads(line) for line in path.read_text().splitlines()]
    return {result["frame_id"]: result for result in results}


def main(arguments: list[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    options = parser.parse_args(arguments)
    try:
        before, after = read_results(options.before), read_results(options.after)
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"compare_results: error: {error}; two files of posebot infer", file=sys.stderr)
        return EXIT_BAD_INPUT
    lines = compare(before, after)
    print("\n".join(lines[:_SHOWN] or [f"{len(after)} frames equal"]))
    print(f"total time: {time_ratio(before, after):.3f} x")
    return EXIT_DIFFERENT if lines else 0


if __name__ == "__main__":
    sys.exit(main())
