"""Report of a study: one self-contained HTML file of its results, data, runs, and how they were made."""
