"""Live streams: a camera of the configuration, its newest frame, its newest result."""
