"""posebot: what lies in front of a robot's camera, where, how it is turned, and how sure that is."""

__version__ = "0.1.0"
