"""Live streams: one camera, its results, recordings and subscribers."""
