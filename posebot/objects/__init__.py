"""Layer 2, object models: mesh I/O, mesh linter, symmetry detection, BOP `models/` folders, and the kit."""
