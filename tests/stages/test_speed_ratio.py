"""tools/speed_ratio.py: two checkouts, timed frame by frame."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from posebot.datasets.bop_writer import GroundTruth, SceneWriter

ROOT = Path(__file__).parents[2]


@pytest.mark.long
def test_a_checkout_against_itself(scenes, make_bundle, tmp_path):
    pose = scenes.pose(1)
    frame = scenes.frame(pose, noise=0.001)
    bundle = make_bundle(scenes.model, [scenes.localization(frame, pose)], 0.5)
    writer, mask = SceneWriter(tmp_path / "test", 1), np.zeros((480, 640), bool)
    mask[100:200, 100:200] = True
    writer.add(1, frame, [GroundTruth(1, pose, mask, mask, np.array([99.5, 99.5, 199.5, 199.5]), int(mask.sum()))])
    writer.finish()
    command = [sys.executable, str(ROOT / "tools/speed_ratio.py"), str(ROOT), str(ROOT), "--bundle", str(bundle),
               "--source", str(tmp_path), "--frames", "2", "--depth"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["clock", "processor"]
    slower = subprocess.run([*command, "--limit", "0"], capture_output=True, text=True, check=False)
    assert slower.returncode == 3
