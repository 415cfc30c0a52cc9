"""BOP models folders: written, read back, damaged."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from posebot.core.errors import InputError
from posebot.core.objects import ContinuousSymmetry, Mesh, ObjectModel
from posebot.core.transforms import exp
from posebot.objects.bop_models import find_models_dir, load_objects, make_object, save_objects
from posebot.objects.materials import SurfaceMaterial, load_materials, save_materials
from tests.objects.sample_meshes import box, l_shape, printed_square

PICTURE = np.random.default_rng(0).integers(0, 255, (8, 8, 3)).astype(np.uint8)


def three() -> dict[int, ObjectModel]:
    turn = exp([0.001, -0.002, 0.003, 0, 0, np.pi])
    axis = ContinuousSymmetry(np.array([0.0, 0.6, 0.8]), np.array([0.01, 0.0, -0.02]))
    painted = Mesh(box().vertices, box().faces, np.full((8, 3), 77, np.uint8))
    return {
        2: make_object(2, "bracket", l_shape()),
        5: make_object(5, "brick", painted, (turn,), (axis,)),
        11: make_object(11, "label", printed_square(PICTURE)),
    }


def test_a_folder_reads_back_as_it_was(tmp_path: Path) -> None:
    objects = three()
    save_objects(tmp_path / "models", objects)
    back = load_objects(tmp_path / "models")
    assert list(back) == [2, 5, 11]
    for obj_id, model in objects.items():
        assert back[obj_id].label == model.label
        assert back[obj_id].diameter == pytest.approx(model.diameter, rel=1e-12)
        np.testing.assert_allclose(back[obj_id].box_min, model.box_min, atol=1e-12)
        np.testing.assert_allclose(back[obj_id].extents, model.extents, atol=1e-12)
        np.testing.assert_allclose(back[obj_id].mesh.vertices, model.mesh.vertices, rtol=1e-6)
        np.testing.assert_array_equal(back[obj_id].mesh.faces, model.mesh.faces)
    np.testing.assert_allclose(back[5].symmetry_transforms(7), objects[5].symmetry_transforms(7), atol=1e-12)
    np.testing.assert_array_equal(back[5].mesh.colors, objects[5].mesh.colors)
    np.testing.assert_array_equal(back[11].mesh.texture, PICTURE)


def test_files_are_millimetres_in_bops_form(tmp_path: Path) -> None:
    save_objects(tmp_path, three())
    info = json.loads((tmp_path / "models_info.json").read_text())
    assert info["5"]["size_x"] == pytest.approx(60.0)
    assert info["5"]["min_z"] == pytest.approx(-70.0)
    assert info["5"]["symmetries_discrete"][0][3] == pytest.approx(1.0)  # row-major, x shift in mm
    assert info["5"]["symmetries_continuous"] == [{"axis": [0.0, 0.6, 0.8], "offset": [10.0, 0.0, -20.0]}]
    assert "symmetries_discrete" not in info["2"]
    assert (tmp_path / "obj_000005.ply").is_file()


def test_without_names_labels_are_numbers(tmp_path: Path) -> None:
    save_objects(tmp_path, three())
    (tmp_path / "names.json").unlink()
    assert [model.label for model in load_objects(tmp_path).values()] == ["obj_000002", "obj_000005", "obj_000011"]


def test_models_inside_a_data_set_are_found(tmp_path: Path) -> None:
    save_objects(tmp_path / "models", three())
    assert find_models_dir(tmp_path) == tmp_path / "models"
    assert list(load_objects(tmp_path)) == [2, 5, 11]


def test_saving_leaves_no_temporary_files(tmp_path: Path) -> None:
    save_objects(tmp_path, three())
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def damage(folder: Path, text: str) -> None:
    (folder / "models_info.json").write_text(text)


@pytest.mark.parametrize(("text", "problem"), [
    ("{", "is not valid JSON"),
    ("[]", "is a JSON list"),
    ("{}", "contains no objects"),
    ('{"two": {}}', "object ID 'two'"),
    ('{"0": {}}', "object ID '0'"),
    ('{"2": 7}', "object 2: is a int"),
    ('{"2": {"diameter": "big"}}', "object 2: diameter is 'big'"),
    ('{"2": {"diameter": 10, "min_x": 0, "min_y": 0}}', "min_z is None"),
])
def test_damaged_info_names_file_and_field(text: str, problem: str, tmp_path: Path) -> None:
    save_objects(tmp_path, three())
    damage(tmp_path, text)
    with pytest.raises(InputError, match=problem) as caught:
        load_objects(tmp_path)
    assert "models_info.json" in str(caught.value)


@pytest.mark.parametrize(("field", "value", "problem"), [
    ("diameter", -1, "not positive"),
    ("symmetries_discrete", [[1, 0, 0]], "16 finite numbers"),
    ("symmetries_discrete", [[2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1]], "not a rigid transform"),
    ("symmetries_continuous", [[0, 0, 1]], "is a list"),
    ("symmetries_continuous", [{"axis": [0, 0, 0]}], "zero length"),
    ("symmetries_continuous", [{"offset": [0, 0, 0]}], "3 finite numbers"),
])
def test_damaged_fields(field: str, value: object, problem: str, tmp_path: Path) -> None:
    save_objects(tmp_path, three())
    info = json.loads((tmp_path / "models_info.json").read_text())
    info["5"][field] = value
    damage(tmp_path, json.dumps(info))
    with pytest.raises(InputError, match=problem):
        load_objects(tmp_path)


def test_missing_folder_and_missing_mesh(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        load_objects(tmp_path / "none")
    with pytest.raises(InputError, match="no such file"):
        load_objects(tmp_path)
    save_objects(tmp_path, three())
    (tmp_path / "obj_000005.ply").unlink()
    with pytest.raises(InputError, match=r"obj_000005\.ply: no such file"):
        load_objects(tmp_path)


def test_official_models_agree_with_their_meshes(real_data: Path) -> None:
    objects = load_objects(real_data / "lmo" / "models")
    assert list(objects) == [1, 5, 6, 8, 9, 10, 11, 12]
    for model in (objects[1], objects[9]):
        measured = make_object(model.obj_id, model.label, model.mesh)
        assert measured.diameter == pytest.approx(model.diameter, abs=2e-6)
        np.testing.assert_allclose(measured.extents, model.extents, atol=2e-6)
    assert load_objects(real_data / "ycb" / "models")[2].label == "003_cracker_box"


def test_materials_read_back_and_are_checked(tmp_path: Path) -> None:
    materials = {1: SurfaceMaterial(0.1, 1.0), 3: SurfaceMaterial(0.8)}
    assert load_materials(tmp_path) == {}
    save_materials(tmp_path, materials)
    assert load_materials(tmp_path) == materials
    for text in ('{"1": {"gloss": 1}}', '{"1": {"roughness": 2}}', '{"1": {"roughness": "wet"}}', '{"x": {}}', "nope"):
        (tmp_path / "materials.json").write_text(text)
        with pytest.raises(InputError, match=r"materials\.json"):
            load_materials(tmp_path)
