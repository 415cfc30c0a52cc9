"""What a data set and a training will take, and what accuracy the error budget allows, before anything is rendered.

Sizes in the picture follow the pinhole camera, noise of depth that of `synth.depth_noise`; times and bytes are rates
that were measured once (below) and scale with cores and pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil, degrees, hypot, sqrt

from posebot.core.camera import Camera
from posebot.datasets.detector_samples import letterbox_scale
from posebot.synth.depth_noise import DepthNoise
from posebot.synth.distance import MIN_PIXELS, object_pixels, propose_distance
from posebot.training.config import DETECTOR_SHARE, LocalizerConfig, TrainConfig
from posebot.training.judge import ENOUGH, MANY_EPOCHS

PIXEL_ERROR = 0.5
"""Error of a length in the picture, pixels: of the picture, or of the localizer's crop where that is coarser."""
AREA_SHARE = 0.4
"""Visible surface of a part in the picture over the square of its diameter, in the mean over shapes and views."""
TEST_FRAMES = 100
MIN_FRAMES = 300

# Rates on a core of 2.5 GHz, pictures of 640x480, the networks of the default recipe.
_RENDERED_PER_S = 4.0
_PICTURES_PER_S, _CROPS_PER_S = 10.0, 35.0
_CALIBRATED_S, _CALIBRATED_OBJECT_S = 1.0, 0.5  # seconds a frame and core, and for each object
_FIXED_S = 60.0  # Ray, export, comparison of runtimes
_REFERENCE_PIXELS = 640 * 480
# Bytes: of a rendered pixel with exact and with noisy depth, of a cached pixel of detector and crop, of a run.
_EXACT, _NOISY, _CACHED, _CROP, _RUN = 0.6, 0.9, 4.2, 9.0, 1.2e8


@dataclass(frozen=True)
class Accuracy:
    """Standard deviation of a pose: position in millimetres (along the viewing axis, the largest part), degrees."""

    mm: float
    deg: float


@dataclass(frozen=True)
class View:
    """An object at a distance (metres).

    Attributes:
        pixels: its diameter in the picture. detector: at the detector's input. zoom: how much the localizer's crop
            enlarges it. color: what colour alone allows; depth: what a depth camera allows, None out of its range.
    """

    distance: float
    pixels: float
    detector: float
    zoom: float
    color: Accuracy
    depth: Accuracy | None


@dataclass(frozen=True)
class ObjectPlan:
    """One object at the nearest and the farthest distance. diameter: metres."""

    label: str
    diameter: float
    near: View
    far: View


@dataclass(frozen=True)
class Plan:
    """See `make_plan`.

    Attributes:
        distance: metres, nearest and farthest. proposed: whether the sizes decided it. train, val, test: frames.
        minutes: of training. pictures, crops: samples that detector and localizer see in them.
        render_s, calibrate_s: seconds on `cores` cores. data_bytes, run_bytes: of the data set, and below `runs`.
        warnings: what does not fit, a line each.
    """

    objects: tuple[ObjectPlan, ...]
    distance: tuple[float, float]
    proposed: bool
    train: int
    val: int
    test: int
    minutes: float
    pictures: int
    crops: int
    cores: int
    render_s: float
    calibrate_s: float
    data_bytes: float
    run_bytes: float
    warnings: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Of everything."""
        return self.render_s + 60 * self.minutes + self.calibrate_s


def make_plan(diameters: Mapping[str, float], camera: Camera, *, distance: tuple[float, float] | None = None,
              minutes: float = 30.0, frames: int | None = None, cores: int = 2,
              config: TrainConfig | None = None) -> Plan:
    """The plan for objects of these diameters (metres, by label).

    Args:
        distance: nearest and farthest, metres; None: proposed by the sizes. frames: of the train split; None: as many
            as training can use: it sees each crop `MANY_EPOCHS` times, from where on more frames help more than time.
        cores: of the machine. config: the recipe; None: the default one.
    """
    config = config or TrainConfig()
    proposal = propose_distance(diameters, camera)
    near, far = distance or (proposal.near, proposal.far)
    objects = tuple(ObjectPlan(label, size, *(view(camera, size, at, config) for at in (near, far)))
                    for label, size in diameters.items())
    second = 60 * minutes * cores
    pictures, crops = DETECTOR_SHARE * second * _PICTURES_PER_S, (1 - DETECTOR_SHARE) * second * _CROPS_PER_S
    train = frames or max(MIN_FRAMES, 100 * round(max(pictures, crops / len(objects)) / MANY_EPOCHS / 100))
    val = config.calibration.frames
    pixels = camera.width * camera.height
    height, width = config.detector.input_size
    cached = train * (_CACHED * height * width + len(objects) * _CROP * config.localizer.crop_size**2)
    return Plan(
        objects, (near, far), distance is None, train, val, TEST_FRAMES, minutes, round(pictures), round(crops), cores,
        (train + val + TEST_FRAMES) * pixels / _REFERENCE_PIXELS / (_RENDERED_PER_S * cores),
        val * (_CALIBRATED_S + len(objects) * _CALIBRATED_OBJECT_S) + _FIXED_S,
        pixels * (_EXACT * train + _NOISY * (val + TEST_FRAMES)), cached + _RUN,
        (*_warnings(objects, camera), *_too_short(minutes, {"detector": pictures, "localizer": crops})))


def _too_short(minutes: float, samples: Mapping[str, float]) -> Iterator[str]:
    """A warning where the networks see too few samples for a bundle that is of use."""
    ratio = max(needed / samples[name] for name, (needed, _) in ENOUGH.items())
    if ratio > 1:
        yield (f"{minutes:g} minutes are likely too few for a usable bundle on this machine: about "
               f"{5 * ceil(ratio * minutes / 5)} minutes")


def view(camera: Camera, diameter: float, distance: float, config: TrainConfig) -> View:
    """An object of `diameter` (metres) at `distance` (metres) before the camera and the networks of the recipe."""
    pixels = object_pixels(camera, diameter, distance)
    noise = DepthNoise()
    in_range = noise.min_range < distance < noise.max_range
    return View(distance, pixels, pixels * letterbox_scale(camera.width, camera.height, config.detector.input_size),
                zoom(pixels, config.localizer), color_accuracy(camera, diameter, distance, config.localizer),
                depth_accuracy(camera, diameter, distance, config.localizer, noise) if in_range else None)


def zoom(pixels: float, localizer: LocalizerConfig) -> float:
    """By how much the crop enlarges an object of `pixels`: the crop's side / (pad * pixels)."""
    return localizer.crop_size / (localizer.pad * pixels)


def color_accuracy(camera: Camera, diameter: float, distance: float, localizer: LocalizerConfig) -> Accuracy:
    """What colour alone allows.

    A pinhole camera shows a diameter d at distance z in p = f d / z pixels, so an error e of the length in the picture
    is an error dz = z e / p of the distance. A turn about the viewing axis moves the ends of the length: e / p radians.
    A tilt is seen by foreshortening, at 45 degrees by e / (p sin 45). Turn and tilt add in squares: sqrt(3) e / p.
    """
    share = _length_error(camera, diameter, distance, localizer)
    return Accuracy(1000 * distance * share, degrees(sqrt(3) * share))


def depth_accuracy(camera: Camera, diameter: float, distance: float, localizer: LocalizerConfig,
                   noise: DepthNoise) -> Accuracy:
    """What a depth camera allows.

    A stereo camera of baseline b with noise s of its disparity has, at one pixel, sigma = z^2 s / (f b) (Intel's white
    paper, see `synth.depth_noise`; the quantisation adds step^2 / 12 to s^2). The n = 0.4 p^2 / c^2 readings of an
    object that are independent (correlation length c) average it: sigma / sqrt(n). The error of the scale does not
    average: it adds z times its standard deviation. A plane of length d fitted to n readings tilts by
    sqrt(12 / n) sigma / d; the turn about the viewing axis is that of colour, e / p.
    """
    focal = sqrt(camera.K[0, 0] * camera.K[1, 1])
    disparity = hypot(noise.disparity_rms, noise.disparity_step / sqrt(12))
    sigma = distance**2 * disparity / (focal * noise.baseline)
    readings = max(1.0, AREA_SHARE * (object_pixels(camera, diameter, distance) / noise.correlation_px) ** 2)
    tilt = sqrt(12 / readings) * sigma / diameter
    turn = _length_error(camera, diameter, distance, localizer)
    return Accuracy(1000 * hypot(sigma / sqrt(readings), noise.scale_error * distance), degrees(hypot(tilt, turn)))


def _length_error(camera: Camera, diameter: float, distance: float, localizer: LocalizerConfig) -> float:
    """Relative error e / p of the diameter in the picture."""
    pixels = object_pixels(camera, diameter, distance)
    return PIXEL_ERROR * max(1.0, 1 / zoom(pixels, localizer)) / pixels


def _warnings(objects: tuple[ObjectPlan, ...], camera: Camera) -> list[str]:
    found = [f"{entry.label}: {entry.far.pixels:.0f} pixels at {entry.far.distance:g} m, under {MIN_PIXELS}: hardly to "
             "be found there; go nearer, or use a longer lens or a larger image"
             for entry in objects if entry.far.pixels < MIN_PIXELS]
    found += [f"{entry.label}: {entry.near.pixels:.0f} pixels at {entry.near.distance:g} m, larger than the image; "
              "begin farther away, or plan it by itself"
              for entry in objects if entry.near.pixels > min(camera.width, camera.height)]
    blind = [entry.near.distance for entry in objects if entry.near.depth is None]
    if blind:
        found.append(f"{blind[0]:g} m is out of the range of a depth camera of this kind (RealSense D435: "
                     f"{DepthNoise().min_range:g}-{DepthNoise().max_range:g} m)")
    return found
