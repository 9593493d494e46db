"""Trained runs that are passed on: packing with a model card, upload to the Hugging Face hub, and download."""
