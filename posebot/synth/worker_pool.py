"""Worker processes of dataset generation."""

from __future__ import annotations

import multiprocessing
import os
import queue
import traceback
from collections.abc import Callable
from typing import Any

from posebot.core.errors import PosebotError
from posebot.synth.config import SynthConfig


class WorkerPool:
    """Worker processes that take scenes from a shared list. They end with the parent, even if it is killed."""

    def __init__(self, config: SynthConfig, scenes: list[int]) -> None:
        context = multiprocessing.get_context("spawn")
        self._next, self._done = context.Value("i", 0), context.Value("i", 0)
        self._errors = context.Queue()
        count = min(config.workers, len(scenes))
        self._processes = [context.Process(target=_worker, daemon=True, args=(
            config, scenes, self._next, self._done, self._errors, os.getpid())) for _ in range(count)]

    def run(self, progress: Callable[[int], None]) -> None:
        """Run until all scenes are written; calls `progress` with the number of frames done.

        Raises:
            PosebotError: a worker failed.
        """
        for process in self._processes:
            process.start()
        try:
            while any(process.is_alive() for process in self._processes):
                self._raise_errors(wait=0.2)
                progress(self._done.value)
            self._raise_errors(wait=0.0)
        finally:
            for process in self._processes:
                process.terminate()
                process.join()

    def _raise_errors(self, wait: float) -> None:
        try:
            raise self._errors.get(timeout=wait) if wait else self._errors.get_nowait()
        except queue.Empty:
            pass
        for process in self._processes:
            if process.exitcode:
                raise PosebotError(f"synth: a worker ended with exit code {process.exitcode}; "
                                   "run the command again to resume")


def _worker(config: SynthConfig, scenes: list[int], next_scene: Any, done: Any, errors: Any, parent: int) -> None:
    def report_frame() -> None:
        with done.get_lock():
            done.value += 1
        if os.getppid() != parent:  # the parent was killed
            os._exit(1)

    try:
        import cv2

        from posebot.synth.frame_renderer import FrameRenderer

        cv2.setNumThreads(1)
        studio = FrameRenderer(config)
        while True:
            with next_scene.get_lock():
                position = next_scene.value
                next_scene.value += 1
            if position >= len(scenes):
                return
            studio.write_scene(scenes[position], report_frame)
    except PosebotError as error:
        errors.put(error)
    except KeyboardInterrupt:
        pass
    except Exception:  # a bug: logged by the parent
        errors.put(RuntimeError(traceback.format_exc()))
