"""The detector network: a centre-heatmap and box head on the ImageNet encoder.

Zhou et al., "Objects as Points", 2019: one peak per object at the centre of its box; boxes as distances to the four
sides (Tian et al., "FCOS", ICCV 2019). Boxes are amodal (the whole object, cut at the image's edge): the crop that
follows then keeps its scale when something stands in front. Inputs and outputs: docs/explanation/architecture.md.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from posebot.models.encoder import Encoder, Fusion

STRIDE = 8
CANDIDATES = 100


class DetectorNet(nn.Module):
    """float RGB 0..255 (N, 3, H, W) to class logits (N, C, H/8, W/8) and log distances (N, 4, H/8, W/8) in strides."""

    def __init__(self, classes: int, width: int = 64, frozen_stages: int = 2) -> None:
        super().__init__()
        self.classes, self.width = classes, width
        self.encoder = Encoder(frozen_stages)
        self.fusion = Fusion(width, levels=3)
        self.score = nn.Conv2d(width, classes, 1)
        self.box = nn.Conv2d(width, 4, 1)
        for head in (self.score, self.box):
            nn.init.normal_(head.weight, std=0.002)
        nn.init.constant_(self.score.bias, -4.6)  # type: ignore[arg-type]  # p = 0.01 at the start (focal loss)
        nn.init.constant_(self.box.bias, 1.0)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        shared = self.fusion(self.encoder(images))
        return self.score(shared), self.box(shared).clamp(-4.0, 5.0)


def cell_centers(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Pixel coordinates (x (1, W), y (H, 1)) of the map cells' centres, pixel centres at whole numbers."""
    x = torch.arange(width, device=device, dtype=torch.float32) * STRIDE + (STRIDE - 1) / 2
    y = torch.arange(height, device=device, dtype=torch.float32) * STRIDE + (STRIDE - 1) / 2
    return x[None, :], y[:, None]


def boxes_from_map(log_distances: Tensor) -> Tensor:
    """xyxy boxes (N, 4, H, W) in input pixels from the box head's output."""
    x, y = cell_centers(log_distances.shape[2], log_distances.shape[3], log_distances.device)
    left, top, right, bottom = (log_distances.exp() * STRIDE).unbind(1)
    return torch.stack([x - left, y - top, x + right, y + bottom], dim=1)


class DetectorExport(nn.Module):
    """The network as it is exported: uint8 images in, the best `CANDIDATES` boxes, scores and labels out."""

    input_names = ("image",)
    output_names = ("boxes", "scores", "labels")

    def __init__(self, net: DetectorNet, input_size: tuple[int, int]) -> None:
        super().__init__()
        self.net, self.input_size = net, input_size

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits, log_distances = self.net(image.permute(0, 3, 1, 2).float())
        scores = torch.sigmoid(logits)
        peaks = scores * (F.max_pool2d(scores, 3, 1, 1) == scores).to(scores.dtype)
        cells = logits.shape[2] * logits.shape[3]
        values, indices = peaks.flatten(1).topk(CANDIDATES, dim=1)
        labels = torch.div(indices, cells, rounding_mode="floor")
        boxes = boxes_from_map(log_distances).flatten(2)
        where = (indices - labels * cells).unsqueeze(1).expand(-1, 4, -1)
        return boxes.gather(2, where).transpose(1, 2), values, labels

    def example(self, batch: int = 1) -> tuple[Tensor]:
        return (torch.zeros(batch, *self.input_size, 3, dtype=torch.uint8),)
