"""Tables of all numbers: results.csv and the files beside it."""
