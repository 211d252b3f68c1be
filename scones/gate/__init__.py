"""What a confidence is worth: calibration, intervals, certificate."""
