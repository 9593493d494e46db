"""The kinds of archives that evaluation writes and that tables, figures and the report read."""

from uadbench.core.archive import Kind

AGAIN = "score the test set again: snakemake --forcerun test"

HISTOGRAMS = Kind("score histograms", AGAIN)
FINDINGS = Kind("findings", AGAIN, format=3)
SLICES = Kind("example slices", AGAIN)
VOLUMES = Kind("example volumes", AGAIN)
SYNTHESIS = Kind("example anomalies", "draw them again: snakemake --forcerun synthesis")
