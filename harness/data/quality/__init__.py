"""Quality control of preprocessing: one table and one page per data set, which flag subjects and exclude none."""
