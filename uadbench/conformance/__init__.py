"""Conformance suite: the checks that a baseline must pass, on a cohort small enough to train on in seconds."""
