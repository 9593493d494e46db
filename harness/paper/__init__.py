"""Paper: tables and figures, from the tidy results only."""
