"""Quality control of preprocessing: one table and one page per data set, which flag but never exclude subjects."""
