"""Registration of a scan to the template, and checks of its result."""
