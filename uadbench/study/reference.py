"""Hyper-parameter reference, as Markdown and as JSON schema, read from the baselines' files without torch."""

import ast
import dataclasses
import functools
import io
import json
import re
import sys
import tokenize
from pathlib import Path
from typing import Any

from uadbench.core import validation
from uadbench.core.modalities import NAMES
from uadbench.core.plugins import syntax_tree
from uadbench.data.preprocessing.settings import PROTOCOLS, Preprocessing
from uadbench.methods import registry
from uadbench.study.config import ANCHORS, Config

MEANING = "Changing a parameter marked *scoring* scores runs again; changing another trains them again."


@dataclasses.dataclass(frozen=True)
class Parameter:
    """A hyper-parameter of a method."""

    name: str
    default: Any
    schema: dict[str, Any]  # JSON schema of its type and range
    description: str  # unit, range and source: the comment on its line
    scoring: bool  # whether only scoring reads it
    defaults: dict[str, Any]  # differing defaults, by modality


def parameters(method: str) -> list[Parameter]:
    """The hyper-parameters of a baseline or a variant, in the order of their declaration."""
    cls = registry.params_class(method)
    own = registry.describe(method).params
    schemas = validation.model(cls).model_json_schema().get("properties", {})
    found = []
    for field in dataclasses.fields(cls):
        name = field.name
        schema = {key: value for key, value in schemas[name].items() if key not in ("title", "default")}
        comments = filter(None, (_comments(base).get(name) for base in reversed(cls.__mro__)))
        by_modality = {} if name in own else getattr(cls, "MODALITY", {})
        differing = {modality: values[name] for modality, values in by_modality.items() if name in values}
        default, scoring = own.get(name, field.default), bool(field.metadata.get("scoring"))
        found.append(Parameter(name, default, schema, "; ".join(dict.fromkeys(comments)), scoring, differing))
    return found


def markdown() -> str:
    """The page docs/parameters.md: a table for each baseline, and one line for each of its variants."""
    lines = [
        "# Hyper-parameters",
        "",
        "Set them under `params` in a config, by method: `params: {dae: {steps: 1000, t2: {steps: 300}}}`. Values",
        f"under a modality ({', '.join(NAMES)}) apply to it alone. {MEANING}",
        "A variant has the values that the config gives its baseline where it sets none itself.",
        "`uadbench parameters` writes this page from the files of [baselines/](../baselines).",
    ]
    for name in registry.names():
        about = registry.describe(name)
        lines += ["", f"## {about.title}", "", f"`{name}`: {about.summary}" if about.summary else f"`{name}`"]
        listed = parameters(name)
        if listed:
            lines += ["", "| parameter | default | meaning |", "|---|---|---|"]
            lines += [f"| `{p.name}` | {_default(p)} | {_meaning(p)} |" for p in listed]
        else:
            lines += ["", "It has none."]
        for variant in about.variants:
            values = registry.describe(f"{name}-{variant}").params
            set_to = ", ".join(f"`{key}: {_value(value)}`" for key, value in values.items()) or "the same"
            lines += ["", f"Variant `{name}-{variant}`: {set_to}."]
    return "\n".join(lines) + "\n"


def schema() -> str:
    """JSON schema of a config with every hyper-parameter, for editors; the workflow checks more than that."""
    whole = _simplified(Config.model_json_schema(), {})
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Experiment", **whole}
    whole["$defs"] = {name: {"type": "object", "properties": _properties(name)} for name in registry.names()}
    whole["patternProperties"] = {f"^({'|'.join(map(re.escape, ANCHORS))})": {"description": "A place for anchors."}}
    keys = whole["properties"]
    keys["params"]["properties"] = {name: _method_schema(name) for name in registry.every()}
    title = {"title": {"type": "string", "description": "Name in tables."}}
    variants = {f"^{name}-[a-z0-9_]+$": _method_schema(name, title) for name in registry.names()}
    keys["variants"] |= {"patternProperties": variants, "additionalProperties": False}
    described = {name: {"description": text} for name, text in _comments(Preprocessing).items()}
    settings = _simplified(validation.model(Preprocessing).model_json_schema(), {})["properties"]
    keys["preprocessing"] |= {
        "properties": {
            "protocol": {"enum": list(PROTOCOLS), "description": "Sets all others, which override it."},
            **{name: {**about, **described.get(name, {})} for name, about in settings.items()},
        },
        "additionalProperties": False,
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


def _simplified(node: Any, defined: dict[str, Any]) -> Any:
    """A schema of pydantic without references, titles of keys, and `null` for keys that may be left out."""
    if isinstance(node, list):
        return [_simplified(part, defined) for part in node]
    if not isinstance(node, dict):
        return node
    # Pydantic before 2.8 writes the bounds of floats as floats.
    whole = {key: int(value) for key, value in node.items() if key in BOUNDS and value == int(value)}
    node = node | whole
    defined = node.get("$defs", defined)
    if "$ref" in node:
        node = {**defined[node["$ref"].rpartition("/")[2]], **{k: v for k, v in node.items() if k != "$ref"}}
    kinds = [kind for kind in node.get("anyOf", []) if kind != {"type": "null"}]
    if len(kinds) == 1:
        node = {**kinds[0], **{key: value for key, value in node.items() if key not in ("anyOf", "default")}}
        return _simplified(node, defined)
    if kinds:
        node = {**{key: value for key, value in node.items() if key != "default"}, "anyOf": kinds}
    left_out = ("$defs", "title", "properties")
    made = {key: _simplified(value, defined) for key, value in node.items() if key not in left_out}
    if "properties" in node:  # whose keys are those of the config
        made["properties"] = {key: _simplified(value, defined) for key, value in node["properties"].items()}
    return made


def _properties(name: str) -> dict[str, Any]:
    """Schemas of a baseline's parameters."""
    return {
        p.name: {**p.schema, "description": f"{_meaning(p)} (default: {_default(p)})".strip()} for p in parameters(name)
    }


def _method_schema(name: str, more: dict[str, Any] | None = None) -> dict[str, Any]:
    """Schema of a method's parameters, repeated under each modality."""
    own = {"$ref": f"#/$defs/{registry.base(name)}"}
    alone = {**own, "unevaluatedProperties": False}
    return {"allOf": [own], "properties": dict.fromkeys(NAMES, alone) | (more or {}), "unevaluatedProperties": False}


@functools.cache
def _comments(cls: type) -> dict[str, str]:
    """Comments on the lines of a class's own fields, by the name of the field."""
    if not dataclasses.is_dataclass(cls):
        return {}
    name = cls.__module__
    own = registry.BASELINES.path(name.removeprefix(registry.PARAMS_MODULE)) if registry.PARAMS_MODULE in name else None
    path = own or Path(str(sys.modules[name].__file__))
    source = path.read_text(encoding="utf-8")
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    by_line = {token.start[0]: token.string.removeprefix("# ") for token in tokens if token.type == tokenize.COMMENT}
    classes = (node for node in syntax_tree(path).body if isinstance(node, ast.ClassDef))
    body = next(node.body for node in classes if node.name == cls.__name__)
    fields = [node for node in body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)]
    return {node.target.id: by_line[node.end_lineno] for node in fields if node.end_lineno in by_line}  # type: ignore[union-attr]


def _meaning(parameter: Parameter) -> str:
    text = parameter.description.replace("|", "\\|")
    return f"{text} *scoring*".strip() if parameter.scoring else text


def _default(parameter: Parameter) -> str:
    others = [f"{modality.upper()}: {_value(value)}" for modality, value in parameter.defaults.items()]
    return "; ".join([_value(parameter.default), *others])


def _value(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False).strip('"')
