"""Config files: what they say, by file and line; merging of overlays; characters."""

import contextlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from uadbench.core import documents
from uadbench.core.errors import HarnessError
from uadbench.core.faults import NO_FILE
from uadbench.core.validation import from_json

#: numbers that YAML 1.1 reads as everybody does
PLAIN = re.compile(r"[-+]?(0|[1-9][0-9]*|(?=\.?[0-9])[0-9]*\.[0-9]*([eE][-+][0-9]+)?|\.(inf|nan))", re.IGNORECASE)
TEXT, NUMBERS, DATE = "tag:yaml.org,2002:str", ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float"), "timestamp"
LACKING = ": is missing"  # of the message for a key that a config has to have
MERGE = "tag:yaml.org,2002:merge"
Lines = dict[str, int]  # by key, such as params.dae.steps


def read(*paths: str | Path) -> dict[str, Any]:
    """Read config files, each overriding the ones before it: mappings merge, everything else is replaced.

    Raises HarnessError as `parse`.
    """
    merged: dict[str, Any] = {}
    for path in paths:
        merged = _overlay(merged, parse(path)[0])
    return merged


def parse(path: str | Path) -> tuple[dict[str, Any], Lines]:
    """The mapping of a config file in YAML or JSON, and the line of each key in YAML.

    Raises HarnessError, with file and line where known, for a missing file, another encoding than UTF-8, another
    format, a key that stands twice in a mapping, and a key, number or date that YAML 1.1 reads otherwise than it looks.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except NO_FILE:
        raise HarnessError(f"{path}: no such config file; name one, such as config.yaml") from None
    except UnicodeDecodeError as error:
        raise HarnessError(f"{path}: not in UTF-8 ({error}); save it in this encoding") from None
    with contextlib.suppress(ValueError, RecursionError):
        json.loads(text)
        return from_json(text, f"{path}:", "write a mapping of keys, each once"), {}
    return parse_text(text, str(path))


def parse_text(text: str, where: str) -> tuple[dict[str, Any], Lines]:
    """The same of a text in YAML; `where` names it in errors."""
    lines: Lines = {}

    def check(node: yaml.Node) -> None:
        if not isinstance(node, yaml.MappingNode):
            raise HarnessError(f"{where}: no mapping of keys; see config.yaml for an example")
        _check(node, "", where, lines, set())

    try:
        return documents.of_yaml(text, check) or {}, lines
    except ValueError as error:
        raise HarnessError(f"{where}: not valid YAML: {error}") from None


def overridden(values: dict[str, Any], overrides: Mapping[str, Any], arguments: Iterable[str]) -> dict[str, Any]:
    """Values with the lists and mappings of Snakemake's `--config KEY=VALUE`, whose numbers it leaves as text.

    overrides: what it read; arguments: of its command line. Raises HarnessError as `parse`, and for a key given twice.
    """
    arguments = list(arguments)
    for key, value in overrides.items():
        given = [text for text in arguments if text.startswith(f"{key}=")]
        if len(given) > 1:
            raise HarnessError(f"--config: {key} is given twice; keep one")
        if given and isinstance(value, dict | list):
            values = _overlay(values, parse_text(f"{key}: {given[0].partition('=')[2]}", "--config")[0])
    return values


@contextlib.contextmanager
def located(*paths: str | Path, overrides: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Put file and line before an error whose message begins with a key.

    paths: of the config files, as for `read`; overrides: values of `--config`, which override all of them.
    """
    try:
        yield
    except HarnessError as error:
        key = str(error).partition(": ")[0]
        files = [(f"{_shown(path)}, line", parse(path)[1]) for path in reversed(paths)]
        given = {*_keys(overrides or {})}
        while key:
            if key in given:
                raise HarnessError(f"--config {error}") from None
            for place, lines in files:
                if key in lines:
                    raise HarnessError(f"{place} {lines[key]}: {error}") from None
            key = key.rpartition(".")[0]
        if LACKING in str(error) and files:
            raise HarnessError(f"{_shown(paths[-1])}: {error}") from None
        raise


def _keys(values: Any, above: str = "") -> Iterator[str]:
    """All keys in mappings, such as params.dae.steps."""
    for key, value in values.items() if isinstance(values, Mapping) else ():
        yield f"{above}{key}"
        yield from _keys(value, f"{above}{key}.")


def _shown(path: str | Path) -> str:
    """A path relative to the working folder, if it is in there."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def _check(node: yaml.Node, key: str, where: str, lines: Lines, seen: set[int]) -> None:
    """Note the lines of all keys below a node, once for all its aliases; raises HarnessError as `parse`."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        parts = [(str(number), item.start_mark.line, item) for number, item in enumerate(node.value)]
    elif isinstance(node, yaml.MappingNode):
        parts = [(str(name.value), name.start_mark.line, part) for name, part in node.value]
        own: Lines = {}
        for name, _ in node.value:
            place = f"{where}, line {name.start_mark.line + 1}: {key}{name.value}"
            if name.tag not in (TEXT, MERGE):
                raise HarnessError(f"{place}: YAML reads this key as no text; put it in quotes")
            if name.value in own:
                raise HarnessError(f"{place}: stands twice, first in line {own[name.value]}; keep one")
            own[name.value] = name.start_mark.line + 1
    else:
        _check_scalar(node, f"{where}, line {node.start_mark.line + 1}: {key.removesuffix('.')}")
        return
    for name, line, part in parts:
        lines[f"{key}{name}"] = line + 1
        _check(part, f"{key}{name}.", where, lines, seen)


def _check_scalar(node: yaml.Node, place: str) -> None:
    text = node.value
    if node.tag.endswith(DATE):
        raise HarnessError(f'{place}: YAML reads {text} as a date; write "{text}", in quotes')
    if node.tag not in NUMBERS or PLAIN.fullmatch(text):
        return
    try:
        number = yaml.safe_load(text)
        meant = int(text) if re.fullmatch("[-+]?[0-9]+", text) else number
    except ValueError:
        number = meant = "no number"
    raise HarnessError(f'{place}: YAML reads {text} as {number}; write {meant}, or "{text}" in quotes for a text')


def _overlay(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        nested = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _overlay(merged[key], value) if nested else value
    return merged


def check_characters(value: Any, place: str) -> None:
    """Refuse keys and strings with control characters, such as the line break that ends a YAML block.

    The schema's patterns accept a trailing one, and these strings become part of file names and commands.
    """
    if isinstance(value, str) and not value.isprintable():
        raise HarnessError(f"{place}: {value!r} holds a line break or another control character; write it on one line")
    for key, part in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        check_characters(key, place)
        check_characters(part, f"{place}.{key}".removeprefix("config."))
