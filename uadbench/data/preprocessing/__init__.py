"""Rule `preprocess`: brain extraction and registration of a sheet's scans to the template grid."""
