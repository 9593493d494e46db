"""Synthetic anomalies, generated in batches on the training device."""
