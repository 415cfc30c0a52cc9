"""Every error code: what it means, how to cure it, its exit code and its HTTP status.

The command line prints the code in brackets behind the message; the API answers it as `error.code`. Codes are stable:
one that was released keeps its name and meaning. The reference pages of the error codes are generated from this table.
"""

from __future__ import annotations

from dataclasses import dataclass

from posebot.core.errors import EXIT_BAD_INPUT, EXIT_BUG, EXIT_INCONCLUSIVE, EXIT_PLATFORM_LOST, PosebotError


@dataclass(frozen=True)
class ErrorCode:
    """One kind of error.

    Attributes:
        meaning: one sentence. cure: what to do about it, one or two sentences.
        exit_code: of the command line. http_status: of the API; None where the API never answers it.
    """

    meaning: str
    cure: str
    exit_code: int = EXIT_BAD_INPUT
    http_status: int | None = 422


_INPUT = {
    "bad_input": ErrorCode(
        "Input does not have the form that is asked for.",
        "The message names the place, the problem and what would be right; correct it there."),
    "bad_option": ErrorCode(
        "A command-line option has a wrong value, or does not go with another one.",
        "Correct the option that the message names; `posebot COMMAND --help` lists what it takes.", http_status=None),
    "file_not_found": ErrorCode(
        "A file or folder that is needed does not exist.",
        "Check the path; relative paths are resolved from the working directory, or from the file that names them."),
    "not_readable": ErrorCode(
        "A file exists but cannot be read or written.",
        "Check permissions, the mount and the free space of the disk.", http_status=None),
    "bad_output": ErrorCode(
        "A result cannot be written, or would replace something.",
        "Choose another --out, a folder that you own with free space, or the option that allows replacing."),
    "run_conflict": ErrorCode(
        "The folder holds another run, or the state of an interrupted run that does not match.",
        "Continue with the settings of the first run, choose another --out, or delete the folder."),
    "bad_config": ErrorCode(
        "A configuration file cannot be used.",
        "Correct the line that the message names; `posebot config schema` prints what is allowed."),
    "bad_yaml": ErrorCode(
        "A file is not valid YAML.",
        "Correct the syntax at the line that the message names: indentation, quotes, a missing colon."),
    "unknown_key": ErrorCode(
        "A configuration file has a key that posebot does not know.",
        "Check the spelling; the message lists the known keys."),
    "bad_value": ErrorCode(
        "A key of a configuration file has a value of the wrong type or out of range.",
        "Use a value of the type and range that the message names."),
    "bad_mesh": ErrorCode(
        "A mesh or a folder of BOP models cannot be used.",
        "Run `posebot objects check` on the mesh, and export it again as PLY, OBJ, STL or GLB."),
    "bad_image": ErrorCode(
        "An image or video is damaged, empty or of an unknown format.",
        "Use a complete PNG, JPEG or WebP image, 8 bits a channel in RGB order; a video that FFmpeg can decode."),
    "bad_depth": ErrorCode(
        "A depth image is missing, has another size than the image, or has the wrong type or unit.",
        "Depth is registered to the image: 16-bit PNG with a scale in files, float32 metres in Python."),
    "bad_intrinsics": ErrorCode(
        "Intrinsics are missing, are not a pinhole camera, or belong to another image size.",
        "Give fx, fy, cx, cy, width and height of exactly this image; `posebot calibrate camera` measures them."),
    "bad_camera": ErrorCode(
        "A camera's entry in the configuration is wrong, or the camera cannot be opened.",
        "Correct the entry that the message names; check that the camera is on and that its address is right."),
    "bad_pose": ErrorCode(
        "A pose is not a rigid transform, or robot poses do not match the images.",
        "Use metres and radians, rotations that are orthonormal, and times on the same clock as the images."),
    "bad_target": ErrorCode(
        "A calibration target is described wrongly, or cannot be found in the images.",
        "Describe the target as it was printed: `posebot calibrate target` lists the forms."),
    "bad_calibration": ErrorCode(
        "The images of a calibration, or the file of one, cannot be used.",
        "Take more images of one camera with the whole target in view, from clearly different directions."),
    "bad_dataset": ErrorCode(
        "A data set lacks files or entries, or holds damaged ones.",
        "Check the data set against the BOP format: scene_camera.json, scene_gt.json, rgb/, models_info.json."),
    "bad_results": ErrorCode(
        "A file of results or of estimates cannot be read.",
        "Write it again with this version of posebot; a BOP csv needs millimetres and row-major rotations."),
}
_MODELS = {
    "bad_bundle": ErrorCode(
        "A bundle is damaged or incomplete, or does not fit what is asked of it.",
        "Copy the bundle again; `posebot models show BUNDLE` checks it."),
    "unknown_bundle": ErrorCode(
        "There is no bundle of this name.",
        "Use one of the names in the message, or the path of a bundle's folder or zip."),
    "ambiguous_bundle": ErrorCode(
        "A name is both a packaged bundle and a file or folder in the working directory.",
        "Write `./NAME` for the folder, `NAME@packaged` for the packaged bundle.", http_status=None),
    "no_registry": ErrorCode(
        "A version such as `kit@3` or `kit@champion` is asked for, but there is no model registry.",
        "Name the bundle without a version, or the path of its folder or zip."),
}
_MACHINE = {
    "missing_extra": ErrorCode(
        "A Python package is not installed that this command needs.",
        "Install the extra that the message names, for example `pip install 'posebot[train]'`.", http_status=None),
    "missing_library": ErrorCode(
        "A shared library of the operating system is missing.",
        "Install the packages that the message names; `posebot doctor` checks all of them.", http_status=None),
    "unavailable_here": ErrorCode(
        "This machine has no such runtime, renderer or processor feature.",
        "Choose one that `posebot doctor` lists, or install what the message names."),
    "port_in_use": ErrorCode(
        "Another program listens on the port.",
        "Stop that program, or choose a free port with --port.", http_status=None),
    "failed": ErrorCode(
        "A step failed for a reason outside posebot.",
        "The message names the reason; run the command again with --debug for the traceback.", http_status=503),
    "inconclusive": ErrorCode(
        "The data do not determine an answer.",
        "Take more measurements, or others, as the message says.", EXIT_INCONCLUSIVE),
    "platform_lost": ErrorCode(
        "The Ray cluster cannot be reached, or lost the machine that did the work.",
        "Check the cluster with `ray status`, then run the same command again: it continues where it can.",
        EXIT_PLATFORM_LOST, 503),
    "internal": ErrorCode(
        "A bug in posebot.",
        "Report it with the log that the message names.", EXIT_BUG, 500),
}
_API = {
    "unauthorized": ErrorCode(
        "The request has no key, or one that is wrong, expired or revoked.",
        "Send `Authorization: Bearer KEY` with a key of `posebot keys create`.", http_status=401),
    "forbidden": ErrorCode(
        "The key's scopes do not allow this, or the request comes from another site.",
        "Use a key with the scope that the message names.", http_status=403),
    "not_found": ErrorCode(
        "There is no such stream, model, job, object or address.",
        "Use one of the names in the message.", http_status=404),
    "method_not_allowed": ErrorCode(
        "The address does not take this HTTP method.",
        "See the HTTP reference for the method.", http_status=405),
    "conflict": ErrorCode(
        "The request contradicts the present state.",
        "Ask for the state, then decide again.", http_status=409),
    "not_running": ErrorCode(
        "The stream is not running.",
        "Start it: `POST /v1/streams/NAME/start`.", http_status=409),
    "no_result": ErrorCode(
        "The stream has no result yet.",
        "Wait for its first image; the stream's status names an error of the camera.", http_status=409),
    "stale": ErrorCode(
        "The newest result is older than `max_age_ms`.",
        "Ask again, allow a greater age, or look at the stream's status for what stopped it.", http_status=409),
    "too_large": ErrorCode(
        "The request has more bytes or pixels than allowed.",
        "Send a smaller image, or raise `limits` in the service's configuration.", http_status=413),
    "unsupported_format": ErrorCode(
        "The image or the body has a format that is not accepted.",
        "Send PNG, JPEG or WebP; multipart/form-data or application/json.", http_status=415),
    "rate_limited": ErrorCode(
        "Too many requests, or too many at once.",
        "Wait as long as the header `Retry-After` says.", http_status=429),
    "overloaded": ErrorCode(
        "Too many images are waiting for inference.",
        "Wait as long as the header `Retry-After` says, or add replicas.", http_status=503),
    "not_ready": ErrorCode(
        "The service is starting, or has no model that works.",
        "Wait; the message names the problem.", http_status=503),
    "timeout": ErrorCode(
        "The answer took longer than the limit.",
        "Try again when the machine is less busy, or raise `limits`.", http_status=503),
    "unavailable": ErrorCode(
        "What the request needs does not answer: the cluster, its job server or a stream's process.",
        "Start the service on a Ray cluster; otherwise try again in some seconds.", EXIT_PLATFORM_LOST, 503),
    "unreachable": ErrorCode(
        "The client cannot reach the service.",
        "Check the address, and that `posebot serve` is running there.", EXIT_PLATFORM_LOST, None),
    "disconnected": ErrorCode(
        "The connection to the service or the camera broke.",
        "Connect again.", EXIT_PLATFORM_LOST, None),
    "unknown": ErrorCode(
        "The service answered an error that is not in posebot's form, such as one of a proxy.",
        "Check the address and what lies between client and service.", http_status=None),
}
_STREAMS = {
    "auth_failed": ErrorCode(
        "The camera refuses the user name or password.",
        "Correct the environment variables that the camera's source names.", http_status=None),
    "refused": ErrorCode(
        "The camera's address does not accept connections.",
        "Check that the camera is on, and its port.", http_status=None),
    "codec": ErrorCode(
        "The camera's images cannot be decoded.",
        "Set the camera to H.264 or MJPEG, or check the file.", http_status=None),
    "engine": ErrorCode(
        "Inference failed for an image of the stream.",
        "The stream goes on with the next image; the service's log has the details.", http_status=None),
    "restarted": ErrorCode(
        "The stream's process died and was started again.",
        "Nothing, if it happens once; the service's log has the reason.", http_status=None),
}
ERROR_CODES: dict[str, ErrorCode] = _INPUT | _MODELS | _MACHINE | _API | _STREAMS


def exit_code(error: PosebotError) -> int:
    """The exit code of an error; 2 where its code is not in the table (one that a newer service answered)."""
    known = ERROR_CODES.get(error.code)
    return EXIT_BAD_INPUT if known is None else known.exit_code


def http_status(error: PosebotError) -> int:
    """The HTTP status of an error that the API answers; 500 where its code is not in the table."""
    known = ERROR_CODES.get(error.code)
    return 500 if known is None else known.http_status or 422
