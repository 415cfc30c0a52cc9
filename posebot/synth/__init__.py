"""Floor 4: scenes made by chance and their renderers."""
