"""Pose hypotheses: templates, PnP RANSAC, Kabsch, texture landmarks, near symmetries and ambiguity."""
