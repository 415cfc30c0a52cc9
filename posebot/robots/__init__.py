"""Where the camera is on the robot: calibration targets, camera and hand-eye calibration, robot poses."""
