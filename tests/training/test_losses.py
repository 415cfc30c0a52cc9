"""What the networks are asked to learn: samples, targets and losses."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from posebot.datasets.detector_samples import BOX_DTYPE, MAX_BOXES, OUTLINE_POINTS
from posebot.datasets.localizer_samples import AMODAL, CROP_META, MAP_SIZE, VISIBLE
from posebot.models.detector_net import boxes_from_map
from posebot.models.localizer_net import RawMaps
from posebot.training import localizer
from posebot.training.detectors import heatmap_samples as detector

IDENTITY = np.eye(3, 4, dtype=np.float32)[None]


def crop(seed: int = 0, label: int = 0) -> dict[str, np.ndarray]:
    """A cached crop whose coordinates name their own place: x = column, y = row."""
    meta = np.zeros((), CROP_META)
    meta["label"] = label
    meta["box"], meta["origin"], meta["pixel"], meta["log_z"] = [45, 45, 146, 146], [100, 90], 1.5, -1.0
    ramp = np.linspace(0, 255, MAP_SIZE).astype(np.uint8)
    columns, rows = np.meshgrid(ramp, ramp)
    bits = np.zeros((MAP_SIZE, MAP_SIZE), np.uint8)
    bits[24:72, 24:72] = VISIBLE | AMODAL
    rgb = np.random.default_rng(seed).integers(0, 256, (192, 192, 3)).astype(np.uint8)
    return {"rgb": rgb, "maps": np.dstack([columns, rows, columns, bits]), "meta": meta}


def test_sample_keeps_picture_maps_and_center_in_step() -> None:
    settings = localizer.SampleConfig(box_jitter=0.0, turn=0.0, replace_background=0.0, cover=0.0, relit=0.0)
    batch = localizer.sample(crop(), crop(1), settings, np.random.default_rng(0))
    assert batch["crop"].shape == (3, 128, 128) and batch["maps"].shape == (4, 32, 32)
    seen = np.argwhere(batch["maps"][3] & VISIBLE > 0)
    scale = 128 / (1.25 * 101)
    expected = ((seen[:, 1] * 4 + 1.5 - 63.5) / scale + 95.5 - 0.5) / 2 * 255 / (MAP_SIZE - 1)
    assert np.abs(batch["maps"][0, seen[:, 0], seen[:, 1]] - expected).max() < 4  # nearest of 96 columns
    assert batch["center"][:2] == pytest.approx([(100 - 95.5) * scale / 128, (90 - 95.5) * scale / 128], abs=1e-4)
    assert batch["center"][2] == pytest.approx(-1.0 + np.log(1.25 * 101 * 1.5), abs=1e-4)


@pytest.mark.parametrize("label", [0, 1], ids=["blobs alone", "another thing"])
def test_covering_hides_but_keeps_the_whole(label: int) -> None:
    settings = localizer.SampleConfig(box_jitter=0.0, turn=0.0, replace_background=0.0, cover=1.0)
    hidden = 0
    for seed in range(8):
        batch = localizer.sample(crop(), crop(1, label), settings, np.random.default_rng(seed))
        visible, amodal = batch["maps"][3] & VISIBLE > 0, batch["maps"][3] & AMODAL > 0
        assert not (visible & ~amodal).any() and visible.sum() >= amodal.sum() / 4
        hidden += int((amodal & ~visible).sum())
    assert hidden > 20


def test_relighting_changes_the_object_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(localizer.augment, "photometric", lambda picture, rng: picture)
    still = localizer.SampleConfig(box_jitter=0.0, turn=0.0, replace_background=0.0, cover=0.0)
    made = [localizer.sample(crop(), crop(1), replace(still, relit=share), np.random.default_rng(3))
            for share in (0.0, 1.0)]
    assert np.array_equal(made[0]["maps"], made[1]["maps"])
    change = np.abs(made[0]["crop"].astype(int) - made[1]["crop"]).mean(axis=0)
    inside = np.kron(made[0]["maps"][3] & VISIBLE, np.ones((4, 4))) > 0
    near = cv2.dilate(inside.astype(np.uint8), np.ones((13, 13), np.uint8)) > 0
    assert change[inside].mean() > 8
    assert change[~near].max() == 0


class Fixed(nn.Module):
    def __init__(self, maps: RawMaps) -> None:
        super().__init__()
        self.maps = maps

    def forward(self, crops: Tensor, classes: Tensor) -> RawMaps:
        return self.maps


def bins_for(truth: Tensor, count: int = 16) -> Tensor:
    place = truth * (count - 1)
    positions = torch.arange(count).view(1, 1, -1, 1, 1)
    return torch.log((1 - (positions - place.unsqueeze(2)).abs()).clamp(min=1e-6))


def loss_of(predicted: Tensor, truth: Tensor, symmetries: np.ndarray) -> dict[str, Tensor]:
    bits = torch.full((1, 1, 8, 8), VISIBLE | AMODAL, dtype=torch.uint8)
    batch = {
        "crop": torch.zeros(1, 3, 32, 32),
        "label": torch.zeros(1, dtype=torch.int64),
        "center": torch.zeros(1, 3),
        "maps": torch.cat([(truth * 255).round().to(torch.uint8), bits], dim=1),
    }
    raw = RawMaps(torch.full((1, 2, 8, 8), 9.0), bins_for(predicted), torch.full((1, 8, 8), -3.0), torch.zeros(1, 3))
    return localizer.LocalizerLoss([symmetries], np.ones((1, 3), np.float32))(Fixed(raw), batch)


def test_symmetric_answers_cost_the_same() -> None:
    truth = (torch.rand(1, 3, 8, 8) * 255).round() / 255
    flipped = torch.cat([1 - truth[:, :2], truth[:, 2:]], dim=1)
    half_turn = np.array([[[-1, 0, 0, 1], [0, -1, 0, 1], [0, 0, 1, 0]]], np.float32)
    both = np.concatenate([IDENTITY, half_turn])
    right, turned = loss_of(truth, truth, both), loss_of(flipped, truth, both)
    assert float(turned["coordinates"]) == pytest.approx(float(right["coordinates"]), rel=1e-3)
    assert float(turned["error"]) < 0.01 < 0.3 < float(loss_of(flipped, truth, IDENTITY)["error"])
    assert float(loss_of(flipped, truth, IDENTITY)["coordinates"]) > 2 * float(right["coordinates"])


def picture() -> dict[str, np.ndarray]:
    boxes = np.zeros(MAX_BOXES, BOX_DTYPE)
    boxes["label"] = -1
    owner = np.zeros((128, 160), np.uint8)
    for row, label, visible, (x0, y0, x1, y1) in ((0, 1, 1.0, (30, 40, 70, 90)), (1, 0, 0.02, (100, 20, 140, 60))):
        rim = np.resize([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], (OUTLINE_POINTS, 2))
        boxes[row] = (label, visible, (x0, y0, x1, y1), rim)
        if visible > 0.5:
            owner[y0:y1 + 1, x0:x1 + 1] = row + 1
    return {"image": np.zeros((128, 160, 3), np.uint8), "boxes": boxes, "owner": owner}


def test_detector_sample_moves_boxes_with_the_picture() -> None:
    still = np.array([[1.0, 0, 0], [0, 1, 0]])
    boxes, labels = detector._moved(picture()["boxes"], still, 160, 128)
    assert boxes[0].tolist() == [30, 40, 70, 90] and labels[:3].tolist() == [1, detector.IGNORED, detector.NOTHING]
    boxes, labels = detector._moved(picture()["boxes"], np.array([[1.0, 0, 5], [0, 1, -3]]), 160, 128)
    assert boxes[0].tolist() == [35, 37, 75, 87] and labels[0] == 1


def test_targets_are_the_boxes_that_the_head_decodes() -> None:
    batch = detector.sample(picture(), picture(), detector.SampleConfig(2, 0, 0, 0, 0, 0), np.random.default_rng(0))
    heat, truth, weight = (torch.from_numpy(batch[name])[None] for name in ("heat", "truth", "weight"))
    peak = np.unravel_index(int(heat[0, 1].argmax()), (16, 20))
    assert heat[0, 1].max() == 1.0 and peak == (8, 6)  # box centre (50, 65) lies in cell 65 // 8, 50 // 8
    assert (heat[0, :, 3:6, 13:17] == -1).all(), "an almost hidden object is neither this nor that"
    y, x = peak
    distances = torch.log((truth[0, :, y, x] - boxes_from_map(torch.full((1, 4, 16, 20), -30.0))[0, :, y, x]).abs() / 8)
    decoded = boxes_from_map(distances.view(1, 4, 1, 1).expand(1, 4, 16, 20))[0, :, y, x]
    assert torch.allclose(decoded, torch.tensor([30.0, 40, 70, 90]), atol=1e-3) and weight[0, y, x] == 1


def test_giou_is_one_at_the_truth_and_falls_below_zero_apart() -> None:
    a = torch.tensor([0.0, 0, 4, 4]).view(1, 4, 1, 1)
    assert detector.giou(a, a).item() == pytest.approx(1) and detector.giou(a, a + 10).item() < 0
