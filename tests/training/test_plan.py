"""The plan of a data set and a training, against values by hand."""

from __future__ import annotations

from dataclasses import replace
from math import degrees, sqrt

import numpy as np
import pytest

from posebot.core.camera import Camera
from posebot.synth.depth_noise import DepthNoise
from posebot.training.config import LocalizerConfig, TrainConfig
from posebot.training.plan import color_accuracy, depth_accuracy, make_plan, view

CAMERA = Camera(np.array([[600.0, 0, 319.5], [0, 600, 239.5], [0, 0, 1]]), 640, 480)
NOISE = DepthNoise(baseline=0.05, disparity_rms=0.06, disparity_step=0, correlation_px=2, scale_error=0)


def test_pixels_in_the_picture_and_at_the_inputs_of_the_networks() -> None:
    """100 mm at 0.6 m are 600 * 0.1 / 0.6 = 100 pixels; 640x480 is halved for 256x320; crops show 1.25 * 100."""
    seen = view(CAMERA, 0.1, 0.6, TrainConfig())
    assert (seen.pixels, seen.detector, seen.zoom) == pytest.approx((100, 50, 128 / 125))


def test_colour_alone_knows_the_distance_by_the_length_in_the_picture() -> None:
    """Half a pixel of 100 is 0.5 % of 0.6 m."""
    found = color_accuracy(CAMERA, 0.1, 0.6, LocalizerConfig())
    assert found.mm == pytest.approx(3.0)
    assert found.deg == pytest.approx(degrees(sqrt(3) * 0.005))


def test_a_large_object_is_known_to_half_a_pixel_of_the_crop() -> None:
    """400 pixels fill a crop of 500, of which the network sees 128: an error of 0.5 * 500 / 128 pixels."""
    found = color_accuracy(CAMERA, 0.4, 0.6, LocalizerConfig())
    assert found.mm == pytest.approx(600 * 0.5 * (500 / 128) / 400)


def test_noise_of_depth_grows_with_the_square_of_the_distance_and_averages_over_the_object() -> None:
    """At 0.6 m: 0.36 * 0.06 / (600 * 0.05) = 0.72 mm a pixel; 0.4 * 100^2 / 2^2 = 1000 independent readings."""
    found = depth_accuracy(CAMERA, 0.1, 0.6, LocalizerConfig(), NOISE)
    assert found.mm == pytest.approx(0.72 / sqrt(1000))
    tilt, turn = sqrt(12 / 1000) * 0.72e-3 / 0.1, 0.5 / 100
    assert found.deg == pytest.approx(degrees(sqrt(tilt**2 + turn**2)))
    twice = depth_accuracy(CAMERA, 0.1, 1.2, LocalizerConfig(), NOISE)
    assert twice.mm == pytest.approx(4 * 2 * found.mm)  # four times the noise, a quarter of the readings


def test_the_scale_of_depth_does_not_average() -> None:
    found = depth_accuracy(CAMERA, 0.1, 0.6, LocalizerConfig(), replace(NOISE, scale_error=0.002))
    assert found.mm == pytest.approx(sqrt(0.72**2 / 1000 + 1.2**2))


def test_frames_time_and_disk_of_two_objects_in_half_an_hour() -> None:
    plan = make_plan({"panel": 0.09, "pulley": 0.035}, CAMERA, minutes=30, cores=2)
    assert (plan.pictures, plan.crops) == (round(0.3 * 3600 * 10), round(0.7 * 3600 * 35))
    assert (plan.train, plan.val, plan.test) == (1500, 200, 100)  # 88,200 crops / 2 objects / 30 times
    assert plan.render_s == pytest.approx(1800 / 8)
    assert plan.calibrate_s == pytest.approx(200 * 2 + 60)
    assert plan.seconds == pytest.approx(225 + 1800 + 460)
    assert plan.data_bytes == pytest.approx(307_200 * (0.6 * 1500 + 0.9 * 300))
    assert plan.run_bytes == pytest.approx(1500 * (4.2 * 256 * 320 + 2 * 9 * 128**2) + 1.2e8)


def test_what_is_given_is_kept_and_more_cores_are_faster() -> None:
    one, four = (make_plan({"part": 0.1}, CAMERA, distance=(0.4, 0.8), minutes=10, frames=500, cores=cores)
                 for cores in (1, 4))
    assert (one.distance, one.proposed, one.train, one.minutes) == ((0.4, 0.8), False, 500, 10)
    assert (one.render_s, one.crops) == pytest.approx((4 * four.render_s, four.crops / 4))
    assert make_plan({"part": 0.1}, CAMERA).proposed


def test_what_does_not_fit_is_a_line_of_warning() -> None:
    """A pulley of 32 mm at 1.4 m, as synth once showed it without a word; a plate that exceeds the picture."""
    plan = make_plan({"pulley": 0.032, "plate": 0.5}, CAMERA, distance=(0.12, 1.4))
    small, large, near = plan.warnings
    assert small.startswith("pulley: 14 pixels at 1.4 m, under 30")
    assert large.startswith("plate: 2500 pixels at 0.12 m, larger than the image")
    assert near.startswith("0.12 m is out of the range of a depth camera")
    assert plan.objects[0].near.depth is None and plan.objects[0].far.depth is not None
    assert make_plan({"panel": 0.09}, CAMERA, distance=(0.3, 0.8)).warnings == ()
