"""Scans as they are read: volumes and their geometry."""
