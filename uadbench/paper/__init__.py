"""Paper: tables and figures, made only from the tidy results."""
