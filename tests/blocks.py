"""Blocks of code in the documents: what they tell a reader to type is what is tested."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WRITTEN = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of a document, but for those that a comment before them marks as not to be run by the tests."""
    text = page.read_text(encoding="utf-8")
    found = re.findall(rf"(<!-- not run by the tests.*?-->\n+)?```{language}\n(.*?)```", text, re.DOTALL)
    return [block for marked, block in found if not marked]


def is_file(block: str) -> bool:
    """Whether a block of Python is a file to write: it begins with a docstring."""
    return block.startswith('"""')


def session(page: Path) -> str:
    """What a reader types into Python, from the top of a document to its end."""
    return "\n".join(block for block in blocks(page, "python") if not is_file(block))


def baseline_files(page: Path) -> list[str]:
    """The baselines of a document, each a file."""
    return [block for block in blocks(page, "python") if is_file(block)]
