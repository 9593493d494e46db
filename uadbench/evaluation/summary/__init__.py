"""Tables of all numbers: results.csv and comparisons.csv."""
