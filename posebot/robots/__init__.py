"""Floor 2: where the camera is on the robot. Calibration targets, camera and hand-eye calibration, robot poses."""
