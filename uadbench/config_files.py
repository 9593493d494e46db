"""Config files: merging of overlays and validation by the schema. Imports no torch."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from uadbench.errors import HarnessError, choices
from uadbench.packaged import SCHEMAS
from uadbench.validation import as_number

SCHEMA = SCHEMAS / "config.schema.yaml"


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


def filled_in(entry: dict[str, Any], key: str) -> dict[str, Any]:
    """A config entry with environment variables and `~` expanded in the path under `key`, if present."""
    if not isinstance(entry.get(key), str):
        return entry
    return {**entry, key: os.path.expanduser(os.path.expandvars(entry[key]))}


def check_characters(value: Any, place: str) -> None:
    """Refuse keys and strings with control characters, such as the line break that ends a YAML block.

    The schema's patterns accept a trailing one, and these strings become part of file names and commands.
    """
    if isinstance(value, str) and not value.isprintable():
        raise HarnessError(f"{place}: {value!r} holds a line break or another control character; write it on one line")
    for key, part in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        check_characters(key, place)
        check_characters(part, f"{place}.{key}".removeprefix("config."))


def check_schema(config: dict[str, Any]) -> None:
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    error = best_match(Draft202012Validator(schema).iter_errors(_without_empty(config)))
    if error is None:
        return
    place = ".".join(str(part) for part in error.absolute_path)
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = list(error.schema.get("properties", {}))
        unknown = [key for key in error.instance if key not in known]
        where = f"{place}.{unknown[0]}" if place else unknown[0]
        raise HarnessError(f"{where}: no such key; {choices(unknown[0], known)}")
    if error.validator_value in ("integer", "number") and (number := as_number(error.instance)):
        raise HarnessError(f"{place}: {error.instance!r} is text in YAML; write {number}")
    raise HarnessError(f"{place or 'config'}: {error.message}")


def _without_empty(config: dict[str, Any]) -> dict[str, Any]:
    """The config without the keys that an overlay set to `null`."""
    return {key: value for key, value in config.items() if value is not None}
