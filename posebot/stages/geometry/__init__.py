"""What the pose stage precomputes from the mesh of an object, and rendering it at a pose."""
