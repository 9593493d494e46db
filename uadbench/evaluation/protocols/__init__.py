"""Evaluation protocols: which voxels and which labels count."""
