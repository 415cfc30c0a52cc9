"""Frames of a synthetic dataset: samples a scene, renders and labels it."""

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
from posebot.synth.assets import AssetLibrary, find_images
from posebot.synth.config import SynthConfig
from posebot.synth.depth_noise import simulate_depth_sensor
from posebot.synth.distance import enlarged, shrunk
from posebot.synth.label_renderer import LabelRenderer
from posebot.synth.opengl import OpenGLContext
from posebot.synth.raster_renderer import RasterRenderer
from posebot.synth.scene import Scene
from posebot.synth.scene_sampler import SceneSampler


class Renderer(Protocol):
    """Renders the colour image of a scene."""

    def render(self, scene: Scene) -> NDArray[np.uint8]:
        """RGB, uint8 (H, W, 3)."""
        ...


class FrameRenderer:
    """Renders labelled frames by index. One per process (OpenGL).

    Raises:
        InputError: the models, the background images or OpenGL are not usable.
    """

    def __init__(self, config: SynthConfig) -> None:
        self.config = config
        self.library = load_assets(config)
        self.scene_sampler = SceneSampler(config, self.library, load_materials(config.objects))
        self.gl = OpenGLContext(self.library)
        self.label_renderer = LabelRenderer(self.gl)

    def frame(self, index: int) -> tuple[Frame, list[GroundTruth]]:
        """Frame `index` and its ground ground_truth, without objects that are entirely outside the image."""
        scene = self.scene_sampler.scene(index)
        labels = self.label_renderer.render(scene)
        depth = labels.depth * np.float32(self.config.scale)
        if self.config.depth_noise:
            depth = simulate_depth_sensor(depth, scene.camera.K, np.random.default_rng([self.config.seed, 4, index]))
        rgb = self.renderer(index).render(scene)
        frame = Frame(rgb, scene.camera, depth, enlarged(scene.world_from_cam, self.config.scale), str(index))
        return frame, [replace(truth, cam_from_obj=enlarged(truth.cam_from_obj, self.config.scale))
                       for truth in labels.ground_truths if truth.mask.any()]

    def renderer(self, index: int) -> Renderer:
        """The renderer of frame `index`; random with "mix"."""
        kind = self.config.renderer
        if kind == "mix":
            draw = np.random.default_rng([self.config.seed, 5, index]).random()
            kind = "path" if draw < self.config.mix else "raster"
        return self.path if kind == "path" else self.raster

    @cached_property
    def raster(self) -> Renderer:
        """The raster renderer."""
        return RasterRenderer(self.gl)

    @cached_property
    def path(self) -> Renderer:
        """The path tracer."""
        from posebot.synth.path_tracer import PathTracer

        threads = max(1, (os.cpu_count() or 1) // max(self.config.workers, 1))  # avoids oversubscription
        return PathTracer(self.library, threads=threads)

    def write_scene(self, scene: int, report: Callable[[], None]) -> None:
        """Write one scene folder; `report` is called after each frame."""
        writer = SceneWriter(self.config.out / self.config.split, scene, self.config.jpg_quality)
        for number, index in enumerate(self.config.frames_of(scene)):
            frame, ground_truths = self.frame(index)
            writer.add(number, frame, ground_truths)
            report()
        writer.finish()


def load_assets(config: SynthConfig) -> AssetLibrary:
    """Objects, distractors and background images of a configuration, in the size of its scenes; untextured meshes are
    decimated."""
    objects = {number: replace(model, mesh=shrunk(decimate_untextured(model.mesh, config.max_faces), config.scale),
                               diameter=model.diameter / config.scale)
               for number, model in load_objects(config.objects).items()}
    distractors = [shrunk(decimate_untextured(model.mesh, config.max_faces // 2), config.scale)
                   for folder in config.distractors for model in load_objects(folder).values()]
    return AssetLibrary(objects, distractors, find_images(config.backgrounds))


def decimate_untextured(mesh: Mesh, faces: int) -> Mesh:
    """Decimate an untextured mesh to about `faces` faces (quadric error), with colours of the nearest vertices.

    A textured mesh is returned unchanged, to keep its texture coordinates.
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
