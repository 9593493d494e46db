"""JSON and YAML, also of others, parsed within limits: no text takes long, and every wrong one is a ValueError."""

import json
from collections.abc import Callable, Iterable
from typing import Any

LEVELS = 50  # of lists and mappings inside one another; those of the project have 6
VALUES = 100_000  # of a YAML text with every alias replaced by what it stands for
CHARACTERS = 2**20  # of a YAML text, which takes a minute per million


def of_json(text: str | bytes, strict: bool = False) -> Any:
    """The content of a JSON text. Raises ValueError for any other text, and for one nested deeper than LEVELS.

    strict: refuse a key that stands twice in a mapping, and NaN and Infinity, which are no JSON.
    """
    try:
        content = json.loads(
            text, object_pairs_hook=_unique if strict else None, parse_constant=_refused if strict else None
        )
    except RecursionError:
        content = text
        for _ in range(LEVELS + 1):
            content = [content]
    level: list[Any] = [content]
    for _ in range(LEVELS + 1):
        level = [part for value in level for part in _parts(value)]
    if level:
        raise ValueError(f"lists and mappings more than {LEVELS} deep")
    json.dumps(content, ensure_ascii=False).encode()  # half a surrogate pair, which no file can hold
    return content


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key} stands twice in a mapping")
        found[key] = value
    return found


def _refused(name: str) -> None:
    raise ValueError(f"{name} is no number")


def of_yaml(text: str, check: Callable[[Any], None] = lambda node: None) -> Any:
    """The content of a YAML text. Raises ValueError for any other text, for one beyond the limits, and as `check` does.

    check: called with the node of the text, unless that is empty, before its content is made.
    """
    import yaml

    if len(text) > CHARACTERS:
        raise ValueError(f"more than {CHARACTERS} characters")
    try:
        loader = yaml.SafeLoader(text)
        loader.name = "text"
        node = loader.get_single_node()
        check_extent(node)  # before construction, which copies what `<<` merges
        if node is not None:
            check(node)
        return None if node is None else loader.construct_document(node)
    except RecursionError:
        raise ValueError(f"lists and mappings more than {LEVELS} deep") from None
    except (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError) as error:  # the rest by odd `!!` tags
        raise ValueError(" ".join(str(error).split())) from None


def check_extent(content: Any) -> None:
    """Raise ValueError for lists and mappings, or nodes of YAML, beyond LEVELS or VALUES, also by repeated ones."""
    try:
        size, levels = _extent(content, {})
    except RecursionError:
        size, levels = 0, LEVELS + 1
    if levels > LEVELS:
        raise ValueError(f"lists and mappings more than {LEVELS} deep")
    if size > VALUES:
        raise ValueError(f"more than {VALUES} values, counting those of every alias")


def _extent(value: Any, known: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """Number of values, and levels, of a value. An alias inside of what it stands for counts as too deep."""
    if id(value) not in known:
        known[id(value)] = 0, LEVELS + 1
        extents = [_extent(part, known) for part in _parts(value)]
        size, levels = sum(size for size, _ in extents), max((levels for _, levels in extents), default=-1)
        known[id(value)] = 1 + size, 1 + levels
    return known[id(value)]


def _parts(value: Any) -> Iterable[Any]:
    """What a list or mapping, or a node of YAML, holds."""
    if isinstance(value, dict):
        return [*value, *value.values()]
    parts = getattr(value, "value", value)
    return parts if isinstance(parts, (list, tuple)) else ()
