"""How far an experiment is: what its config plans, what is on disk, and both as text. Imports no torch."""
