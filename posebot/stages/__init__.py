"""The stages of inference: arrays in, results out; no file, no socket, no camera."""

POSE_STAGE_VERSION = 1
"""Raised when a change alters the scores of poses, which makes the calibration of older bundles invalid."""
