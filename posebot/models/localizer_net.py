"""The localizer network: object coordinates and their uncertainty for every pixel of a crop.

Dense coordinates with classified bins (Li et al., "CDPN", ICCV 2019; Hodan et al., "EPOS", CVPR 2020): each axis of the
object's bounding box is a distribution over bins, trained on the two bins nearest to the truth (as the distribution
focal loss of Li et al., NeurIPS 2020). Plain regression shrinks to the mean while it is unsure; the peak of a
distribution does not. Inputs and outputs: docs/explanation/architecture.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from posebot.models.encoder import CHANNELS, Encoder, Fusion

STRIDE = 4
MASKS = 2  # visible, amodal


@dataclass(frozen=True)
class RawMaps:
    """What the loss sees: logits of visible and amodal mask (N, 2, M, M), of the coordinate bins (N, 3, bins, M, M),
    log of the coordinate error's Laplace scale in diameters (N, M, M), and center (N, 3)."""

    masks: Tensor
    bins: Tensor
    log_scale: Tensor
    center: Tensor


class LocalizerNet(nn.Module):
    """One network for all objects of a bundle; the last layers' weights are chosen by class.

    Args:
        classes: number of objects. bins: per axis. width: channels of the pyramid. crop_size: pixels, multiple of 32.
    """

    def __init__(
        self, classes: int, bins: int = 16, width: int = 64, crop_size: int = 128, frozen_stages: int = 2
    ) -> None:
        super().__init__()
        self.classes, self.bins, self.width, self.crop_size = classes, bins, width, crop_size
        self.encoder = Encoder(frozen_stages)
        self.fusion = Fusion(width, levels=4)
        outputs = MASKS + 3 * bins + 1
        self.map_weight = nn.Parameter(torch.randn(classes, outputs, width) * 0.1 * width**-0.5)
        self.map_bias = nn.Parameter(torch.zeros(classes, outputs))
        cells = (crop_size // 32) ** 2
        self.center_reduce = nn.Conv2d(CHANNELS[-1], 32, 1)
        self.center_hidden = nn.Linear(32 * cells, 128)
        self.center_weight = nn.Parameter(torch.randn(classes, 3, 128) * 0.02)
        self.center_bias = nn.Parameter(torch.zeros(classes, 3))

    def forward(self, crops: Tensor, classes: Tensor) -> RawMaps:
        """crops: float RGB 0..255 (N, 3, S, S); classes: int64 (N,)."""
        features = self.encoder(crops)
        shared = self.fusion(features)
        side = self.crop_size // STRIDE
        flat = self.map_weight[classes] @ shared.flatten(2) + self.map_bias[classes].unsqueeze(-1)
        masks, bins, log_scale = flat.split([MASKS, 3 * self.bins, 1], dim=1)
        hidden = torch.relu(self.center_hidden(torch.relu(self.center_reduce(features[-1])).flatten(1)))
        center = (self.center_weight[classes] @ hidden.unsqueeze(-1)).squeeze(-1) + self.center_bias[classes]
        return RawMaps(
            masks.unflatten(2, (side, side)),
            bins.unflatten(2, (side, side)).unflatten(1, (3, self.bins)),
            log_scale.unflatten(2, (side, side)).squeeze(1),
            center,
        )


def decode_bins(bins: Tensor) -> Tensor:
    """Coordinates (N, 3, M, M) in 0..1 from the bins' probabilities (N, 3, bins, M, M).

    The expectation over the peak and its two neighbours: exact where the truth's two bins are found, and another mode
    elsewhere does not pull at it. Bin centres are at 0, 1/(bins-1), ..., 1.
    """
    count = bins.shape[2]
    positions = torch.arange(count, device=bins.device, dtype=bins.dtype).view(1, 1, count, 1, 1)
    peak = bins.argmax(dim=2, keepdim=True).to(bins.dtype)
    weight = bins * ((positions - peak).abs() < 1.5).to(bins.dtype)
    return (weight * positions).sum(dim=2) / (weight.sum(dim=2) * (count - 1))


class LocalizerExport(nn.Module):
    """The network as it is exported: uint8 crops in, decoded maps out (docs/explanation/architecture.md)."""

    input_names = ("crops", "classes")
    output_names = ("visible", "amodal", "coordinates", "scale", "center", "bins")

    def __init__(self, net: LocalizerNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, crops: Tensor, classes: Tensor) -> tuple[Tensor, ...]:
        raw = self.net(crops.permute(0, 3, 1, 2).float(), classes)
        masks, bins = torch.sigmoid(raw.masks), torch.softmax(raw.bins, dim=2)
        return masks[:, 0], masks[:, 1], decode_bins(bins), raw.log_scale.exp(), raw.center, bins

    def example(self, batch: int = 2) -> tuple[Tensor, Tensor]:
        size = self.net.crop_size
        return torch.zeros(batch, size, size, 3, dtype=torch.uint8), torch.zeros(batch, dtype=torch.int64)
