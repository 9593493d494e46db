"""The reference of hyper-parameters and the schema for editors: in step with the code, right for every config."""

import json
import subprocess
import sys
from dataclasses import asdict

import pytest
import yaml
from jsonschema import Draft202012Validator

from uadbench.core import validation
from uadbench.core.errors import HarnessError
from uadbench.methods import registry
from uadbench.methods.settings import resolve
from uadbench.study import reference as parameters

SCHEMA = "uadbench/schemas/config.schema.json"


@pytest.mark.parametrize(("path", "option"), [("docs/parameters.md", []), (SCHEMA, ["--schema"])])
def test_generated_files_are_those_of_the_code(root, path, option):
    command = [sys.executable, "-m", "uadbench", "parameters", *option]
    done = subprocess.run(command, cwd=root, check=True, capture_output=True, encoding="utf-8")
    assert (root / path).read_text(encoding="utf-8") == done.stdout, f"python {' '.join(command[1:])} > {path}"


@pytest.fixture(scope="module")
def validator(root) -> Draft202012Validator:
    schema = json.loads((root / SCHEMA).read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_every_config_names_the_schema_and_is_valid_by_it(root, validator):
    for path in [root / "config.yaml", *sorted((root / "config").glob("*.yaml"))]:
        first, text = path.read_text(encoding="utf-8").split("\n", 1)
        named = first.removeprefix("# yaml-language-server: $schema=")
        assert (path.parent / named).resolve() == (root / SCHEMA).resolve(), path.name
        assert not list(validator.iter_errors(yaml.safe_load(text))), path.name


@pytest.mark.parametrize(
    "params",
    [
        {"dae": {"stepps": 1}},
        {"dae": {"steps": "many"}},
        {"dae": {"t2": {"stepps": 1}}},
        {"dae-upd": {"residual": "cubic"}},
        {"disyre": {"size": [1.0]}},
        {"vae": {"squeezed": 8}},
        {"dae": {"t2": {"steps": 0}}},
        {"disyre": {"mirror": 1.5}},
        {"fae": {"widths": []}},
    ],
)
def test_the_schema_refuses_wrong_parameters(root, validator, params):
    config = yaml.safe_load((root / "config.yaml").read_text(encoding="utf-8"))
    assert list(validator.iter_errors({**config, "params": params}))


def test_every_parameter_has_a_meaning_and_variants_their_own_defaults():
    for name in registry.names():
        for parameter in parameters.parameters(name):
            assert parameter.description, f"{name}.{parameter.name}: no comment on its line"
    own = {p.name: p for p in parameters.parameters("dae-upd")}
    assert own["steps"].default == 10_000
    assert own["erosion"].scoring
    assert not own["clip"].scoring
    assert {p.name: p for p in parameters.parameters("vae")}["width"].defaults == {"t2": 16}


def test_comments_come_from_the_class_that_declares_and_from_those_above_it():
    described = {p.name: p.description for p in parameters.parameters("anoddpm")}
    assert described["steps"].startswith("optimiser steps; ")
    assert described["T"].endswith("steps of the diffusion")  # of DDPM, which it builds on
    assert described["frequency"] == "voxels per unit of the coarsest octave"


@pytest.mark.parametrize(
    ("method", "values", "message"),
    [
        ("dae", {"steps": 0}, r"params\.dae\.steps: must be greater than 0, not 0"),  # the family's range, own default
        ("dae", {"noise": float("nan")}, "noise: must be a finite number, not nan"),
        ("dae", {"steps": 3.5}, "steps: must be a valid integer, not 3.5"),
        ("dae", {"steps": True}, "steps: must be a valid integer, not True"),
        ("dae", {"field": 20}, "field: must be the side of a slice in mm, 50 to 1000"),
        ("disyre", {"size": [44, 10]}, r"size: must be two rising numbers, not \[44, 10\]"),
        ("disyre", {"size": [44]}, r"size\.1: is missing from \[44\]"),
        ("disyre", {"shapes": ["cube"]}, r"shapes\.0: must be 'square', 'sphere' or 'blob', not 'cube'"),
        ("disyre", {"overlap": 1}, "overlap: must be less than 1, not 1"),
        ("fpi", {"widths": [8, 8]}, r"params\.fpi: widths must be three to five"),
        ("dae", {"widths": [8, -16]}, r"widths\.1: must be greater than 0, not -16"),  # a range of the items
        ("ddpm", {"widths": [0, 0]}, r"widths\.0: must be greater than 0, not 0"),  # kept by the overriding field
        ("disyre", {"size": [0, 44]}, r"size\.0: must be greater than 0, not 0"),  # no anomaly at all
        ("pii", {"factor": [0, 0]}, r"factor\.0: must be greater than 0, not 0"),
        ("dae", {"erosion": 4}, "erosion: must be odd, the side of a square around a pixel, not 4"),
        ("patchcore", {"neighbourhood": 2}, "neighbourhood: must be odd"),
        ("rd", {"smoothing": 1000}, "smoothing: must be less than or equal to 100, not 1000"),
        ("dae", {"median": 33}, "median: must be less than or equal to 31, not 33"),
        ("dae", {"widths": [4, 4, 4, 4, 4]}, r"params\.dae: widths must be at most four"),
        ("dae", {"learning_rate": "1e-4"}, "learning_rate: '1e-4' is text in YAML; write 0.0001"),
        ("dae", {"learning_rate": "2e-7"}, r"learning_rate: '2e-7' is text in YAML; write 2\.0e-07"),
        ("dae", {"steps": "1e5"}, "steps: '1e5' is text in YAML; write 100000"),
        ("dae", {"widths": [8, "16"]}, r"widths\.1: '16' is text in YAML; write 16"),
    ],
)
def test_values_out_of_range_are_refused_in_one_line(method, values, message):
    with pytest.raises(HarnessError, match=message) as caught:
        resolve(method, "t1", {method: values})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("method", registry.every())
def test_no_hyper_parameter_may_be_negative(method):
    for name, value in asdict(resolve(method, "t1").params).items():
        numbers = value if isinstance(value, tuple) else (value,)
        if numbers and all(isinstance(number, int | float) and not isinstance(number, bool) for number in numbers):
            negative = [-number or -1 for number in numbers]
            with pytest.raises(HarnessError, match=rf"\b{name}\b"):
                resolve(method, "t1", {method: {name: negative if isinstance(value, tuple) else negative[0]}})


@pytest.mark.parametrize("number", ["1e-4", "2e-7", "1e5", "-3e2", "0.1", "7"])
def test_a_number_in_text_is_written_as_yaml_reads_it(number):
    assert yaml.safe_load(validation.as_number(number)) == float(number)


@pytest.mark.parametrize("text", ["many", "nan", "inf", "", "1e400", 3, None, [1]])
def test_other_text_is_no_number(text):
    assert validation.as_number(text) is None


def test_whole_numbers_and_lists_are_taken_as_floats_and_tuples():
    params = resolve("disyre", "t1", {"disyre": {"size": [10, 44], "soften": 1}}).params
    assert (params.size, params.soften) == ((10.0, 44.0), 1.0)
    assert [type(value) for value in (*params.size, params.soften)] == [float] * 3
