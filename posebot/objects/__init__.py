"""Floor 2: meshes. Reading, writing, checking, symmetries, BOP `models/` folders, and the kit."""
