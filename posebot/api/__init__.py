"""The Python front door: load a model, estimate poses, open a camera, train. Use its names from `posebot` itself."""
