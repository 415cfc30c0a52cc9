"""Floor 4: scenes made by chance and their renderers. `generate(SynthConfig(...))` makes a data set."""

from posebot.synth.config import SynthConfig
from posebot.synth.generator import SynthResult, generate

__all__ = ["SynthConfig", "SynthResult", "generate"]
