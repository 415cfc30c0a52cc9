"""The checks of `posebot doctor` besides packages. Nothing here raises; what may crash runs in a subprocess."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import posebot
from posebot.cli._errors import SYSTEM_PACKAGES
from posebot.cli._packages import TASKS, Check, Status, Task, installed, packages
from posebot.core.machine import cores

_TRY_CV2 = "import cv2; print(cv2.__version__)"
_TRY_EGL = (
    "import moderngl; context = moderngl.create_context(standalone=True, require=330, backend='egl', "
    "libegl='libEGL.so.1', libgl='libGL.so.1'); print(context.info['GL_RENDERER'])"
)
_TRY_MITSUBA = (
    "from posebot.core.errors import InputError\n"
    "from posebot.synth.mitsuba_runtime import load_mitsuba\n"
    "try: print(load_mitsuba().variant())\n"
    "except InputError as error: raise SystemExit(str(error))"
)
_TRY_TORCH = (
    "import torch, torchvision\n"
    "torchvision.ops.nms(torch.rand(2, 4), torch.rand(2), 0.5)\n"
    "gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]\n"
    "print(f'torch {torch.__version__}, torchvision {torchvision.__version__},', "
    "'CUDA ' + ', '.join(gpus) if gpus else 'CPU only')"
)


def examine(quick: bool = False) -> Iterator[Check]:
    """All checks, in the order of the report. `quick` leaves out those that start a subprocess (seconds each)."""
    yield from system()
    yield from packages()
    yield runtimes()
    if quick:
        return
    yield attempt("OpenCV", _TRY_CV2, "missing", SYSTEM_PACKAGES, TASKS)
    if installed("moderngl"):
        yield attempt("OpenGL (EGL)", _TRY_EGL, "warn", f"for posebot synth and demo; {SYSTEM_PACKAGES}",
                      ("rendering",))
    if installed("mitsuba"):
        advice = "for the path tracer; on Debian: apt-get install libllvm19 libatomic1"
        yield attempt("Mitsuba", _TRY_MITSUBA, "warn", advice)
    if installed("torch"):
        advice = "install the versions of torch and torchvision in requirements.txt; they must match"
        yield attempt("torch", _TRY_TORCH, "warn", advice, ("training",))


def system() -> Iterator[Check]:
    """Python, cores, memory and disk."""
    version = platform.python_version()
    enough = sys.version_info >= (3, 11)
    yield Check("Python", "ok" if enough else "missing", f"{version}, posebot {posebot.__version__}",
                "" if enough else "Python 3.11 or newer", () if enough else TASKS)
    yield Check("CPU", "ok", f"{cores()} cores for this process, {platform.machine()}")
    memory = _available_memory_gb()
    if memory is not None:
        yield Check("memory", "ok" if memory > 4 else "warn", f"{memory:.1f} GB free",
                    "" if memory > 4 else "training needs 4 GB or more; inference needs 1 GB")
    disk = shutil.disk_usage(".").free / 1e9
    yield Check("disk", "ok" if disk > 5 else "warn", f"{disk:.0f} GB free here",
                "" if disk > 5 else "a data set of 10,000 frames takes about 10 GB")


def runtimes() -> Check:
    """Which runtimes can run the networks, and on which devices."""
    try:
        import onnxruntime
        import openvino

        core = openvino.Core()
        devices = ", ".join(f"{device} ({core.get_property(device, 'FULL_DEVICE_NAME')})"
                            for device in core.available_devices)
        providers = ", ".join(name.removesuffix("ExecutionProvider")
                              for name in onnxruntime.get_available_providers())
    except Exception as error:  # a broken native library may raise anything
        return Check("runtimes", "missing", f"{type(error).__name__}: {error}", "pip install -r requirements.txt",
                     ("inference", "training", "serving"))
    return Check("runtimes", "ok", f"OpenVINO: {devices}; ONNX Runtime: {providers}")


def attempt(name: str, code: str, failed: Status, advice: str, stops: tuple[Task, ...] = ()) -> Check:
    """Run Python code in a subprocess, as it may hang or crash. The last line that it prints is the result."""
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        return Check(name, failed, "no answer within 120 s", advice, stops)
    lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    last = lines[-1] if lines else f"exit code {done.returncode}"
    return Check(name, "ok", last) if done.returncode == 0 else Check(name, failed, last, advice, stops)


def _available_memory_gb() -> float | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    [kilobytes] = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(kilobytes) / 1e6
