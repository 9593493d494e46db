"""Columns of results.csv, which has a row for each method, seed, task, score, protocol and metric."""

from __future__ import annotations

META = ["experiment", "simulated", "method", "title", "family", "seed", "task", "dataset", "modality"]  # of a run
NUMBERS = ["value", "low", "high", "subjects", "left_out", "voxels", "positives"]
COLUMNS = [*META, "score", "protocol", "metric", *NUMBERS]
