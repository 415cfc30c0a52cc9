"""posebot: 6-D object pose from CAD meshes, with calibrated certainty.

>>> import posebot
>>> frame = posebot.example_frame()  # or rgb, K and depth of your own
>>> model = posebot.load("kit")
>>> result = model(frame.rgb, K=frame.camera.K, depth=frame.depth)
>>> for pose in result:
...     print(pose.label, pose.cam_from_obj, pose.p_correct, pose.region90)  # doctest: +ELLIPSIS
spool [[...]] ... Region90(... mm, ... deg)
...
>>> result.plot(frame.rgb).save("overlay.png")

Importing this module is cheap: each name below is imported when it is first used.
"""

TYPE_CHECKING = False  # as in typing, whose import would take half of the time; type checkers take it for true

if TYPE_CHECKING:
    from posebot.api.example import example_frame
    from posebot.api.frames import FrameStream, open_camera
    from posebot.api.model import Model, load
    from posebot.api.result import Result
    from posebot.api.training import train
    from posebot.client import Client, ServiceError
    from posebot.core.camera import Camera
    from posebot.core.errors import InconclusiveError, InputError, PlatformLostError, PosebotError
    from posebot.core.frame import Frame
    from posebot.core.objects import ObjectModel
    from posebot.core.results import PoseEstimate

__version__ = "0.2.0"

__all__ = [
    "Camera",
    "Client",
    "Frame",
    "FrameStream",
    "InconclusiveError",
    "InputError",
    "Model",
    "ObjectModel",
    "PlatformLostError",
    "PoseEstimate",
    "PosebotError",
    "Result",
    "ServiceError",
    "__version__",
    "example_frame",
    "load",
    "open_camera",
    "train",
]

_HOMES = {
    "posebot.api.example": ("example_frame",),
    "posebot.api.frames": ("FrameStream", "open_camera"),
    "posebot.api.model": ("Model", "load"),
    "posebot.api.result": ("Result",),
    "posebot.api.training": ("train",),
    "posebot.client": ("Client", "ServiceError"),
    "posebot.core.camera": ("Camera",),
    "posebot.core.errors": ("InconclusiveError", "InputError", "PlatformLostError", "PosebotError"),
    "posebot.core.frame": ("Frame",),
    "posebot.core.objects": ("ObjectModel",),
    "posebot.core.results": ("PoseEstimate",),
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names}

if not TYPE_CHECKING:  # type checkers see the imports above, and report names that do not exist

    def __getattr__(name: str) -> object:
        from importlib import import_module

        if name not in _MODULES:
            raise AttributeError(f"module 'posebot' has no attribute {name!r}")
        value = getattr(import_module(_MODULES[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
