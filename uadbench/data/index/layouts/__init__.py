"""Layouts of raw data sets, one per module."""
