"""Rule `index`: validated subject sheet of a data set's folder."""
