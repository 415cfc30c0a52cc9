"""Loops over pixels and points as machine code.

The pose stage is many small loops, each too short for NumPy to pay: it took 80 ms per object, most of it in copies and
calls. Numba compiles such a loop at its first call, caches the result beside the source (once per machine, some ten
seconds in all), and runs it without the GIL, so that objects can be solved in threads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., object])
_FASTMATH = {"reassoc", "contract", "arcp", "nsz"}  # sums in any order; infinities and NaN keep their meaning


def compiled(function: Function) -> Function:
    """Compile a function of numbers and arrays. Each new combination of argument types compiles it again.

    Where the cache cannot be written (a read-only system without a home), every process compiles for itself.
    """
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": _FASTMATH}
    try:
        return cast(Function, njit(cache=True, **options)(function))
    except RuntimeError:
        return cast(Function, njit(**options)(function))
