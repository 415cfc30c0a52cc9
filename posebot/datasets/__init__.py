"""Floor 3: BOP data sets, crops and augmentation."""
