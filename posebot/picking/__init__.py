"""Floor 5: what poses are for. A floating parallel gripper tries to pick the kit's objects in simulation (MuJoCo)."""
