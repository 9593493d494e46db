"""Devices: choice, lock and number format of the processor that trains and scores."""
