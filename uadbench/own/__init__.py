"""Your own scans and your own score maps."""
