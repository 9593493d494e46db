"""A harness for unsupervised anomaly detection in brain MRI: data, training, evaluation, paper."""

__version__ = "0.1.0"
