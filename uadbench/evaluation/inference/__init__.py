"""One pass over a test set: scoring by a trained run, and what is kept of every subject."""
