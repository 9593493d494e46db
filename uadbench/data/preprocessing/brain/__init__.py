"""The brain in a scan: extraction, outline and grey values."""
