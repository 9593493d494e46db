"""Rule `index`: the folder of a data set to a checked subject sheet."""
