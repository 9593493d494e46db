"""Config values as frozen dataclasses, with checks of names, types and ranges. Imports no torch.

Standard library alone, without pydantic: the environments of all stages check hyper-parameters, and so does one that
holds Snakemake alone.
"""

from __future__ import annotations

import dataclasses
import json
import types
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from uadbench.errors import HarnessError


def build(cls: type, values: dict[str, Any], where: str) -> Any:
    """Return `cls(**values)` after checking names and types; lists become tuples, whole numbers floats where wanted.

    `where` names the place in the config for the message, e.g. `params.dae`.
    A class may have RENAMED, a mapping of former to present names of parameters and values.
    Raises HarnessError for an unknown or former name, a wrong type or a value that the class refuses.
    """
    hints = get_type_hints(cls)
    known = [f.name for f in dataclasses.fields(cls)]
    names = getattr(cls, "RENAMED", {})
    checked = {}
    for key, value in values.items():
        if key not in known and key in names:
            raise HarnessError(f"{where}.{key}: the parameter {key} is renamed to {names[key]}")
        if key not in known:
            raise HarnessError(f"{where}.{key}: no such parameter; there are {', '.join(known)}")
        try:
            checked[key] = _conform(value, hints[key])
        except TypeError:
            if isinstance(value, str) and value in names:
                raise HarnessError(f"{where}.{key}: the value {value} is renamed to {names[value]}") from None
            wanted = str(hints[key]).replace("typing.", "").replace("<class '", "").replace("'>", "")
            raise HarnessError(f"{where}.{key}: {value!r} is not of type {wanted}") from None
    try:
        return cls(**checked)
    except ValueError as error:
        raise HarnessError(f"{where}: {error}") from None


def params_in(settings: str) -> dict[str, Any]:
    """The mapping `params` of the option `--settings`, empty without one.

    Raises HarnessError for a text that is no JSON, and for a value that is no mapping.
    """
    remedy = 'give a mapping such as {"params": {"steps": 100}}'
    try:
        values = json.loads(settings)
    except ValueError as error:
        raise HarnessError(f"--settings {settings!r}: no JSON ({error}); {remedy}") from None
    params = values.get("params", {}) if isinstance(values, dict) else None
    if not isinstance(params, dict):
        raise HarnessError(f"--settings {settings!r}: no mapping of hyper-parameters; {remedy}")
    return params


def upgraded(cls: type, values: dict[str, Any]) -> dict[str, Any]:
    """Values stored by an earlier version, with former names of parameters and values replaced."""
    known = {field.name for field in dataclasses.fields(cls)}
    names = {old: new for old, new in getattr(cls, "RENAMED", {}).items() if old not in known}
    return {names.get(key, key): names.get(v, v) if isinstance(v, str) else v for key, v in values.items()}


def _conform(value: Any, hint: Any) -> Any:
    """Return `value` as the type `hint`, or raise TypeError."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        for option in arguments:
            try:
                return _conform(value, option)
            except TypeError:
                continue
    elif origin is Literal:
        if value in arguments:
            return value
    elif origin is tuple:
        if isinstance(value, (list, tuple)):
            items = [arguments[0]] * len(value) if arguments[1:] == (Ellipsis,) else list(arguments)
            if len(items) == len(value):
                return tuple(_conform(v, h) for v, h in zip(value, items, strict=True))
    elif hint is float:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
    elif hint is int:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    elif isinstance(value, hint):
        return value
    raise TypeError
