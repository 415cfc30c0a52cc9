"""What the pose stage knows of an object beforehand, from its mesh, and how it is drawn at a pose."""
