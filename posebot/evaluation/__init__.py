"""Floor 4: how good the poses are (BOP's metrics) and whether their certainty can be trusted."""
