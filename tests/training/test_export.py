"""Export: ONNX agrees with torch in both runtimes, takes any batch size, and weighs half."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from posebot.core.errors import InputError

torch = pytest.importorskip("torch")

from posebot.training import export  # noqa: E402


class Dense(torch.nn.Module):  # type: ignore[misc, name-defined]
    """A small class-conditioned network with the localizer's kinds of input and output."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = torch.nn.Sequential(torch.nn.Conv2d(3, 48, 3, 4, 1), torch.nn.BatchNorm2d(48), torch.nn.ReLU())
        self.head = torch.nn.Conv2d(48, 4 * 5, 3, 1, 1)

    def forward(self, crops, classes):  # type: ignore[no-untyped-def]
        maps = self.head(self.encoder(crops.permute(0, 3, 1, 2).float() / 255))
        n, _, h, w = maps.shape
        own = maps.view(n, 4, 5, h, w)[torch.arange(n), classes]
        return own[:, 0].sigmoid(), own[:, 1:4].softmax(1)


OUTPUTS = ("visible", "coordinates")


def example(n: int) -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(n)
    return {"crops": torch.randint(0, 256, (n, 32, 32, 3), dtype=torch.uint8, generator=random),
            "classes": torch.randint(0, 4, (n,), generator=random)}


def test_runtimes_agree_with_torch_at_another_batch_size(tmp_path: Path) -> None:
    torch.manual_seed(0)
    view, path = Dense().eval(), tmp_path / "localizer.onnx"
    export.export_onnx(view, example(2), OUTPUTS, path)
    for runtime, differences in export.compare_runtimes(view, path, example(7), OUTPUTS).items():
        assert max(differences.values()) < 2e-3, (runtime, differences)
    assert [file.name for file in tmp_path.iterdir()] == ["localizer.onnx"]


def test_large_weights_are_halved_and_small_ones_are_not(tmp_path: Path) -> None:
    import onnx

    export.export_onnx(Dense(), example(1), OUTPUTS, tmp_path / "a.onnx")
    kinds = {np.prod(t.dims) >= 1024: t.data_type for t in onnx.load(tmp_path / "a.onnx").graph.initializer
             if t.data_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)}
    assert kinds == {True: onnx.TensorProto.FLOAT16, False: onnx.TensorProto.FLOAT}


def test_relative_difference_sees_shapes_and_sizes() -> None:
    assert export.relative_difference(np.ones(4), np.full(4, 1.5)) == pytest.approx(0.5)
    assert export.relative_difference(np.ones(4), np.ones(5)) == float("inf")


def test_weights_round_trip_at_half_precision(tmp_path: Path) -> None:
    state = Dense().state_dict()
    export.save_weights(state, tmp_path / "w" / "localizer.safetensors", {"objects": "a,b"})
    again = export.load_weights(tmp_path / "w" / "localizer.safetensors")
    assert {name: value.dtype for name, value in again.items()} == {name: v.dtype for name, v in state.items()}
    assert all(torch.allclose(again[name], state[name], atol=1e-3) for name in state)


@pytest.mark.parametrize("content", [None, b"", b"not safetensors at all"])
def test_weights_that_are_none_give_one_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match="safetensors"):
        export.load_weights(path)
