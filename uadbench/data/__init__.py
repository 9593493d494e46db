"""Data: simulated cohorts, layouts of real data sets, preprocessing and packed storage."""
