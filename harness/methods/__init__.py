"""All that a baseline may import: the contract, hyper-parameters, families of methods, anomalies, networks."""
