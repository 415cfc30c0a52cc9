"""Meshes read from and written to files of all kinds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from posebot.core.errors import InputError
from posebot.core.objects import Mesh
from posebot.objects.geometry import bounds
from posebot.objects.mesh_io import read_mesh, write_mesh, write_ply
from tests.objects.sample_meshes import box, printed_square, signed_volume

PICTURE = np.random.default_rng(0).integers(0, 255, (12, 16, 3)).astype(np.uint8)


def colored(mesh: Mesh) -> Mesh:
    colors = np.random.default_rng(1).integers(0, 255, (len(mesh.vertices), 3)).astype(np.uint8)
    return Mesh(mesh.vertices, mesh.faces, colors)


@pytest.mark.parametrize("mesh", [box(), colored(box()), printed_square(PICTURE)], ids=["plain", "colours", "texture"])
def test_ply_keeps_everything_to_float_precision(mesh: Mesh, tmp_path: Path) -> None:
    write_ply(tmp_path / "a.ply", mesh)
    back = read_mesh(tmp_path / "a.ply")
    np.testing.assert_array_equal(back.vertices, mesh.vertices.astype(np.float32))
    np.testing.assert_array_equal(back.faces, mesh.faces)
    for name in ("colors", "uv", "texture"):
        wrote, read = getattr(mesh, name), getattr(back, name)
        assert (wrote is None) == (read is None)
        if wrote is not None:
            np.testing.assert_allclose(read, wrote, atol=1e-7)


@pytest.mark.parametrize("suffix", ["stl", "glb"])
@pytest.mark.parametrize("mesh", [box(), colored(box())], ids=["plain", "colours"])
def test_other_kinds_keep_the_shape(suffix: str, mesh: Mesh, tmp_path: Path) -> None:
    write_mesh(tmp_path / f"a.{suffix}", mesh)
    back = read_mesh(tmp_path / f"a.{suffix}")
    assert len(back.vertices) == 8
    assert signed_volume(back) == pytest.approx(signed_volume(mesh), rel=1e-6)
    if suffix == "glb" and mesh.colors is not None:
        np.testing.assert_array_equal(np.unique(back.colors, axis=0), np.unique(mesh.colors, axis=0))


def test_glb_keeps_the_texture_the_right_way_up(tmp_path: Path) -> None:
    mesh = printed_square(PICTURE)
    write_mesh(tmp_path / "a.glb", mesh)
    back = read_mesh(tmp_path / "a.glb")
    np.testing.assert_array_equal(back.texture, PICTURE)
    np.testing.assert_allclose(back.uv, mesh.uv, atol=1e-6)


def test_obj_with_a_texture(tmp_path: Path) -> None:
    Image.fromarray(PICTURE).save(tmp_path / "print.png")
    (tmp_path / "a.mtl").write_text("newmtl paper\nmap_Kd print.png\n")
    (tmp_path / "a.obj").write_text("mtllib a.mtl\nusemtl paper\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\n"
                                    "f 1/1 2/2 3/3\n")
    mesh = read_mesh(tmp_path / "a.obj")
    np.testing.assert_array_equal(mesh.texture, PICTURE)
    np.testing.assert_allclose(mesh.uv, [[0, 0], [1, 0], [0, 1]])


def test_material_without_a_picture_gives_its_colour(tmp_path: Path) -> None:
    (tmp_path / "a.mtl").write_text("newmtl red\nKd 1 0 0\n")
    (tmp_path / "a.obj").write_text("mtllib a.mtl\nusemtl red\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nf 1/1 2/1 3/1\n")
    colors = read_mesh(tmp_path / "a.obj").colors
    assert colors is not None
    assert (colors == [255, 0, 0]).all()


def test_parts_of_a_scene_are_joined_in_place(tmp_path: Path) -> None:
    scene = trimesh.Scene()
    for index, color in enumerate(((200, 0, 0, 255), (0, 200, 0, 255))):
        part = trimesh.creation.box((0.1, 0.1, 0.1))
        part.visual.vertex_colors = np.tile(np.array(color, np.uint8), (8, 1))
        scene.add_geometry(part, transform=trimesh.transformations.translation_matrix([0.3 * index, 0, 0]))
    scene.export(tmp_path / "two.glb")
    mesh = read_mesh(tmp_path / "two.glb")
    np.testing.assert_allclose(bounds(mesh)[1], [0.4, 0.1, 0.1], atol=1e-6)
    assert mesh.colors is not None
    assert set(map(tuple, mesh.colors.tolist())) == {(200, 0, 0), (0, 200, 0)}


def test_parts_with_a_picture_and_with_paint_keep_their_colours(tmp_path: Path) -> None:
    from trimesh.visual import TextureVisuals
    from trimesh.visual.material import PBRMaterial

    printed, painted = trimesh.creation.box((0.1, 0.1, 0.1)), trimesh.creation.box((0.1, 0.1, 0.1))
    material = PBRMaterial(baseColorTexture=Image.new("RGB", (8, 8), (255, 0, 0)))
    printed.visual = TextureVisuals(uv=np.full((8, 2), 0.5), material=material)
    painted.apply_translation([0.3, 0, 0])
    painted.visual.vertex_colors = np.tile(np.uint8((0, 0, 255, 255)), (8, 1))
    trimesh.Scene([printed, painted]).export(tmp_path / "both.glb")
    mesh = read_mesh(tmp_path / "both.glb")
    assert mesh.colors is not None
    np.testing.assert_array_equal(mesh.colors[:, 2], np.where(mesh.vertices[:, 0] > 0.15, 255, 0))


@given(unit=st.floats(1e-4, 10))
def test_unit_scales_the_numbers(unit: float, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("unit") / "a.ply"
    write_ply(path, box((1, 2, 3)))
    np.testing.assert_allclose(bounds(read_mesh(path, unit))[1], np.array([1, 2, 3]) * unit)


def test_face_colours_of_a_ply_become_corner_colours(tmp_path: Path) -> None:
    part = trimesh.creation.box((1, 1, 1))
    part.visual.face_colors = np.random.default_rng(2).integers(0, 255, (12, 4)).astype(np.uint8)
    part.export(tmp_path / "a.ply")
    mesh = read_mesh(tmp_path / "a.ply")
    assert mesh.colors is not None
    corners = mesh.colors[mesh.faces]
    np.testing.assert_array_equal(corners.max(axis=1), corners.min(axis=1))
    np.testing.assert_array_equal(corners[:, 0], part.visual.face_colors[:, :3])


@pytest.mark.parametrize(("name", "content", "problem"), [
    ("a.stl", b"", "contains no triangles|cannot be read"),
    ("a.ply", b"ply\nformat ascii 1.0\nelement vertex 3\n", "cannot be read|contains no triangles"),
    ("a.glb", b"glTF" + bytes(40), "cannot be read"),
    ("a.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\n", "contains no triangles"),
    ("a.obj", b"v 0 0 0\nv 1 0 nan\nv 0 1 0\nf 1 2 3\n", "not finite"),
    ("a.sldprt", b"x", "unsupported format"),
])
def test_unusable_files_are_one_line(name: str, content: bytes, problem: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=problem) as caught:
        read_mesh(path)
    assert "\n" not in str(caught.value)
    assert caught.value.where == str(path)


def test_missing_file_and_missing_texture(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_mesh(tmp_path / "none.ply")
    write_ply(tmp_path / "a.ply", printed_square(PICTURE))
    (tmp_path / "a.png").unlink()
    with pytest.raises(InputError, match=r"texture a\.png is missing"):
        read_mesh(tmp_path / "a.ply")


def test_damaged_texture_is_said(tmp_path: Path) -> None:
    write_ply(tmp_path / "a.ply", printed_square(PICTURE))
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:60])
    with pytest.raises(InputError, match="cannot be read"):
        read_mesh(tmp_path / "a.ply")


@given(cut=st.floats(0.0, 0.99))
def test_a_truncated_ply_never_passes_for_a_whole_one(cut: float, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("cut") / "a.ply"
    write_ply(path, colored(box()))
    content = path.read_bytes()
    path.write_bytes(content[: int(cut * len(content))])
    with pytest.raises(InputError):
        read_mesh(path)
