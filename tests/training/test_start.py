"""Beginning with another bundle's weights."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from posebot.core.errors import InputError  # noqa: E402
from posebot.training.start import average_weights, transfer_weights  # noqa: E402


def state(classes: int, value: float, width: int = 4) -> dict[str, torch.Tensor]:
    rows = torch.arange(classes).float()[:, None, None] + value
    return {"encoder.weight": torch.full((3, width), value), "map_weight": rows.expand(classes, 2, width).clone()}


def test_shared_layers_are_taken_and_classes_find_their_rows_by_label() -> None:
    found = transfer_weights(state(3, 100.0), state(2, 0.0), ["mug", "box"], ["box", "can", "mug"], "old")
    assert (found["encoder.weight"] == 0).all()
    assert found["map_weight"][:, 0, 0].tolist() == [1.0, 101.0, 0.0]


def test_nothing_to_begin_with_changes_nothing() -> None:
    found = transfer_weights(state(2, 5.0), {}, [], ["a", "b"], "old")
    assert all(torch.equal(found[name], value) for name, value in state(2, 5.0).items())


def test_a_network_of_another_shape_is_refused() -> None:
    with pytest.raises(InputError, match=r"old: encoder\.weight has the shape \(3, 8\); \(3, 4\)"):
        transfer_weights(state(2, 0.0), state(2, 0.0, width=8), ["a", "b"], ["a", "b"], "old")


def test_a_blend_lies_between_the_ends() -> None:
    learnt, begun = {"w": torch.tensor([1.0, 3.0])}, {"w": torch.tensor([3.0, 3.0])}
    assert average_weights(learnt, begun, 0.25)["w"].tolist() == [1.5, 3.0]
    assert average_weights(learnt, begun, 0.0)["w"].tolist() == [1.0, 3.0]
