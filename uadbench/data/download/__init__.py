"""Download of open data sets: their tables, the choice of files, the transfer of one and of all."""
