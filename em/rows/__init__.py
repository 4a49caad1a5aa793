"""The data of a run, read once; and what is worked out row by row."""
