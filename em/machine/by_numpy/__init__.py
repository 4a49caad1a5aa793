"""Functions that NumPy carries out: what runs a few times need not be compiled."""
