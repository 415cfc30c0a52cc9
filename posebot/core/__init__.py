"""Basic types: camera, frame, object, result, errors. Only NumPy and the standard library; no cameras, no sockets."""
