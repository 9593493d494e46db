"""A study: its config, what the config means, its folder, and the checks before any job starts. Imports no torch."""
