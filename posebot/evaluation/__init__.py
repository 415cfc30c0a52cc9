"""Evaluation: accuracy of the poses (BOP's metrics) and whether their certainty is calibrated."""
