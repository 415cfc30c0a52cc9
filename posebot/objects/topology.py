"""Mesh topology: edges, connected components, orientation; and repair."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from posebot.core.objects import Mesh
from posebot.core.transforms import Array
from posebot.objects.geometry import bounds, coincident_vertex_ids, face_area_vectors, face_areas

MERGE_TOLERANCE = 1e-6  # of the bounding box diagonal: vertices closer than this are coincident
MIN_FACE_AREA = 1e-12  # of the squared diagonal: smaller faces are degenerate


@dataclass(frozen=True)
class Topology:
    """Counts of topological properties, after merging coincident vertices.

    Attributes:
        vertices: distinct vertex positions.
        duplicate_vertices: vertices identical to another one in position, texture coordinates and colour.
        unreferenced_vertices: vertices that no face references.
        degenerate_faces: faces without area. duplicate_faces: faces with the vertices of another face.
        boundary_edges: edges of one face. non_manifold_edges: edges of more than two faces.
        inconsistent_edges: edges whose two faces have opposite winding. boundary_length: total, mesh units.
        component_shares: share of the surface area of each connected component, in descending order.
        orientation: -1 (all normals point inwards) to 1 (outwards); about 0 if undetermined.
    """

    vertices: int
    duplicate_vertices: int
    unreferenced_vertices: int
    degenerate_faces: int
    duplicate_faces: int
    boundary_edges: int
    non_manifold_edges: int
    inconsistent_edges: int
    boundary_length: float
    component_shares: tuple[float, ...]
    orientation: float

    @property
    def watertight(self) -> bool:
        """No boundary edges."""
        return self.boundary_edges == 0


def measure_topology(mesh: Mesh) -> Topology:
    """Measure the topology of a mesh with at least one face."""
    diagonal = float(np.linalg.norm(bounds(mesh)[1]))
    ids = coincident_vertex_ids(mesh.vertices, MERGE_TOLERANCE * diagonal)
    faces, areas = ids[mesh.faces], face_areas(mesh)
    valid = faces[areas > MIN_FACE_AREA * diagonal**2]
    edges, uses, balance = _edges(valid)
    point = np.zeros((ids.max() + 1, 3))
    point[ids] = mesh.vertices
    boundary = point[edges[uses == 1]]
    return Topology(
        vertices=len(np.unique(faces)), duplicate_vertices=_duplicate_vertices(mesh),
        unreferenced_vertices=len(mesh.vertices) - len(np.unique(mesh.faces)),
        degenerate_faces=len(faces) - len(valid),
        duplicate_faces=len(valid) - len(np.unique(np.sort(valid, axis=1), axis=0)),
        boundary_edges=len(boundary), non_manifold_edges=int((uses > 2).sum()),
        inconsistent_edges=int(((uses == 2) & (balance != 0)).sum()),
        boundary_length=float(np.linalg.norm(boundary[:, 0] - boundary[:, 1], axis=1).sum()),
        component_shares=_component_shares(faces, areas), orientation=_orientation_score(mesh),
    )


def _edges(faces: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
    """Unique edges (E, 2), the number of faces at each (E,), and the sum of their directions (E,), 0 if consistent."""
    heads, tails = faces.reshape(-1), np.roll(faces, -1, axis=1).reshape(-1)
    ends = np.sort(np.stack([heads, tails], axis=1), axis=1)
    edges, numbers, uses = np.unique(ends, axis=0, return_inverse=True, return_counts=True)
    directions = np.where(heads < tails, 1.0, -1.0)
    balance = np.bincount(numbers.reshape(-1), weights=directions, minlength=len(edges))
    return edges.astype(np.int64), uses.astype(np.int64), balance.astype(np.float64)


def repair_mesh(mesh: Mesh) -> Mesh:
    """Remove degenerate and duplicate faces, merge duplicate vertices, and orient all faces outwards.

    Colours and texture are kept. Holes are not filled.
    """
    diagonal = float(np.linalg.norm(bounds(mesh)[1]))
    ids = coincident_vertex_ids(mesh.vertices, MERGE_TOLERANCE * diagonal)[mesh.faces]
    _, first = np.unique(np.sort(ids, axis=1), axis=0, return_index=True)
    keep = np.zeros(len(mesh.faces), dtype=bool)
    keep[first] = True
    keep &= face_areas(mesh) > MIN_FACE_AREA * diagonal**2
    return merge_duplicate_vertices(_orient_faces_outward(replace(mesh, faces=mesh.faces[keep])))


def merge_duplicate_vertices(mesh: Mesh) -> Mesh:
    """Merge vertices with identical position, colour and texture coordinates; remove unreferenced ones."""
    _, first, ids = np.unique(_vertex_attributes(mesh), axis=0, return_index=True, return_inverse=True)
    return remove_unreferenced_vertices(replace(mesh, faces=first[ids.reshape(-1)[mesh.faces]].astype(np.int32)))


def remove_unreferenced_vertices(mesh: Mesh) -> Mesh:
    """Remove vertices that no face references."""
    used, faces = np.unique(mesh.faces, return_inverse=True)
    colors = None if mesh.colors is None else mesh.colors[used]
    uv = None if mesh.uv is None else mesh.uv[used]
    return Mesh(mesh.vertices[used], faces.reshape(-1, 3).astype(np.int32), colors, uv, mesh.texture)


def _orient_faces_outward(mesh: Mesh) -> Mesh:
    import trimesh

    diagonal = float(np.linalg.norm(bounds(mesh)[1]))
    ids = coincident_vertex_ids(mesh.vertices, MERGE_TOLERANCE * diagonal)
    points = np.zeros((ids.max() + 1, 3))
    points[ids] = mesh.vertices
    shape = trimesh.Trimesh(points, ids[mesh.faces], process=False)
    before = shape.faces.copy()
    trimesh.repair.fix_winding(shape)
    flipped = (shape.faces != before).any(axis=1)
    faces = np.where(flipped[:, None], mesh.faces[:, ::-1], mesh.faces)
    result = replace(mesh, faces=faces)
    return replace(mesh, faces=faces[:, ::-1].copy()) if _orientation_score(result) < 0 else result


def _vertex_attributes(mesh: Mesh) -> Array:
    columns = [mesh.vertices]
    columns += [] if mesh.colors is None else [mesh.colors.astype(float)]
    columns += [] if mesh.uv is None else [mesh.uv]
    return np.hstack(columns)


def _duplicate_vertices(mesh: Mesh) -> int:
    return len(mesh.vertices) - len(np.unique(_vertex_attributes(mesh), axis=0))


def _component_shares(faces: NDArray[np.int64], areas: Array) -> tuple[float, ...]:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    heads, tails = faces.reshape(-1), np.roll(faces, -1, axis=1).reshape(-1)
    size = int(faces.max()) + 1
    links = coo_array((np.ones(len(heads)), (heads, tails)), shape=(size, size))
    _, components = connected_components(links, directed=False)
    totals = np.bincount(components[faces[:, 0]], weights=areas)
    shares = np.sort(totals[totals > 0] / areas.sum())[::-1]
    return tuple(float(share) for share in shares)


def _orientation_score(mesh: Mesh) -> float:
    """Signed volume integral (divergence theorem) about the centroid, normalised to -1 (inwards) .. 1 (outwards).

    Its sign is that of the signed volume for a watertight surface, and an estimate for an open one.
    """
    vectors = face_area_vectors(mesh)
    centroids = mesh.vertices[mesh.faces].mean(axis=1)
    areas = np.linalg.norm(vectors, axis=1)
    centroids = centroids - (areas[:, None] * centroids).sum(axis=0) / max(areas.sum(), 1e-30)
    dots = np.einsum("ij,ij->i", centroids, vectors)
    return float(dots.sum() / max(np.abs(dots).sum(), 1e-30))
