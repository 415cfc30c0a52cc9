"""Training: loops, calibration, export. The loops are plain torch and run with or without Ray."""
