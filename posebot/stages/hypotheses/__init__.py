"""Pose hypotheses: templates, PnP RANSAC, Kabsch, texture landmarks, near symmetries and ambiguity.

A hypothesis is a candidate pose before refinement.
"""
