"""Many fits: replicates, grids, folds, tests."""
