"""Studio: composer, renderer and labeller of one process, and what they put into a data set."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from posebot.core.frame import Frame
from posebot.core.objects import Mesh
from posebot.datasets.bop_writer import GroundTruth, SceneWriter
from posebot.objects.bop_models import load_objects
from posebot.objects.materials import load_materials
from posebot.synth.compose import Composer
from posebot.synth.config import SynthConfig
from posebot.synth.gl import Gl
from posebot.synth.labels import Labeller
from posebot.synth.library import Library, find_photos
from posebot.synth.noise import sensor_depth
from posebot.synth.raster import RasterRenderer
from posebot.synth.scene import Scene


class Renderer(Protocol):
    """Takes the picture of a scene."""

    def picture(self, scene: Scene) -> NDArray[np.uint8]:
        """uint8 (H, W, 3), red first."""
        ...


class Studio:
    """Takes frames by number. One per process (OpenGL).

    Raises:
        InputError: the models, the photographs or OpenGL are not usable.
    """

    def __init__(self, config: SynthConfig) -> None:
        self.config = config
        self.library = open_library(config)
        self.composer = Composer(config, self.library, load_materials(config.objects))
        self.gl = Gl(self.library)
        self.labeller = Labeller(self.gl)

    def frame(self, index: int) -> tuple[Frame, list[GroundTruth]]:
        """Picture, depth and truth of frame `index`; objects wholly out of the picture are left out."""
        scene = self.composer.scene(index)
        labels = self.labeller.labels(scene)
        depth = labels.depth
        if self.config.depth_noise:
            depth = sensor_depth(depth, scene.camera.K, np.random.default_rng([self.config.seed, 4, index]))
        picture = self.renderer(index).picture(scene)
        frame = Frame(picture, scene.camera, depth, scene.world_from_cam, str(index))
        return frame, [truth for truth in labels.truths if truth.mask.any()]

    def renderer(self, index: int) -> Renderer:
        """The renderer that takes frame `index`: with "mix", chance decides."""
        kind = self.config.renderer
        if kind == "mix":
            chance = np.random.default_rng([self.config.seed, 5, index]).random()
            kind = "path" if chance < self.config.mix else "raster"
        return self.path if kind == "path" else self.raster

    @cached_property
    def raster(self) -> Renderer:
        return RasterRenderer(self.gl)

    @cached_property
    def path(self) -> Renderer:
        from posebot.synth.path import PathRenderer

        threads = max(1, (os.cpu_count() or 1) // max(self.config.workers, 1))  # more would wait for each other
        return PathRenderer(self.library, threads=threads)

    def write_scene(self, scene: int, report: Callable[[], None]) -> None:
        """Write one scene folder; `report` is called after each frame."""
        writer = SceneWriter(self.config.out / self.config.split, scene, self.config.jpg_quality)
        for number, index in enumerate(self.config.frames_of(scene)):
            frame, truths = self.frame(index)
            writer.add(number, frame, truths)
            report()
        writer.finish()


def open_library(config: SynthConfig) -> Library:
    """Objects, distractors and photographs of a run, with meshes light enough to be drawn quickly."""
    objects = {number: replace(model, mesh=lighter(model.mesh, config.max_faces))
               for number, model in load_objects(config.objects).items()}
    extras = [lighter(model.mesh, config.max_faces // 2)
              for folder in config.distractors for model in load_objects(folder).values()]
    return Library(objects, extras, find_photos(config.backgrounds))


def lighter(mesh: Mesh, faces: int) -> Mesh:
    """The mesh with at most about `faces` faces (quadric error), colours taken from the nearest old vertex.

    A mesh with a texture stays as it is: its coordinates would be lost.
    """
    if mesh.texture is not None or len(mesh.faces) <= faces:
        return mesh
    import fast_simplification
    from scipy.spatial import KDTree

    points, triangles = fast_simplification.simplify(
        mesh.vertices.astype(np.float32), mesh.faces.astype(np.int32), target_count=faces)
    points = np.asarray(points, dtype=float)
    colors = None if mesh.colors is None else mesh.colors[KDTree(mesh.vertices).query(points)[1]]
    return Mesh(points, np.asarray(triangles, np.int32), colors)
