"""A run written down as it goes, so that it survives its process."""
