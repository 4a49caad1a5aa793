"""What runs the arithmetic: compiled by XLA, or interpreted by NumPy."""
