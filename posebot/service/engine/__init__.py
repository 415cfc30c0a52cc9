"""Inference without the web: pipelines, model cache, model activation."""
