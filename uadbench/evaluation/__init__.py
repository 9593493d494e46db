"""Evaluation: metrics, protocols and the scoring of volumes."""
