"""Figures of the paper, one per file."""
