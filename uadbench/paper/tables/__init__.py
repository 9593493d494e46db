"""Tables of the paper, one per file."""
