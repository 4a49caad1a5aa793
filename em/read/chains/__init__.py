"""Chains of classes: a scan of NumPyro's as rows along time."""
