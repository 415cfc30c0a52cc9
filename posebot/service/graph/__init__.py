"""Inference behind the API: the same stages in one process, or spread over Ray Serve deployments."""
