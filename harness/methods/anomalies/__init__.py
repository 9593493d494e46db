"""Synthetic anomalies, made on the training device in batches."""
