"""Scans as they are read: formats, volumes and their geometry."""
