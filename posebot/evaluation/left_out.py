"""Why an evaluation judges fewer images than the split has."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from posebot.datasets.bop import TARGETS, BopDataset, ImageKey


@dataclass(frozen=True)
class LeftOut:
    """Images of a split without a target.

    Attributes:
        images: of the split. unlisted: not in the file of targets. empty: without any of the objects. hidden: with
            objects, each less than 10 % visible.
    """

    images: int
    unlisted: int = 0
    empty: int = 0
    hidden: int = 0

    def describe(self) -> str | None:
        """One line; None where all images are judged."""
        reasons = ((self.unlisted, f"not in {TARGETS}"), (self.hidden, "with no object that is at least 10 % visible"),
                   (self.empty, "with none of the objects"))
        said = [f"{number} {reason}" for number, reason in reasons if number]
        judged = self.images - self.unlisted - self.empty - self.hidden
        return f"{judged} of {self.images} images are judged: {', '.join(said)}" if said else None


def left_out(dataset: BopDataset, judged: Collection[ImageKey], objects: Collection[int] = ()) -> LeftOut:
    """Count the images that are not judged. objects: the ids that are evaluated, empty: all."""
    keys = dataset.keys()
    others = [key for key in keys if key not in judged]
    if dataset.has_targets_file:
        return LeftOut(len(keys), unlisted=len(others))
    shown = [any(not objects or one.obj_id in objects for one in dataset.annotations(key)) for key in others]
    return LeftOut(len(keys), empty=shown.count(False), hidden=shown.count(True))
