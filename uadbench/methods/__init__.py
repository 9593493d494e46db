"""Modules that a baseline may import: interface, hyper-parameters, families of methods, anomalies, networks."""
