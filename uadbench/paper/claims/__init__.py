"""Statements of the paper, and what the results of studies say about each."""
