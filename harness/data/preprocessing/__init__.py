"""Rule `preprocess`: scans of a subject sheet to brains on the grid of the template."""
