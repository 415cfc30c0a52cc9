"""Layer 3, datasets: BOP reader and writer, training samples and their cache, augmentation."""
