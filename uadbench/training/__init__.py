"""Training: one loop for every method, its random streams, schedules and checkpoints."""
