"""Floor 1: the nouns. Plain NumPy; nothing here opens a file, a socket or a camera."""
