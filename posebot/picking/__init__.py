"""Layer 5, pick benchmark: a simulated parallel gripper (MuJoCo) picks the objects of the kit at estimated poses."""
