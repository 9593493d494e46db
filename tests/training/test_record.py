"""Records of runs that somebody else wrote: each wrong one is one line, from a folder as from the hub."""

import hashlib
import json
from pathlib import Path

import pytest

from tests.records import facts
from tests.trainings import trained
from uadbench.core.errors import HarnessError
from uadbench.core.files import read_json, write_json
from uadbench.training import record, run

CHANGES = [
    *({"method": 3}, {"method": "../../x"}, {"title": "a\nb"}, {"title": ["a"]}, {"family": None}, {"revision": "2"}),
    *({"seed": "../x"}, {"seed": -1}, {"seed": True}, {"seed": 1.5}, {"modality": "pet"}, {"modality": ["t1"]}),
    *({"spacing": value} for value in (1e-9, float("nan"), float("inf"), -4, 0, 5.0, "4", None)),
    *({"preprocessing": value} for value in (None, [], {"spacing": "4"}, {"side": "x"})),
    *({"params": [1]}, {"simulated": "yes"}, {"final": 3}, {"final": {"loss": "low"}}, {"seconds": "x"}),
    *({"weights": {name: "0" * 64}} for name in ("../x.safetensors", "/x.safetensors", "a/../b.safetensors", "x.bin")),
    *({"weights": value} for value in ([], {"a.safetensors": "0" * 63}, {"a.safetensors": 3})),
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_wrong_value_is_one_line(tmp_path, change):
    (tmp_path / "run.json").write_text(json.dumps(facts("vae", preprocessing={"spacing": 4.0}) | change))
    with pytest.raises(HarnessError, match=rf"run\.json: {next(iter(change))}") as error:
        record.record(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("key", ["method", "title", "seed", "spacing", "params", "preprocessing", "weights"])
def test_a_value_that_is_missing_is_named(tmp_path, key):
    about = facts("vae")
    del about[key]
    write_json(tmp_path / "run.json", about)
    with pytest.raises(HarnessError, match=rf"run\.json: {key}: is missing"):
        record.record(tmp_path)


OTHERS = ["[]", "null", '"x"', "[" * 100_000, '{"a":' * 300 + "1" + "}" * 300, " " * 2**21, "\0"]


@pytest.mark.parametrize("text", OTHERS, ids=range(len(OTHERS)))
def test_another_content_is_one_line(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(HarnessError, match=r"run\.json.*; check the name") as error:
        run.load(tmp_path)
    assert "\n" not in str(error.value)


def test_a_sound_record_passes(tmp_path):
    about = facts("vae-wide", preprocessing={"spacing": 4.0000004, "side": 0})
    write_json(tmp_path / "run.json", about)
    assert record.record(tmp_path, kind=record.Complete) == about
    write_json(tmp_path / "run.json", about | {"preprocessing": {"spacing": 1.0, "side": 128}})  # other within slices
    record.record(tmp_path)


@pytest.fixture(scope="module")
def folder(tiny_cohort, tmp_path_factory) -> Path:
    return trained("vae", tiny_cohort, tmp_path_factory.mktemp("record") / "run")


@pytest.fixture
def about(folder):
    """The record of a run, which is restored."""
    kept = (folder / "run.json").read_bytes()
    yield read_json(folder / "run.json")
    (folder / "run.json").write_bytes(kept)


@pytest.mark.parametrize("kind", ["none", "elsewhere"])
def test_weights_that_the_record_does_not_list_are_not_loaded(folder, about, kind):
    (folder.parent / "x.safetensors").write_bytes(b"x")
    listed = {"../../x.safetensors": hashlib.sha256(b"x").hexdigest()} if kind == "elsewhere" else {}
    write_json(folder / "run.json", about | {"weights": listed})
    reason = "are weights that no run has" if listed else r"run\.json does not list .*safetensors"
    with pytest.raises(HarnessError, match=reason):
        run.load(folder)


@pytest.mark.parametrize("change", [{"width": 2000}, {"latent": 200_000}, {"bottleneck_channels": 10**5}], ids=str)
def test_networks_much_larger_than_the_weights_are_not_built(folder, about, change):
    write_json(folder / "run.json", about | {"params": about["params"] | change})
    with pytest.raises(HarnessError, match=r"no network that fits \(its networks are larger than its weights\)"):
        run.load(folder)
