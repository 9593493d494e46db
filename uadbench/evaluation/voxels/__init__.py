"""Scores of voxels: histograms, metrics of the whole test set, and their intervals."""
