"""`posebot train --from BUNDLE`: start with the weights of a bundle, also one of other objects; weight averaging."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from posebot.core.errors import BundleError
from posebot.models.bundle import DETECTOR, LOCALIZER, Bundle
from posebot.models.detector_net import DetectorNet
from posebot.models.localizer_net import LocalizerNet
from posebot.models.reference import PACKAGED, resolve
from posebot.training.config import TrainConfig
from posebot.training.initializers import state_from_onnx

DEFAULT = f"kit@{PACKAGED}"
"""The bundle that training begins with where nothing is said, whatever the working directory has under its name."""
PER_CLASS = ("map_weight", "map_bias", "center_weight", "center_bias", "score.weight", "score.bias")
"""Parameters whose first axis is the class."""


def start_weights(path: Path, network: str, kind: str) -> tuple[dict[str, Tensor], list[str]]:
    """A network's weights in a bundle, and the labels of its classes.

    Args:
        network: "detector" or "localizer". kind: of the detector; one of another kind gives no weights.
    Raises:
        BundleError: the bundle's network holds none.
    """
    bundle = Bundle.open(path)
    if network == "detector" and bundle.manifest.detector.kind != kind:
        return {}, []
    file, data = (DETECTOR, bundle.detector) if network == "detector" else (LOCALIZER, bundle.localizer)
    return state_from_onnx(data, path / file), [reference.label for reference in bundle.manifest.objects]


def default_start(config: TrainConfig) -> tuple[str | None, str]:
    """What training begins with where nothing is said: `kit` if its networks have the sizes of this recipe.

    Returns:
        The reference, or None for ImageNet; and why, to be said behind its name.
    """
    with torch.device("meta"):
        detector, localizer = config.detector, config.localizer
        nets = {"detector": DetectorNet(1, detector.width, detector.frozen_stages),
                "localizer": LocalizerNet(1, localizer.bins, localizer.width, localizer.crop_size,
                                          localizer.frozen_stages)}
    for name, net in nets.items():
        old, shapes = start_weights(resolve(DEFAULT), name, detector.kind)[0], net.state_dict()
        for key, value in old.items():
            own = shapes.get(key)
            if own is None or (own.shape[1:] if key in PER_CLASS else own.shape) != (
                    value.shape[1:] if key in PER_CLASS else value.shape):
                return None, f": the {name} has another size than that of kit"
    return DEFAULT, "; --from none begins from ImageNet"


def transfer_weights(new: Mapping[str, Tensor], old: Mapping[str, Tensor], old_labels: list[str], labels: list[str],
                 where: str) -> dict[str, Tensor]:
    """`new` with the values of `old`; of parameters per class, the rows of objects that both have.

    Raises:
        InputError: a parameter's shape differs, that is, the networks have other sizes.
    """
    class_rows = [(labels.index(label), old_labels.index(label)) for label in labels if label in old_labels]
    state = {name: value.clone() for name, value in new.items()}
    for name in old:
        mine, theirs = state.get(name), old[name]
        if mine is None or mine.shape[1:] != theirs.shape[1:] or (name not in PER_CLASS and mine.shape != theirs.shape):
            shape = None if mine is None else tuple(mine.shape)
            raise BundleError(where, f"{name} has the shape {tuple(theirs.shape)}", f"{shape}, as the config says")
        if name not in PER_CLASS:
            state[name] = theirs.clone()
        for own, other in class_rows if name in PER_CLASS else []:
            state[name][own] = theirs[other]
    return state


def average_weights(trained: Mapping[str, Tensor], start: Mapping[str, Tensor], share: float) -> dict[str, Tensor]:
    """The mean of the trained weights and, with the given share, those that training started from.

    On images unlike those of both trainings, such as photographs, their mean is often better than either (Wortsman et
    al., "Robust fine-tuning of zero-shot models", CVPR 2022).
    """
    return {name: torch.lerp(value, start[name], share) for name, value in trained.items()}
