"""Models: networks (torch, for training), runtimes (for inference) and the bundle."""
