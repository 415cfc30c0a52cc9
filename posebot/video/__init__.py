"""Layer 5: sources of frames and sinks of results: cameras, recordings, overlays, the simulated wrist camera."""
