"""How the faces of a mesh hang together: edges, bodies, orientation; and repair."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from posebot.core.objects import Mesh
from posebot.core.transforms import Array
from posebot.objects.geometry import bounds, face_areas, face_vectors, position_ids

WELD = 1e-6  # of the bounding box' diagonal: vertices nearer than this are at one place
SLIVER = 1e-12  # of the diagonal squared: a face with less area is none


@dataclass(frozen=True)
class Topology:
    """Counts over a mesh whose vertices at one place are joined.

    Attributes:
        vertices: number of places. repeats: vertices that say again what another says (place, texture, colour).
        unused: vertices that no face uses. slivers: faces without area. twins: faces that lie on another face.
        open_edges, tangled_edges: edges of one face only, and of more than two. flipped_edges: edges whose two faces
        look to different sides. open_length: length of the open edges.
        body_shares: share of the area of each connected body, largest first.
        outward: -1 (all faces look inwards) to 1 (outwards), about 0 where it cannot be told.
    """

    vertices: int
    repeats: int
    unused: int
    slivers: int
    twins: int
    open_edges: int
    tangled_edges: int
    flipped_edges: int
    open_length: float
    body_shares: tuple[float, ...]
    outward: float

    @property
    def closed(self) -> bool:
        return self.open_edges == 0


def measure_topology(mesh: Mesh) -> Topology:
    """The counts of a mesh with at least one face."""
    diagonal = float(np.linalg.norm(bounds(mesh)[1]))
    places = position_ids(mesh.vertices, WELD * diagonal)
    faces, areas = places[mesh.faces], face_areas(mesh)
    solid = faces[areas > SLIVER * diagonal**2]
    edges, uses, balance = _edges(solid)
    point = np.zeros((places.max() + 1, 3))
    point[places] = mesh.vertices
    rims = point[edges[uses == 1]]
    return Topology(
        vertices=len(np.unique(faces)), repeats=_repeats(mesh), unused=len(mesh.vertices) - len(np.unique(mesh.faces)),
        slivers=len(faces) - len(solid), twins=len(solid) - len(np.unique(np.sort(solid, axis=1), axis=0)),
        open_edges=len(rims), tangled_edges=int((uses > 2).sum()),
        flipped_edges=int(((uses == 2) & (balance != 0)).sum()),
        open_length=float(np.linalg.norm(rims[:, 0] - rims[:, 1], axis=1).sum()),
        body_shares=_body_shares(faces, areas), outward=_outward(mesh),
    )


def _edges(faces: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
    """Edges (E, 2), how many faces use each (E,), and how many more run along it one way than the other (E,)."""
    heads, tails = faces.reshape(-1), np.roll(faces, -1, axis=1).reshape(-1)
    ends = np.sort(np.stack([heads, tails], axis=1), axis=1)
    edges, numbers, uses = np.unique(ends, axis=0, return_inverse=True, return_counts=True)
    ways = np.where(heads < tails, 1.0, -1.0)
    balance = np.bincount(numbers.reshape(-1), weights=ways, minlength=len(edges))
    return edges.astype(np.int64), uses.astype(np.int64), balance.astype(np.float64)


def repaired(mesh: Mesh) -> Mesh:
    """The mesh without slivers, twins, repeated and unused vertices, its faces turned outwards.

    Colours and texture stay. Holes stay open.
    """
    diagonal = float(np.linalg.norm(bounds(mesh)[1]))
    places = position_ids(mesh.vertices, WELD * diagonal)[mesh.faces]
    _, first = np.unique(np.sort(places, axis=1), axis=0, return_index=True)
    keep = np.zeros(len(mesh.faces), dtype=bool)
    keep[first] = True
    keep &= face_areas(mesh) > SLIVER * diagonal**2
    return welded(_turned_outwards(replace(mesh, faces=mesh.faces[keep])))


def welded(mesh: Mesh) -> Mesh:
    """The mesh with vertices joined that agree in place, colour and texture coordinates; unused ones are left out."""
    _, first, ids = np.unique(_rows(mesh), axis=0, return_index=True, return_inverse=True)
    return without_unused(replace(mesh, faces=first[ids.reshape(-1)[mesh.faces]].astype(np.int32)))


def without_unused(mesh: Mesh) -> Mesh:
    """The mesh without vertices that no face uses."""
    used, faces = np.unique(mesh.faces, return_inverse=True)
    colors = None if mesh.colors is None else mesh.colors[used]
    uv = None if mesh.uv is None else mesh.uv[used]
    return Mesh(mesh.vertices[used], faces.reshape(-1, 3).astype(np.int32), colors, uv, mesh.texture)


def _turned_outwards(mesh: Mesh) -> Mesh:
    import trimesh

    diagonal = float(np.linalg.norm(bounds(mesh)[1]))
    places = position_ids(mesh.vertices, WELD * diagonal)
    points = np.zeros((places.max() + 1, 3))
    points[places] = mesh.vertices
    shape = trimesh.Trimesh(points, places[mesh.faces], process=False)
    before = shape.faces.copy()
    trimesh.repair.fix_winding(shape)
    flipped = (shape.faces != before).any(axis=1)
    faces = np.where(flipped[:, None], mesh.faces[:, ::-1], mesh.faces)
    result = replace(mesh, faces=faces)
    return replace(mesh, faces=faces[:, ::-1].copy()) if _outward(result) < 0 else result


def _rows(mesh: Mesh) -> Array:
    columns = [mesh.vertices]
    columns += [] if mesh.colors is None else [mesh.colors.astype(float)]
    columns += [] if mesh.uv is None else [mesh.uv]
    return np.hstack(columns)


def _repeats(mesh: Mesh) -> int:
    return len(mesh.vertices) - len(np.unique(_rows(mesh), axis=0))


def _body_shares(faces: NDArray[np.int64], areas: Array) -> tuple[float, ...]:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    heads, tails = faces.reshape(-1), np.roll(faces, -1, axis=1).reshape(-1)
    size = int(faces.max()) + 1
    links = coo_array((np.ones(len(heads)), (heads, tails)), shape=(size, size))
    _, bodies = connected_components(links, directed=False)
    totals = np.bincount(bodies[faces[:, 0]], weights=areas)
    shares = np.sort(totals[totals > 0] / areas.sum())[::-1]
    return tuple(float(share) for share in shares)


def _outward(mesh: Mesh) -> float:
    """Share of the area that looks away from the middle minus the share that looks towards it, weighted by distance.

    For a closed surface the sign is that of its volume; open ones are judged by the same integral (divergence theorem).
    """
    vectors = face_vectors(mesh)
    middles = mesh.vertices[mesh.faces].mean(axis=1)
    areas = np.linalg.norm(vectors, axis=1)
    middles = middles - (areas[:, None] * middles).sum(axis=0) / max(areas.sum(), 1e-30)
    dots = np.einsum("ij,ij->i", middles, vectors)
    return float(dots.sum() / max(np.abs(dots).sum(), 1e-30))
