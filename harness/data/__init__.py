"""Data: the simulated cohort, the layouts of real data sets, preprocessing and packed storage."""
