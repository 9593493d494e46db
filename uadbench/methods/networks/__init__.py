"""Networks that several baselines share."""
