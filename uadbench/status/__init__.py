"""Progress of an experiment: its plan by the config, its files on disk, and both as text. Imports no torch."""
