"""Config files: merging of overlays, paths with variables, characters."""

import os
from pathlib import Path
from typing import Any

import yaml

from uadbench.core.errors import HarnessError


def read(*paths: str | Path) -> dict[str, Any]:
    """Read config files, each overriding the ones before it: mappings merge, everything else is replaced."""
    merged: dict[str, Any] = {}
    for path in paths:
        try:
            merged = _overlay(merged, yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {})
        except FileNotFoundError:
            raise HarnessError(f"{path}: no such config file") from None
        except yaml.YAMLError as error:
            raise HarnessError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
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
