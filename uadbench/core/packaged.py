"""Folder of the package that holds no code: published numbers, releases and lists."""

from pathlib import Path

RESOURCES = Path(__file__).resolve().parents[1] / "resources"
