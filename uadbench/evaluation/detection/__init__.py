"""Lesions, slices and subjects: what is found at thresholds of healthy subjects."""
