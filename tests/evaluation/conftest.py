"""Lets the tests of this folder import its helper `bop_reference`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
