"""Floor 5: where frames come from and where results go: sources, sinks, overlays, the simulated wrist camera."""
