"""The command line as a user meets it: instant help, one-line errors, documented exit codes."""

import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from posebot import __version__
from posebot.cli import _errors
from posebot.cli._lazy import Entry
from posebot.cli.main import Commands, run
from posebot.core.errors import InconclusiveError, InputError, MeshError, PlatformLostError

HEAVY = "torch ray mlflow ultralytics mujoco mitsuba cv2 numpy scipy trimesh openvino onnxruntime rich pydantic".split()


class Wrapper(Exception):
    """As Ray wraps a worker's error: the cause is an attribute."""

    def __init__(self, cause: Exception) -> None:
        super().__init__("Traceback (most recent call last): ...")
        self.cause = cause


def _imported_by(statement: str) -> set[str]:
    code = f"import sys; sys.argv = ['posebot', '--help']\n{statement}\n" \
           f"print('modules:', *[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split()[1:])


class NodeDiedError(Exception):
    """Named as Ray's error is: the command line knows those by name, as it does not import ray."""


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> types.ModuleType:
    """A command `fail` that raises `fail.error`; the working directory is empty."""
    module = types.ModuleType("failing_command")

    def fail(word: str = "") -> None:
        raise module.error

    module.fail = fail  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "failing_command", module)
    monkeypatch.setattr(Commands, "entries", {"fail": Entry("failing_command", "Fail.", "Test")})
    monkeypatch.delenv("POSEBOT_DEBUG", raising=False)
    monkeypatch.chdir(tmp_path)
    return module


def test_help_imports_nothing_heavy() -> None:
    assert _imported_by("from posebot.cli.main import run; assert run(['--help']) == 0") == set()


def test_the_commands_own_help_is_light_too() -> None:
    every = "from posebot.cli.main import Commands, run; [run([name, '--help']) for name in Commands.entries]"
    assert _imported_by(every) <= {"pydantic"}  # typer reads options by it


def test_help_lists_every_command_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in Commands.entries)
    words = " ".join(text.split())
    assert "Exit codes: 0 done, 1 internal error (a log is written), 2 bad input or usage, " in words
    assert "3 the verdict is no, 4 inconclusive, 5 the platform was lost, 130 interrupted." in words


@pytest.mark.parametrize("name", list(Commands.entries))
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0
    assert f"Usage: posebot {name}" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"posebot {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["dmo"], "No such command 'dmo'. Did you mean"), (["--frobnicate"], "No such option"), ([], "Usage: posebot")],
)
def test_usage_errors(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err + captured.out


@pytest.mark.parametrize(
    ("error", "line", "code"),
    [
        (InputError("a.png", "is\nempty", "a picture"), "posebot: error: a.png: is empty; a picture [bad_input]", 2),
        (Wrapper(MeshError("b.ply", "has no faces")), "posebot: error: b.ply: has no faces [bad_mesh]", 2),
        (ModuleNotFoundError("No module named 'torch'", name="torch.nn"),
         "posebot: error: this needs torch.nn; pip install 'posebot[train]' [missing_extra]", 2),
        (ImportError("libGL.so.1: cannot open shared object file: No such file or directory"),
         "posebot: error: libGL.so.1: cannot open shared object file: No such file or directory; "
         "on Debian: apt-get install libgl1 libglib2.0-0 libegl1 libegl-mesa0 libgl1-mesa-dri [missing_library]", 2),
        (PermissionError(13, "Permission denied", "out"), "posebot: error: out: permission denied [not_readable]", 2),
        (FileNotFoundError(2, "No such file or directory", "in"),
         "posebot: error: in: no such file or directory [file_not_found]", 2),
        (InputError("--fps", "is 0"), "posebot: error: --fps: is 0 [bad_option]", 2),
        (InconclusiveError("hand-eye", "no answer"), "posebot: error: hand-eye: no answer [inconclusive]", 4),
        (PlatformLostError("cluster", "is gone"), "posebot: error: cluster: is gone [platform_lost]", 5),
        (NodeDiedError("node 3"), "posebot: error: the Ray cluster failed: node 3 [platform_lost]", 5),
        (KeyboardInterrupt(), "posebot: interrupted", 130),
    ],
)
def test_errors_are_one_line(
    failing: types.ModuleType, error: BaseException, line: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    failing.error = error
    assert run(["fail"]) == code
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", line + "\n")


@pytest.mark.parametrize("with_runs", [True, False])
def test_a_bug_is_one_line_and_a_log(
    failing: types.ModuleType, with_runs: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failing.error = ZeroDivisionError("division by zero")
    if with_runs:
        Path("runs").mkdir()
    assert run(["fail"]) == 1
    line = capsys.readouterr().err
    assert line.startswith("posebot: internal error: ZeroDivisionError: division by zero; traceback in ")
    assert line.count("\n") == 1
    log = Path(line.split("traceback in ")[1].strip())
    assert (log.parent == Path("runs")) is with_runs
    assert "raise module.error" in log.read_text()
    log.unlink()


def test_debug_shows_the_traceback(
    failing: types.ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "environ", dict(os.environ))
    failing.error = InputError("a.png", "is empty")
    assert run(["--debug", "fail"]) == 2
    err = capsys.readouterr().err
    assert "Traceback (most recent call last)" in err
    assert err.endswith("posebot: error: a.png: is empty [bad_input]\n")


def test_ray_train_keeps_its_workers_errors_in_a_dictionary() -> None:
    error = RuntimeError("2 workers failed")
    error.worker_failures = {0: Wrapper(InputError("d", "no frames")), 1: OSError()}  # type: ignore[attr-defined]
    assert _errors.explain(error) == ("error: d: no frames [bad_input]", 2)


def test_python_m_works() -> None:
    done = subprocess.run([sys.executable, "-m", "posebot.cli.main", "--version"], capture_output=True, text=True)
    assert done.stdout == f"posebot {__version__}\n"
