"""Config files: merging of overlays, paths with variables, characters."""

import os
from pathlib import Path
from typing import Any

from uadbench.core import documents
from uadbench.core.errors import HarnessError


def read(*paths: str | Path) -> dict[str, Any]:
    """Read config files, each overriding the ones before it: mappings merge, everything else is replaced."""
    merged: dict[str, Any] = {}
    for path in paths:
        try:
            content = documents.of_yaml(Path(path).read_text(encoding="utf-8")) or {}
        except FileNotFoundError:
            raise HarnessError(f"{path}: no such config file") from None
        except ValueError as error:
            raise HarnessError(f"{path}: not valid YAML: {error}") from None
        if not isinstance(content, dict):
            raise HarnessError(f"{path}: no mapping of keys; see config.yaml for an example")
        merged = _overlay(merged, content)
    return merged


def _overlay(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        nested = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _overlay(merged[key], value) if nested else value
    return merged


def expanded(path: str) -> str:
    """A path with environment variables and `~` replaced."""
    return os.path.expanduser(os.path.expandvars(path))


def check_characters(value: Any, place: str) -> None:
    """Refuse keys and strings with control characters, such as the line break that ends a YAML block.

    The schema's patterns accept a trailing one, and these strings become part of file names and commands.
    """
    if isinstance(value, str) and not value.isprintable():
        raise HarnessError(f"{place}: {value!r} holds a line break or another control character; write it on one line")
    for key, part in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        check_characters(key, place)
        check_characters(part, f"{place}.{key}".removeprefix("config."))
