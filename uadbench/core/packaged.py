"""Folders of the package that hold no code: published numbers, releases and lists (resources), and schemas."""

from pathlib import Path

RESOURCES = Path(__file__).resolve().parents[1] / "resources"
SCHEMAS = Path(__file__).resolve().parents[1] / "schemas"
