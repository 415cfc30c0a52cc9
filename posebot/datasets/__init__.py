"""Floor 3: BOP folders in and out, training crops and frames, their cache and augmentation."""
