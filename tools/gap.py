"""Why a bundle does worse on photographs than on rendered images: which property of the photograph causes it?

    python tools/gap.py --bundle lmo --dataset DATA/lmo --split test --models DATA/lmo/models

The localizer gets the ground-truth box of each object that is hardly occluded, in the photograph "as it is" and in six
variants of it:

- "dimmed": everything but the object darker (a control: what the next variants gain beyond this is not due to the cut)
- "recoloured": the object's pixels with the mean and spread (CIELAB) that they have in a rendering at the true pose
- "tinted": the object's pixels with the hues of that rendering
- "shaded": the object's pixels with the lightness of that rendering
- "cut out": the object in front of another image of the data set
- "drawn": the object rendered in its place, over occluders that the data set does not annotate

Prints for each how well the localizer and the pose stage do, so that a large step says what training images lack:
"recoloured" their range of colours, "tinted" their hues, "shaded" light, texture and shape, "cut out" their
backgrounds, "drawn" the object's whole appearance. --out: a folder for the crops.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from posebot.core.camera import Camera, unproject
from posebot.core.coordinates import coordinate_symmetries, facing
from posebot.core.errors import EXIT_BAD_INPUT, PosebotError
from posebot.core.frame import Frame
from posebot.core.objects import ObjectModel
from posebot.core.transforms import apply, inverse
from posebot.datasets.bop import Annotation, BopDataset
from posebot.datasets.localizer_samples import clip_box
from posebot.evaluation.image_errors import compute_pose_errors
from posebot.evaluation.metrics import EvalModel
from posebot.evaluation.metrics.mspd import MSPD_THRESHOLDS, NORM_WIDTH
from posebot.evaluation.metrics.mssd import MSSD_THRESHOLDS
from posebot.models.bundle import Bundle
from posebot.stages.detect import Detection
from posebot.stages.localize import Localization, refine_crops
from posebot.stages.pipeline import Pipeline
from posebot.synth.config import SynthConfig
from posebot.synth.frame_renderer import load_assets
from posebot.synth.label_renderer import LabelRenderer
from posebot.synth.opengl import OpenGLContext
from posebot.synth.raster_renderer import RasterRenderer
from posebot.synth.scene import Background, CameraEffects, Item, Light, Material, Scene

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]
_DIMMED = 0.7
_LIGHTS = (Light(np.array([0.5, -0.6, 1.2]), (0.8, 0.8, 0.8), 0.1), Light(np.array([-0.7, 0.6, 1.0]), (0.4, 0.4, 0.4)))
_BACKDROP = Background("pattern/3", sky=(0.45, 0.45, 0.45), ground=(0.25, 0.25, 0.25))
KINDS = ("as it is", "dimmed", "recoloured", "tinted", "shaded", "cut out", "drawn")


@dataclass(frozen=True)
class Measurement:
    """Errors of one object in one image.

    Attributes:
        iou: of the amodal mask. coordinates: median error, in diameters. mspd: pixels at an image width of 640.
        mssd: in diameters.
    """

    iou: float
    coordinates: float
    mspd: float
    mssd: float


def variants(photo: Image, rendering: Image, mask: Mask, other: Image) -> dict[str, Image]:
    """The images by kind, from the photograph, the rendering of the object alone, its mask (H, W) and another image."""
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.7)[..., None]

    def blended(inside: Image, outside: Image) -> Image:
        return (inside * soft + outside * (1 - soft)).astype(np.uint8)

    return {"as it is": photo, "dimmed": blended(photo, (photo * _DIMMED).astype(np.uint8)),
            "recoloured": blended(recoloured(photo, rendering, mask), photo),
            "tinted": blended(_combined(photo, rendering), photo),
            "shaded": blended(_combined(rendering, photo), photo),
            "cut out": blended(photo, other), "drawn": blended(rendering, photo)}


def _combined(lightness: Image, hues: Image) -> Image:
    """The lightness of one image and the hues of the other."""
    light, _, _ = cv2.split(cv2.cvtColor(lightness, cv2.COLOR_RGB2LAB))
    _, a, b = cv2.split(cv2.cvtColor(hues, cv2.COLOR_RGB2LAB))
    return np.asarray(cv2.cvtColor(cv2.merge([light, a, b]), cv2.COLOR_LAB2RGB), np.uint8)


def recoloured(image: Image, reference: Image, mask: Mask) -> Image:
    """The image with the mean and spread, in CIELAB, that the reference has under a mask."""
    own, target = (cv2.cvtColor(each, cv2.COLOR_RGB2LAB).astype(np.float32) for each in (image, reference))
    scaled = (own - own[mask].mean(axis=0)) / (own[mask].std(axis=0) + 1) * (target[mask].std(axis=0) + 1)
    lab = np.clip(scaled + target[mask].mean(axis=0), 0, 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.uint8)


class _Prober:
    def __init__(self, bundle: Bundle, models: Path, options: argparse.Namespace) -> None:
        self.options, self.pipeline = options, Pipeline(bundle, depth=False, fuse=False)
        library = load_assets(SynthConfig(models, 1, models))
        gl = OpenGLContext(library)
        self.renderer, self.label_renderer = RasterRenderer(gl, samples=4), LabelRenderer(gl)
        self.box_jitter = bundle.manifest.localizer.box_jitter
        self.models = {model.obj_id: model for model in bundle.objects}
        self.classes = {model.obj_id: index for index, model in enumerate(bundle.objects)
                        if model.obj_id in library.objects}
        self.eval_models = {model.obj_id: EvalModel.of(model) for model in bundle.objects}
        self.measurements: dict[tuple[str, int], list[Measurement]] = {}

    def probe(self, frame: Frame, truth: Annotation, other: Image) -> None:
        """Measure one object in all variants of its image."""
        item = Item(f"obj/{truth.obj_id}", np.eye(4), Material(), truth.obj_id)
        scene = Scene(frame.camera, inverse(truth.cam_from_obj), (item,), _LIGHTS, _BACKDROP,
                      CameraEffects(noise=0.005, blur_px=0.5), radius=0.3)
        mask = self.label_renderer.render(scene).ground_truths[0].mask
        box = clip_box(truth.box_amodal, frame.camera)
        for kind, image in variants(frame.rgb, self.renderer.render(scene), mask, other).items():
            detection = Detection(self.classes[truth.obj_id], 1.0, box)
            [localization] = refine_crops(self.pipeline.localizer, image, [detection], self.box_jitter)
            measurement = self._measure(replace(frame, rgb=image), truth, localization)
            self.measurements.setdefault((kind, truth.obj_id), []).append(measurement)
            if self.options.out:
                name = f"{frame.frame_id.replace('/', '-')}-{truth.index}-{kind.replace(' ', '-')}.png"
                cv2.imwrite(str(self.options.out / name), cv2.cvtColor(localization.crop, cv2.COLOR_RGB2BGR))

    def _measure(self, frame: Frame, truth: Annotation, localization: Localization) -> Measurement:
        K = localization.resampled(len(localization.visible)) @ frame.camera.K
        iou, coordinates = self._localization_errors(truth, localization, K)
        pose = self.pipeline.solver(frame, localization, False).pose
        if pose is None:
            return Measurement(iou, coordinates, np.inf, np.inf)
        eval_model = self.eval_models[truth.obj_id]
        errors = compute_pose_errors(pose[None], truth.cam_from_obj[None], eval_model, frame.camera.K, None)
        return Measurement(iou, coordinates, float(errors["mspd"][0, 0]) * NORM_WIDTH / frame.camera.width,
                           float(errors["mssd"][0, 0]) / eval_model.model.diameter)

    def _localization_errors(self, truth: Annotation, localization: Localization, K: NDArray[np.float64]
                             ) -> tuple[float, float]:
        size, model = len(localization.visible), self.models[truth.obj_id]
        scene = Scene(Camera(K, size, size), inverse(truth.cam_from_obj),
                      (Item(f"obj/{truth.obj_id}", np.eye(4)),), (), _BACKDROP)
        depth = self.label_renderer.render_depth(scene)
        silhouette, amodal = depth > 0, localization.amodal > 0.5
        error = coordinate_error(localization, truth, model, unproject(K, depth)[silhouette], silhouette)
        return float((amodal & silhouette).sum() / max((amodal | silhouette).sum(), 1)), error


def coordinate_error(localization: Localization, truth: Annotation, model: ObjectModel, points: NDArray[np.float64],
                     silhouette: Mask) -> float:
    """Median error of the coordinates in diameters, the minimum over the object's symmetries.

    points: (N, 3) camera frame, of the object's surface at the N pixels of the mask `silhouette`.
    """
    pose = truth.cam_from_obj @ facing(model, truth.cam_from_obj)
    true = model.normalise(apply(inverse(pose), points))
    predicted = localization.coordinates[:, silhouette].T
    return min(float(np.median(np.linalg.norm((predicted - true @ sym[:, :3].T - sym[:, 3]) * model.extents, axis=1)))
               for sym in coordinate_symmetries(model)) / model.diameter


def table(measurements: dict[tuple[str, int], list[Measurement]]) -> list[str]:
    """One line a kind: means over all measurements, and MSPD recall of each object."""
    lines = [f"{'':10s}  amodal IoU  coordinates  MSPD  MSSD   MSPD by object"]
    numbers = sorted({obj_id for _, obj_id in measurements})

    def recall(group: list[Measurement], name: str, thresholds: NDArray[np.float64]) -> float:
        return 100 * float((np.array([getattr(one, name) for one in group])[:, None] < thresholds).mean())

    for kind in KINDS:
        every = [one for obj_id in numbers for one in measurements[kind, obj_id]]
        iou, error = (float(np.mean([getattr(one, name) for one in every])) for name in ("iou", "coordinates"))
        each = "  ".join(f"{obj_id}: {recall(measurements[kind, obj_id], 'mspd', MSPD_THRESHOLDS):.0f}"
                         for obj_id in numbers)
        lines.append(f"{kind:10s}  {iou:10.2f}  {error:11.3f}  {recall(every, 'mspd', MSPD_THRESHOLDS):4.1f}  "
                     f"{recall(every, 'mssd', MSSD_THRESHOLDS):4.1f}   {each}")
    return lines


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", required=True)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--split", default="test")
    parser.add_argument("--models", type=Path, help="full meshes to render; default: those of the data set")
    parser.add_argument("--visible", type=float, default=0.9, help="minimum visible share of an object")
    parser.add_argument("--every", type=int, default=1, help="N: every N-th image only")
    parser.add_argument("--out", type=Path, help="folder for the crops")
    options = parser.parse_args()
    try:
        dataset = BopDataset(options.dataset, options.split)
        prober = _Prober(Bundle.open(options.bundle), options.models or dataset.models_dir, options)
        if options.out:
            options.out.mkdir(parents=True, exist_ok=True)
        keys = list(dataset.keys())[::options.every]
        for number, key in enumerate(keys):
            frame, other = dataset.frame(key), dataset.frame(keys[number - len(keys) // 2]).rgb
            for truth in dataset.annotations(key):
                if truth.obj_id in prober.classes and truth.visib_fract >= options.visible:
                    prober.probe(frame, truth, cv2.resize(other, frame.rgb.shape[1::-1]))
    except PosebotError as error:
        print(f"gap: error: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    if not prober.measurements:
        print(f"gap: error: {options.dataset}: no object is {options.visible:.0%} visible; lower --visible",
              file=sys.stderr)
        return EXIT_BAD_INPUT
    count = sum(len(group) for (kind, _), group in prober.measurements.items() if kind == KINDS[0])
    print(f"{len(keys)} images, {count} objects")
    print("\n".join(table(prober.measurements)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
