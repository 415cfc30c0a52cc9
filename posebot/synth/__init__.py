"""Layer 4, synthetic data: random scenes with domain randomisation, and their renderers.

`generate(SynthConfig(...))` writes a dataset in BOP format.
"""

from posebot.synth.config import SynthConfig
from posebot.synth.generator import SynthResult, generate

__all__ = ["SynthConfig", "SynthResult", "generate"]
