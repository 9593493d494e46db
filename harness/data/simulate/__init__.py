"""A simulated cohort in the file layouts of CamCAN, ATLAS v2.0 and BraTS 2020, so that the whole study runs without patient data."""
