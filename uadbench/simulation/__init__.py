"""Simulated cohorts in the file layouts of CamCAN, ATLAS v2.0 and BraTS 2020: the whole study without patient data."""
