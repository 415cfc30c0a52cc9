"""Floor 4: the stages of inference. Arrays in, results out; no file, no socket, no camera."""
