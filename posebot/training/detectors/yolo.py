"""A trainer of the detector: Ultralytics YOLO, nano, from scratch. Only this file imports ultralytics.

The network is built from the YAML file inside the package and starts without weights; nothing is downloaded, and
settings, caches and runs stay in the folder that is given. What comes out obeys the detector's contract
(docs/explanation/architecture.md), so inference does not know who trained it. The one-to-one head leaves no
duplicates to remove.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from torch import Tensor, nn

from posebot.core.errors import PosebotError
from posebot.datasets.detector_samples import MIN_VISIBLE
from posebot.datasets.sample_cache import SampleCache
from posebot.training.export import ExportView
from posebot.training.job import Job
from posebot.training.loop import Batch, Hooks
from posebot.training.start import start_weights

NETWORK = "yolo26n.yaml"
CANDIDATES = 100
OnEpoch = Callable[[int, Mapping[str, float]], None]


class YoloTrainer:
    """Trains YOLO in one process; several of them would write the same files."""

    distributed = False

    def train(self, job: Job, hooks: Hooks, rank: int = 0, stream: Iterator[Batch] | None = None) -> None:
        own, samples = job.config.detector, SampleCache(job.cache)
        data = write_yolo_dataset(job.out / "yolo", samples, job.labels)
        epochs = math.ceil(own.pictures / max(len(samples), 1)) if own.pictures else 10_000
        seconds = own.minutes * 60 if own.minutes else math.inf
        start = start_weights(job.start, job.network, "yolo")[0] if job.start is not None else {}
        train(data, job.out, own.input_size, seconds, own.batch, epochs, job.config.seed, start_state(start),
              on_epoch=lambda epoch, metrics: hooks.report((epoch + 1) / epochs, dict(metrics)))

    def trained(self, job: Job) -> ExportView:
        return trained(job.out, job.config.detector.input_size)

    def spent(self, job: Job) -> dict[str, float]:
        return {"minutes": round(float((job.out / "seconds").read_text()) / 60, 2)}


class YoloExport(nn.Module):
    """The trained network as it is exported: uint8 images in, the best `CANDIDATES` boxes, scores and labels out."""

    input_names = ("image",)
    output_names = ("boxes", "scores", "labels")

    def __init__(self, net: nn.Module, input_size: tuple[int, int]) -> None:
        super().__init__()
        self.net, self.input_size = net.float().eval(), input_size
        head: Any = net.model[-1]  # type: ignore[index]
        head.end2end, head.max_det, head.export, head.dynamic = True, CANDIDATES, True, False

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        found = self.net(image.permute(0, 3, 1, 2).float() / 255)
        # YOLO counts from pixel corners, posebot from pixel centres
        return found[..., :4] - 0.5, found[..., 4], found[..., 5].long()

    def example(self, batch: int = 1) -> tuple[Tensor]:
        return (torch.zeros(batch, *self.input_size, 3, dtype=torch.uint8),)


def write_yolo_dataset(out: Path, samples: SampleCache, names: Sequence[str], held_out: int = 50) -> Path:
    """Cached detector samples (`datasets.detector_samples`) as Ultralytics reads them: images, labels, data.yaml.

    Images have the detector's size, which saves resizing them in every epoch.

    Args:
        names: of the classes. held_out: one of so many images is kept for validation.
    Returns:
        The path of `data.yaml`.
    """
    for split in ("train", "val"):
        (out / "images" / split).mkdir(parents=True, exist_ok=True)
        (out / "labels" / split).mkdir(parents=True, exist_ok=True)
    for index in range(len(samples)):
        name = f"{'val' if index % held_out == 0 else 'train'}/{index:07d}"
        text = out / "labels" / f"{name}.txt"
        if text.exists():
            continue
        sample = samples.sample(index)
        cv2.imwrite(str(out / "images" / f"{name}.jpg"), sample["image"][..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
        text.write_text(label_lines(sample["boxes"], sample["image"].shape[:2]))
    path = out / "data.yaml"
    path.write_text(yaml.safe_dump({"path": str(out.resolve()), "train": "images/train", "val": "images/val",
                                    "names": dict(enumerate(names))}))
    return path


def label_lines(boxes: NDArray[Any], size: tuple[int, int]) -> str:
    """`class x y width height` of each box, in shares of the image; `boxes` as `frames.BOX`, size (height, width)."""
    lines = []
    for row in boxes[(boxes["label"] >= 0) & (boxes["visible"] >= MIN_VISIBLE)]:
        x0, y0, x1, y1 = (row["xyxy"].astype(float) + 0.5) / np.tile(size[::-1], 2)
        numbers = ((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0)
        lines.append(f"{row['label']} " + " ".join(f"{number:.6f}" for number in numbers) + "\n")
    return "".join(lines)


def train(data_yaml: Path, out: Path, input_size: tuple[int, int], seconds: float, batch: int = 16, epochs: int = 1000,
          seed: int = 0, start: Mapping[str, Tensor] | None = None, on_epoch: OnEpoch | None = None) -> YoloExport:
    """Train for so many seconds (or epochs, whichever ends first); a killed run goes on from its last epoch.

    Args:
        input_size: (height, width), multiples of 32; training images are squares of the longer side.
        start: weights to start with, see `start_state`. on_epoch: called with the epoch and its metrics.
    Raises:
        PosebotError: ultralytics is not installed.
    """
    yolo_class = _yolo(out / "settings")
    last = out / "run" / "weights" / "last.pt"
    spent = out / "seconds"
    seconds -= float(spent.read_text()) if spent.exists() else 0.0
    if not last.exists():
        model = yolo_class(NETWORK, task="detect", verbose=False)
    elif seconds <= 0 or _finished(last):
        return trained(out, input_size)
    else:
        model = yolo_class(str(last), task="detect")
    if start and not last.exists():
        model.add_callback("on_pretrain_routine_end", lambda run: run.model.load_state_dict(start, strict=False))
    _watch(model, spent, seconds, on_epoch)
    model.train(data=str(data_yaml), project=str(out.resolve()), name="run", exist_ok=True, resume=last.exists(),
                imgsz=max(input_size), epochs=epochs, batch=batch, seed=seed, pretrained=False, plots=False, amp=False,
                val=False, verbose=False, workers=0, deterministic=False, close_mosaic=0,
                device=0 if torch.cuda.is_available() else "cpu")
    return trained(out, input_size)


def trained(out: Path, input_size: tuple[int, int]) -> YoloExport:
    """What `train` left in `out`."""
    last = out / "run" / "weights" / "last.pt"
    return YoloExport(_yolo(out / "settings")(str(last), task="detect").model, input_size)


def start_state(exported: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights to start with, from those of an exported network (`initializers.state_from_onnx`).

    The export holds the one-to-one head alone; the one-to-many head, which only training uses, starts as a copy of it.
    """
    return {**{name.replace(".one2one_", "."): value for name, value in exported.items()}, **exported}


def _watch(model: Any, spent: Path, seconds: float, on_epoch: OnEpoch | None) -> None:
    """Stop after `seconds`, note the time used after each epoch, and pass its losses on."""
    before = float(spent.read_text()) if spent.exists() else 0.0
    begin = time.monotonic()

    def after_epoch(trainer: Any) -> None:
        used = time.monotonic() - begin
        spent.write_text(f"{before + used:.1f}")
        trainer.stop = trainer.stop or used > seconds
        if on_epoch is not None:
            losses = trainer.label_loss_items(trainer.tloss)
            on_epoch(trainer.epoch, {name: float(value) for name, value in losses.items()})

    model.add_callback("on_model_save", after_epoch)


def _finished(checkpoint: Path) -> bool:
    """Whether Ultralytics has closed this training (it then drops the optimizer's state, and cannot go on)."""
    return bool(torch.load(checkpoint, map_location="cpu", weights_only=False).get("epoch", -1) == -1)


def _yolo(home: Path) -> Any:
    """The `YOLO` class of ultralytics, offline, silent, and with its settings in `home`.

    On import it puts its own functions in the place of some of PIL's and OpenCV's; the original ones are put back.
    """
    import PIL.Image

    theirs = PIL.Image.open, cv2.imread, cv2.imwrite, cv2.imshow
    home.mkdir(parents=True, exist_ok=True)
    os.environ.update(YOLO_OFFLINE="true", YOLO_AUTOINSTALL="false", YOLO_VERBOSE="false",
                      YOLO_CONFIG_DIR=str(home.resolve()))
    try:
        from ultralytics import settings
        from ultralytics.models import YOLO
        from ultralytics.utils import LOGGER
    except ImportError as error:
        raise PosebotError(f"the YOLO trainer needs ultralytics ({error}): pip install 'posebot[yolo]'",
                           code="missing_extra") from error
    PIL.Image.open, cv2.imread, cv2.imwrite, cv2.imshow = theirs
    LOGGER.setLevel(logging.WARNING)
    settings.update({"sync": False, "mlflow": False, "runs_dir": str(home), "datasets_dir": str(home),
                     "weights_dir": str(home)})
    return YOLO
