"""Packed data sets: one array for each modality, written and read."""
