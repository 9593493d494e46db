"""Ground floor: errors, files, plugins, provenance and the folder of a study. Imports nothing of the other rooms."""
