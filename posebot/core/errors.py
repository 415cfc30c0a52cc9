"""Errors that a user can correct, and the exit codes. Input is checked where it enters and fails with one of these.

Each error has a stable `code` (snake_case), listed with its exit code, HTTP status and cure in `core.error_codes`.
"""

from __future__ import annotations

from typing import Any, Self

EXIT_OK = 0
EXIT_BUG = 1
EXIT_BAD_INPUT = 2
EXIT_VERDICT_NO = 3
EXIT_INCONCLUSIVE = 4
EXIT_PLATFORM_LOST = 5
EXIT_INTERRUPTED = 130


class PosebotError(Exception):
    """Base of all errors that posebot raises on purpose. `str(error)` is one line, fit to be shown.

    Attributes:
        code: stable name of the kind of error, see `core.error_codes.ERROR_CODES`.
    """

    code: str = "failed"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return " ".join(super().__str__().split())


class LocatedError(PosebotError):
    """An error that names the place at fault. The message reads `where: problem; expected`.

    For example `scene_camera.json: image 12: cam_K has 8 numbers; 9 are needed (row-major 3x3)`.

    Args:
        where: the file, option or request field that is at fault.
        problem: field and value, and what is wrong with them.
        expected: what would be right. Optional, but nearly always worth giving.
        code: overrides the class's code.
    """

    def __init__(self, where: object, problem: str, expected: str = "", *, code: str | None = None) -> None:
        self.where, self.problem, self.expected = str(where), problem, expected
        super().__init__(f"{where}: {problem}" + (f"; {expected}" if expected else ""), code=code)

    def at(self, where: object) -> Self:
        """The same error, at a more exact place."""
        return type(self)(where, self.problem, self.expected, code=self.code)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.where, self.problem, self.expected), {"code": self.code}


class InputError(LocatedError):
    """Something from outside (file, option, request, frame) is not usable. Exit code 2.

    A problem with a command-line option (`where` begins with `--`) has the code `bad_option`.
    """

    code = "bad_input"

    def __init__(self, where: object, problem: str, expected: str = "", *, code: str | None = None) -> None:
        if code is None and self.code == "bad_input" and str(where).startswith("--"):
            code = "bad_option"
        super().__init__(where, problem, expected, code=code)


class MissingFileError(InputError):
    """A file or folder does not exist."""

    code = "file_not_found"


class OutputError(InputError):
    """A file or folder cannot be written, or exists and must not be replaced."""

    code = "bad_output"


class ConfigError(InputError):
    """A configuration file is not usable; `code` may be more exact: `bad_yaml`, `unknown_key`, `bad_value`."""

    code = "bad_config"


class MeshError(InputError):
    """A mesh or a folder of BOP models is not usable."""

    code = "bad_mesh"


class ImageError(InputError):
    """An image or video is not usable."""

    code = "bad_image"


class DepthError(InputError):
    """A depth image is missing or not usable."""

    code = "bad_depth"


class IntrinsicsError(InputError):
    """Intrinsics of a camera are missing or not usable."""

    code = "bad_intrinsics"


class CameraSetupError(InputError):
    """A camera is not usable: its entry in the configuration, or the device."""

    code = "bad_camera"


class PoseError(InputError):
    """A pose, transform or table of robot poses is not usable."""

    code = "bad_pose"


class TargetError(InputError):
    """A calibration target is not usable."""

    code = "bad_target"


class CalibrationError(InputError):
    """The views of a calibration, or a calibration's file, are not usable."""

    code = "bad_calibration"


class BundleError(InputError):
    """A model bundle is damaged, incomplete or unknown."""

    code = "bad_bundle"


class DatasetError(InputError):
    """A data set is not usable, or lacks what is asked for."""

    code = "bad_dataset"


class ResultFileError(InputError):
    """A file of results or estimates is not usable."""

    code = "bad_results"


class RunStateError(InputError):
    """A folder holds the state of another or an interrupted run that cannot be continued."""

    code = "run_conflict"


class UnavailableError(InputError):
    """This machine lacks what is needed: a package, library, device, renderer or runtime."""

    code = "unavailable_here"


class InconclusiveError(LocatedError):
    """The data allow no answer: more, or other, measurements are needed. Exit code 4."""

    code = "inconclusive"


class PlatformLostError(LocatedError):
    """The machines that do the work cannot be reached, or were lost. Exit code 5: trying again may help."""

    code = "platform_lost"
