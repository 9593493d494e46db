"""Every default of every method has a source, and the value that stands beside it there."""

import json
import re
from functools import cache
from pathlib import Path

import pytest
import torch

from tests.trainings import built
from uadbench.methods import registry
from uadbench.study.reference import parameters

PAGE = Path(__file__).resolve().parents[2] / "docs" / "default-sources.md"
ROW = re.compile(r"^\| `(\w+)` \| (.+?) \| (.+) \|$", re.MULTILINE)
VARIANTS = sorted(set(registry.every()) - set(registry.names()))


@cache
def page() -> tuple[dict[str, dict[str, str]], list[str], set[str]]:
    """Defaults by method and name, all sources, and the works that they may name."""
    legend, *sections = PAGE.read_text(encoding="utf-8").split("\n## ")
    works = set(re.findall(r"^\| ([^|]+) \| [^|]+ \|$", legend, re.MULTILINE)) - {"short"}
    stated: dict[str, dict[str, str]] = {}
    sources = []
    for heading, body in (section.split("\n", 1) for section in sections):
        for method in re.findall(r"`([\w-]+)`", heading):
            for name, value, source in ROW.findall(body):
                assert name not in stated.setdefault(method, {}), f"{method}.{name} stands twice"
                stated[method][name] = value
                sources.append(source)
    return stated, sources, works


def parameters_of(name: str) -> dict[str, dict[str, object]]:
    """Stated defaults of a method: by parameter, then by modality, '' for all; a cell such as `32; T2: 16`."""
    found: dict[str, dict[str, object]] = {}
    for parameter, cell in page()[0].get(name, {}).items():
        if parameter != "optimiser":
            for part in cell.split("; "):
                modality, _, value = part.rpartition(": ")
                number = re.match(r'[-\d\["]|true$|false$', value)  # else a word
                found.setdefault(parameter, {})[modality.lower()] = json.loads(value) if number else value
    return found


def optimiser(name: str) -> str:
    """The optimisers of a method: what differs from torch's defaults, and the maximum norm of the gradient."""
    needed = registry.describe(name).requires
    method = built(name, needed and built(needed))
    elsewhere = {"lr", "fused", "foreach", *vars(method.params)}  # parameters, and what changes no result
    found = {}
    for update in (update for phase in method.phases() for update in phase.updates if update.optimizer):
        kind, chosen = type(update.optimizer), update.optimizer.defaults
        plain = kind([torch.zeros(1)]).defaults
        own = sorted(key for key in chosen.keys() - elsewhere if chosen[key] != plain[key])
        named = [f"{key} {json.dumps(chosen[key])}" for key in own]
        found[", ".join([kind.__name__, *named, *([f"clip {update.clip}"] if update.clip else [])])] = None
    return "; ".join(found)


@pytest.mark.parametrize("name", registry.names())
def test_the_defaults_of_a_method_are_those_of_its_sources(name):
    ours = {parameter.name: {"": parameter.default, **parameter.defaults} for parameter in parameters(name)}
    assert parameters_of(name) == json.loads(json.dumps(ours))


@pytest.mark.parametrize("name", VARIANTS)
def test_the_values_of_a_variant_are_those_of_its_sources(name):
    ours = {parameter: {"": value} for parameter, value in registry.describe(name).params.items()}
    assert parameters_of(name) == json.loads(json.dumps(ours))


@pytest.mark.parametrize("name", registry.every())
def test_the_optimiser_of_a_method_is_that_of_its_sources(name):
    stated = page()[0]
    inherited = stated.get(registry.base(name), {}).get("optimiser", "")
    assert optimiser(name) == stated.get(name, {}).get("optimiser", inherited)


def test_every_source_is_a_listed_work_or_called_an_own_choice():
    stated, sources, works = page()
    assert len(works) > 10
    assert set(stated) <= set(registry.every())
    named = {re.split("[,:;] ", source)[0] for source in sources}
    assert named <= works | {"own choice"}
    for work in works:
        assert any(re.search(rf"\b{re.escape(work)}[,:]", source) for source in sources), f"{work}: not used"
