"""Import of Mitsuba with a variant that this machine can run (CUDA, or LLVM on the CPU)."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Any

from posebot.core.errors import UnavailableError

_LLVM_PATHS = ("/usr/lib/*/libLLVM*{0}*.so*", "/usr/lib/llvm-{0}/lib/libLLVM*.so*", "/usr/lib64/libLLVM*{0}*.so*")
_LLVM_VERSIONS = (19, 20, 18, 17)  # 14 to 16 fail with "Cannot select"


def load_mitsuba(threads: int = 0) -> Any:
    """Import Mitsuba with a variant for the GPU, if there is one, or for the CPU.

    Dr.Jit would load any LLVM that it finds, and an outdated one ends the process during the first rendering.

    Raises:
        UnavailableError: neither variant can be used.
    """
    library = find_llvm()
    if library is not None:
        os.environ.setdefault("DRJIT_LIBLLVM_PATH", str(library))
    import mitsuba as mi

    problem = "no CUDA driver and no LLVM 17 or newer"
    candidates = {"cuda_ad_rgb": _has_cuda(), "llvm_ad_rgb": library is not None}
    for variant in (name for name, available in candidates.items() if available):
        try:
            mi.set_variant(variant)
            mi.Float(1.0) + mi.Float([1.0, 2.0])
        except Exception as error:  # Dr.Jit raises bare exceptions
            problem = f"{variant}: {error}"
            continue
        if threads:
            import drjit

            drjit.set_thread_count(threads)
        return mi
    raise UnavailableError("path renderer", f"Mitsuba cannot run ({problem})",
                           "apt-get install libllvm19, or DRJIT_LIBLLVM_PATH=/path/to/libLLVM.so, or --renderer raster")


def find_llvm() -> Path | None:
    """The LLVM library for Dr.Jit: that of DRJIT_LIBLLVM_PATH, or else the best installed one."""
    named = os.environ.get("DRJIT_LIBLLVM_PATH")
    if named:
        return Path(named)
    for version in _LLVM_VERSIONS:
        for pattern in _LLVM_PATHS:
            libraries = sorted(Path("/").glob(pattern.format(version).lstrip("/")))
            if libraries:
                return libraries[0]
    return None


def _has_cuda() -> bool:
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True
