"""Config values as frozen dataclasses: pydantic checks names, types and ranges. Imports no torch."""

import dataclasses
import functools
import inspect
import json
import math
import re
import reprlib
from collections.abc import Mapping
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from uadbench.core.documents import of_json
from uadbench.core.errors import HarnessError, choices

#: pattern of names of subjects, tasks and experiments, which become parts of file names
NAME = "^[A-Za-z0-9][A-Za-z0-9._-]*$"
#: what a text that matches a pattern is made of
NAMES = {
    NAME: "letters, digits, . _ and - alone, first a letter or a digit",
    "^[A-Za-z0-9][A-Za-z0-9_-]*$": "letters, digits, _ and - alone, first a letter or a digit",
    "^[a-z0-9_]+(-[a-z0-9_]+)?$": "small letters, digits and _ alone, and for a variant one -",
    "^[a-z0-9_]+-[a-z0-9_]+$": "BASELINE-NAME, in small letters, digits and _",
    "^[a-z]+$": "small letters alone",
    "^(auto|cpu|cuda(:[0-9]+)?|mps)$": "auto, cpu, cuda, cuda:1 or mps",
}
STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, arbitrary_types_allowed=True)


class Record(BaseModel):
    """Keys of a record of JSON, with finite numbers; others may stand beside them."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class Part(BaseModel):
    """A mapping of the config: unknown keys and values of other types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


@functools.cache  # a sheet has hundreds of rows of one class, and a study as many settings of a method
def model(cls: type) -> type[BaseModel]:
    """The pydantic model of a dataclass. A field that overrides another keeps the ranges of that one's annotation."""
    types: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        hints = get_type_hints(base, include_extras=True)
        for name in inspect.get_annotations(base):
            types[name] = _restricted(hints[name], types[name]) if name in types else hints[name]
    fields: dict[str, Any] = {f.name: (types[f.name], f.default) for f in dataclasses.fields(cls)}
    return create_model(cls.__name__, __config__=STRICT, **fields)


def _restricted(own: Any, former: Any) -> Any:
    """The type `own` with the ranges of `former` too, also those of the items of a tuple."""
    (plain, ranges), (other, inherited) = (
        (hint.__origin__, hint.__metadata__) if get_origin(hint) is Annotated else (hint, ()) for hint in (own, former)
    )
    items, others = get_args(plain), get_args(other)
    if get_origin(plain) is tuple and get_origin(other) is tuple and len(items) == len(others):
        plain = tuple[tuple(map(_restricted, items, others))]  # type: ignore[misc]
    return Annotated[plain, *inherited, *ranges] if inherited or ranges else plain


def build(cls: type, values: dict[str, Any], where: str, joint: str = ".") -> Any:
    """Return `cls(**values)` after checking names, types and ranges; lists become tuples, whole numbers floats.

    `where` names the place in the config for the message, e.g. `params.dae`; `joint` precedes the name of a value.
    Raises HarnessError for an unknown name, a wrong type or a value out of range or refused by the class.
    """
    try:
        checked = model(cls).model_validate_json(json.dumps(values, default=str))
        return cls(**{name: getattr(checked, name) for name in checked.model_fields_set})
    except ValidationError as error:
        raise HarnessError(_message(cls, error, where + joint)) from None
    except ValueError as error:
        raise HarnessError(f"{where}: {error}") from None


def check_record(content: Any, kind: type[Record], where: str, remedy: str) -> None:
    """Raise HarnessError, `where` first and `remedy` last, unless parsed JSON has the keys and types of `kind`."""
    try:
        kind.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"] if part != "[key]")
        reason = re.sub(r"^(Input|String) should ", "must ", first["msg"]).partition(" or instance")[0]
        if first["type"] == "value_error":
            reason = first["msg"].removeprefix("Value error, ")
        elif first["type"] == "missing":
            reason = "is missing"
        else:
            reason += f", not {reprlib.repr(first['input'])}"
        raise HarnessError(f"{where}: {key}{': ' * bool(key)}{reason}; {remedy}") from None


def from_json(text: str, where: str, remedy: str = "") -> dict[str, Any]:
    """The mapping in a JSON text. Raises HarnessError, which ends with `remedy`, for any other text, a key that stands
    twice in a mapping, and NaN or Infinity, which are no JSON."""
    remedy = remedy or 'give a mapping such as {"name": "value"}'
    try:
        content = of_json(text, strict=True)
    except ValueError as error:
        raise HarnessError(f"{where} {text[:60]!r}: no JSON ({error}); {remedy}") from None
    if not isinstance(content, dict):
        raise HarnessError(f"{where} {text[:60]!r}: no mapping; {remedy}")
    return content


def _message(cls: type, error: ValidationError, where: str) -> str:
    """The first error in one line."""
    first = error.errors(include_url=False)[0]
    key, value = ".".join(map(str, first["loc"])), first["input"]
    if first["type"] == "extra_forbidden":
        return f"{where}{key}: no such parameter; {choices(key, (f.name for f in dataclasses.fields(cls)))}"
    if first["type"] == "missing":
        return f"{where}{key}: is missing from {value!r}"
    if right := spelling(first, value):
        return f"{where}{key}: {right}"
    reason = first["msg"].removeprefix("Value error, ").replace("Input should", "must", 1).partition(", not ")[0]
    return f"{where}{key}: {reason}, not {value!r}"


def spelling(error: Mapping[str, Any], value: Any) -> str | None:
    """What is wrong with a value, and the right spelling; None where it cannot be known.

    error: one of pydantic's, of a value of another type, or a name that does not match its pattern.
    """
    kind = error["type"]
    if kind == "string_pattern_mismatch" and (pattern := error["ctx"]["pattern"]) in NAMES:
        return f"{value!r} is no such name; write {NAMES[pattern]}"
    if kind in ("int_type", "int_from_float", "float_type") and (number := as_number(value)):
        return f"{value!r} is {'text in YAML' if isinstance(value, str) else 'no whole number'}; write {number}"
    if kind == "string_type" and isinstance(value, bool | int | float):
        return f"{value!r} is no text in YAML; put what stands there in quotes"
    if kind == "bool_type" and isinstance(value, str):
        return f"{value!r} is text in YAML; write true or false, without quotes"
    if kind in ("list_type", "tuple_type") and isinstance(value, str | int | float):
        return f"{value!r} is no list; write [{value}]"
    return None


def as_number(value: Any) -> str | None:
    """The spelling that YAML 1.1 reads as the number in a text such as 1e-4 or 08, or in a float such as 2.0.

    None for other values. YAML 1.1 reads a number with an exponent as text where it lacks the point or the sign.
    """
    if isinstance(value, bool) or not isinstance(value, str | float):
        return None
    try:
        number = float(int(value, 0) if isinstance(value, str) and value[:1] == "0" and value[1:2].isalpha() else value)
    except (ValueError, OverflowError):
        return None
    if isinstance(value, float) and not number.is_integer():
        return None
    if not math.isfinite(number):
        return None
    return str(int(number)) if number.is_integer() else str(yaml.safe_dump(number).split()[0])
