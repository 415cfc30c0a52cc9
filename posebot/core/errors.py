"""Errors that a user can mend. Everything from outside is checked where it enters and fails with one of these."""

from __future__ import annotations

EXIT_BAD_INPUT = 2


class PosebotError(Exception):
    """Base of all errors that posebot raises on purpose. `str(error)` is one line, fit to be shown."""

    def __str__(self) -> str:
        return " ".join(super().__str__().split())


class InputError(PosebotError):
    """Something from outside (file, flag, request, frame) is not usable.

    The message reads: *where*: *what is wrong*; *what would be right*. For example
    `scene_camera.json: image 12: cam_K has 8 numbers; 9 are needed (row-major 3x3)`.

    Args:
        where: the file, flag or request field that is at fault.
        problem: field and value, and what is wrong with them.
        expected: what would be right. Optional, but nearly always worth giving.
    """

    def __init__(self, where: object, problem: str, expected: str = "") -> None:
        self.where, self.problem, self.expected = str(where), problem, expected
        super().__init__(f"{where}: {problem}" + (f"; {expected}" if expected else ""))

    def __reduce__(self) -> tuple[type[InputError], tuple[str, str, str]]:
        return type(self), (self.where, self.problem, self.expected)
