"""Why a bundle does worse on photographs than on rendered pictures: which part of the photograph is it?

    python tools/gap.py --bundle lmo --dataset DATA/lmo --split test --models DATA/lmo/models

Each object that is hardly hidden is looked at in its true box, in its picture as it is and in six others made from it:
"dimmed": all but the object darker (whatever the next ones gain beyond this is not the trace of a cut-out);
"recoloured": the object's pixels given the mean and spread (CIELAB) that they have when the object is drawn at its true
pose; "tinted": given the hues of that drawing, "shaded": its lightness, pixel by pixel; "cut out": the object before
another picture of the set; "drawn": the object drawn where it is, over things in front of it that the set does not
know. Prints for each how well the localizer and the pose stage do, so that a large step says what training pictures
lack: "recoloured" their range of colours, "tinted" their hues, "shaded" light, print and shape, "cut out" their
surroundings, "drawn" all of the object's look. --out: a folder for the crops.
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

Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]
_DIMMED = 0.7
_LIGHTS = (Light(np.array([0.5, -0.6, 1.2]), (0.8, 0.8, 0.8), 0.1), Light(np.array([-0.7, 0.6, 1.0]), (0.4, 0.4, 0.4)))
_BACKDROP = Background("pattern/3", sky=(0.45, 0.45, 0.45), ground=(0.25, 0.25, 0.25))
KINDS = ("as it is", "dimmed", "recoloured", "tinted", "shaded", "cut out", "drawn")


@dataclass(frozen=True)
class Look:
    """What one look at one object was worth: IoU of the amodal mask, median coordinate error in diameters, MSPD in
    pixels at 640 wide, MSSD in diameters."""

    iou: float
    coordinates: float
    mspd: float
    mssd: float


def variants(photo: Picture, drawing: Picture, mask: Mask, other: Picture) -> dict[str, Picture]:
    """The pictures by kind, from the photograph, the drawing of the object alone and its mask (H, W)."""
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.7)[..., None]

    def mixed(inside: Picture, outside: Picture) -> Picture:
        return (inside * soft + outside * (1 - soft)).astype(np.uint8)

    return {"as it is": photo, "dimmed": mixed(photo, (photo * _DIMMED).astype(np.uint8)),
            "recoloured": mixed(recoloured(photo, drawing, mask), photo),
            "tinted": mixed(_joined(photo, drawing), photo), "shaded": mixed(_joined(drawing, photo), photo),
            "cut out": mixed(photo, other), "drawn": mixed(drawing, photo)}


def _joined(lightness: Picture, hues: Picture) -> Picture:
    """The lightness of one picture and the hues of the other."""
    light, _, _ = cv2.split(cv2.cvtColor(lightness, cv2.COLOR_RGB2LAB))
    _, a, b = cv2.split(cv2.cvtColor(hues, cv2.COLOR_RGB2LAB))
    return np.asarray(cv2.cvtColor(cv2.merge([light, a, b]), cv2.COLOR_LAB2RGB), np.uint8)


def recoloured(picture: Picture, like: Picture, mask: Mask) -> Picture:
    """The picture with mean and spread, in CIELAB, that another one has under a mask."""
    own, wanted = (cv2.cvtColor(each, cv2.COLOR_RGB2LAB).astype(np.float32) for each in (picture, like))
    moved = (own - own[mask].mean(axis=0)) / (own[mask].std(axis=0) + 1) * (wanted[mask].std(axis=0) + 1)
    lab = np.clip(moved + wanted[mask].mean(axis=0), 0, 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.uint8)


class _Prober:
    def __init__(self, bundle: Bundle, models: Path, options: argparse.Namespace) -> None:
        self.options, self.pipeline = options, Pipeline(bundle, depth=False, fuse=False)
        library = load_assets(SynthConfig(models, 1, models))
        gl = OpenGLContext(library)
        self.renderer, self.label_renderer = RasterRenderer(gl, samples=4), LabelRenderer(gl)
        self.reach = bundle.manifest.localizer.box_jitter
        self.models = {model.obj_id: model for model in bundle.objects}
        self.classes = {model.obj_id: index for index, model in enumerate(bundle.objects)
                        if model.obj_id in library.objects}
        self.sticks = {model.obj_id: EvalModel.of(model) for model in bundle.objects}
        self.looks: dict[tuple[str, int], list[Look]] = {}

    def probe(self, frame: Frame, truth: Annotation, other: Picture) -> None:
        """Look at one object in all variants of its picture."""
        item = Item(f"obj/{truth.obj_id}", np.eye(4), Material(), truth.obj_id)
        scene = Scene(frame.camera, inverse(truth.cam_from_obj), (item,), _LIGHTS, _BACKDROP,
                      CameraEffects(noise=0.005, blur_px=0.5), radius=0.3)
        mask = self.label_renderer.render(scene).ground_truths[0].mask
        box = clip_box(truth.box_amodal, frame.camera)
        for kind, picture in variants(frame.rgb, self.renderer.render(scene), mask, other).items():
            found = refine_crops(self.pipeline.localizer, picture, [Detection(self.classes[truth.obj_id], 1.0, box)],
                             self.reach)[0]
            look = self._judged(replace(frame, rgb=picture), truth, found)
            self.looks.setdefault((kind, truth.obj_id), []).append(look)
            if self.options.out:
                name = f"{frame.frame_id.replace('/', '-')}-{truth.index}-{kind.replace(' ', '-')}.png"
                cv2.imwrite(str(self.options.out / name), cv2.cvtColor(found.crop, cv2.COLOR_RGB2BGR))

    def _judged(self, frame: Frame, truth: Annotation, found: Localization) -> Look:
        iou, coordinates = self._localized(truth, found, found.resampled(len(found.visible)) @ frame.camera.K)
        pose = self.pipeline.solver(frame, found, False).pose
        if pose is None:
            return Look(iou, coordinates, np.inf, np.inf)
        stick = self.sticks[truth.obj_id]
        errors = compute_pose_errors(pose[None], truth.cam_from_obj[None], stick, frame.camera.K, None)
        return Look(iou, coordinates, float(errors["mspd"][0, 0]) * NORM_WIDTH / frame.camera.width,
                    float(errors["mssd"][0, 0]) / stick.model.diameter)

    def _localized(self, truth: Annotation, found: Localization, K: NDArray[np.float64]) -> tuple[float, float]:
        size, model = len(found.visible), self.models[truth.obj_id]
        scene = Scene(Camera(K, size, size), inverse(truth.cam_from_obj),
                      (Item(f"obj/{truth.obj_id}", np.eye(4)),), (), _BACKDROP)
        depth = self.label_renderer.render_depth(scene)
        there, amodal = depth > 0, found.amodal > 0.5
        errors = coordinate_errors(found, truth, model, unproject(K, depth)[there], there)
        return float((amodal & there).sum() / max((amodal | there).sum(), 1)), errors


def coordinate_errors(found: Localization, truth: Annotation, model: ObjectModel, points: NDArray[np.float64],
                      there: Mask) -> float:
    """Median error of the coordinates in diameters, the least over the object's symmetries.

    points: (N, 3) camera frame, of the object's surface at the N pixels of the mask `there`.
    """
    pose = truth.cam_from_obj @ facing(model, truth.cam_from_obj)
    right = model.normalise(apply(inverse(pose), points))
    guessed = found.coordinates[:, there].T
    return min(float(np.median(np.linalg.norm((guessed - right @ turn[:, :3].T - turn[:, 3]) * model.extents, axis=1)))
               for turn in coordinate_symmetries(model)) / model.diameter


def table(looks: dict[tuple[str, int], list[Look]]) -> list[str]:
    """One line a kind: means over all looks, and MSPD recall of each object."""
    lines = [f"{'':10s}  amodal IoU  coordinates  MSPD  MSSD   MSPD by object"]
    numbers = sorted({obj_id for _, obj_id in looks})

    def recall(some: list[Look], name: str, limits: NDArray[np.float64]) -> float:
        return 100 * float((np.array([getattr(look, name) for look in some])[:, None] < limits).mean())

    for kind in KINDS:
        every = [look for obj_id in numbers for look in looks[kind, obj_id]]
        iou, error = (float(np.mean([getattr(look, name) for look in every])) for name in ("iou", "coordinates"))
        each = "  ".join(f"{obj_id}: {recall(looks[kind, obj_id], 'mspd', MSPD_THRESHOLDS):.0f}" for obj_id in numbers)
        lines.append(f"{kind:10s}  {iou:10.2f}  {error:11.3f}  {recall(every, 'mspd', MSPD_THRESHOLDS):4.1f}  "
                     f"{recall(every, 'mssd', MSSD_THRESHOLDS):4.1f}   {each}")
    return lines


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", required=True)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--split", default="test")
    parser.add_argument("--models", type=Path, help="full meshes to draw; default: those of the data set")
    parser.add_argument("--visible", type=float, default=0.9, help="least visible share of an object")
    parser.add_argument("--every", type=int, default=1, help="take each so-manieth picture")
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
    if not prober.looks:
        print(f"gap: error: {options.dataset}: no object is {options.visible:.0%} visible; lower --visible",
              file=sys.stderr)
        return EXIT_BAD_INPUT
    count = sum(len(looks) for (kind, _), looks in prober.looks.items() if kind == KINDS[0])
    print(f"{len(keys)} pictures, {count} objects")
    print("\n".join(table(prober.looks)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
