from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from posebot.core.errors import InputError
from posebot.core.objects import ObjectModel
from posebot.objects.bop_models import make_object
from posebot.synth.landmark_extraction import MAX_LANDMARKS, extract_landmarks
from tests.objects.sample_meshes import printed_square
from tests.objects.test_texture_landmarks import picture


def test_a_print_has_landmarks_each_once_and_on_its_surface() -> None:
    model = make_object(3, "card", printed_square(picture()))
    try:
        found = extract_landmarks([model])[3]
    except InputError as error:
        pytest.skip(str(error))
    assert 200 <= len(found.points) <= MAX_LANDMARKS
    low, high = model.box_min - 1e-3, model.box_min + model.extents + 1e-3
    assert ((found.points > low) & (found.points < high)).all()
    assert np.allclose(np.linalg.norm(found.directions, axis=1), 1, atol=1e-5)


def test_plain_objects_have_none(objects: Mapping[int, ObjectModel]) -> None:
    assert extract_landmarks(list(objects.values())) == {}
