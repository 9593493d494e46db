"""Tables of all numbers: results.csv, comparisons.csv, order.csv and subsets.csv."""
