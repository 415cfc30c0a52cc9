"""Refinement of pose hypotheses: ICP on depth, coordinates, contour and ground plane."""
