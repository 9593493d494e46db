"""A trained run is scored as itself or as a variant of its method that needs no other weights."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.commands import call
from tests.trainings import CPU, trained
from uadbench.core import provenance
from uadbench.core.errors import HarnessError
from uadbench.core.files import read_json
from uadbench.data.packing.store import Store
from uadbench.evaluation.inference.inference import score_volume
from uadbench.evaluation.voxels.histogram import load
from uadbench.methods import registry
from uadbench.methods.seeds import Streams
from uadbench.training import run

SHARED = {"vae": "vae-upd"}  # variants that compare image and reconstruction otherwise
WEIGHTS = {"grey_channels": 3}  # what the variant's weights are trained with


@pytest.fixture(scope="module", params=SHARED)
def pair(request, tiny_cohort, tmp_path_factory) -> tuple[Path, Path]:
    """Runs of a method and of its variant, each trained by itself."""
    folder = tmp_path_factory.mktemp(request.param)
    names = (request.param, SHARED[request.param])
    return tuple(trained(name, tiny_cohort, folder / name, 3, **WEIGHTS) for name in names)


def test_a_run_scored_as_a_variant_is_the_variants_own_run(pair, tiny_cohort):
    ours, theirs = pair
    store = Store.open(tiny_cohort)
    volume = torch.from_numpy(np.array(store.images("t1")[store.rows("t1", "test")[0]])).float()

    def scored(folder: Path, name: str | None) -> tuple[torch.Tensor, dict]:
        method, about = run.load(folder, CPU, name=name)
        return score_volume(method, volume, Streams(3), about["method"])["final"], about

    variant = SHARED[run.load(ours)[1]["method"]]
    shared, about = scored(ours, variant)
    own, expected = scored(theirs, None)
    torch.testing.assert_close(shared, own, rtol=0, atol=0)
    assert (about["method"], about["title"]) == (expected["method"], expected["title"])
    assert not torch.equal(shared, scored(ours, None)[0])


def test_results_bear_the_name_of_the_variant(pair, tiny_cohort, tmp_path):
    folder, variant = pair[0], SHARED[run.load(pair[0])[1]["method"]]
    arguments = ["--run", folder, "--method", variant, "--data", tiny_cohort, "--task", "A", "--modality", "t1"]
    call("test", *arguments, "--device", "cpu", "--out", tmp_path)
    meta = load(tmp_path / "full.npz")[1]
    assert (meta["method"], meta["title"]) == (variant, registry.describe(variant).title)


def test_a_run_is_not_scored_as_what_it_was_not_trained_as(tiny_cohort, tmp_path):
    folder = trained("pii", tiny_cohort, tmp_path / "pii")
    with pytest.raises(HarnessError, match=r"pii: was trained with different .* than pii-upd asks for"):
        run.load(folder, name="pii-upd")
    with pytest.raises(HarnessError, match=r"a run of pii, not of fpi"):
        run.load(folder, name="fpi")
    with pytest.raises(HarnessError, match=r"was trained with different steps than pii asks for"):
        run.load(folder, settings={"steps": 9})


@pytest.mark.parametrize("kind", ["bit", "half", "gone"])
def test_damaged_weights_are_not_scored_with(tiny_cohort, tmp_path, kind):
    folder = trained("vae", tiny_cohort, tmp_path / "run")
    run.load(folder)
    path = max((folder / "weights").rglob("*.safetensors"), key=lambda found: found.stat().st_size)
    content = bytearray(path.read_bytes())
    content[-9] ^= 64  # a number, not the header
    path.write_bytes({"bit": content, "half": content[: len(content) // 2]}.get(kind, path.read_bytes()))
    if kind == "gone":
        path.unlink()
    with pytest.raises(HarnessError, match=r"weights/.*safetensors: (missing|damaged).*train it again"):
        run.load(folder)


def test_files_that_others_leave_beside_weights_do_not_matter(tiny_cohort, tmp_path):
    """Snakemake leaves a time stamp in an output folder, after `run.json` is written."""
    folder = trained("vae", tiny_cohort, tmp_path / "run")
    (folder / "weights" / ".snakemake_timestamp").touch()
    run.load(folder)


@pytest.mark.parametrize("modified", [True, False, None])
def test_changed_code_is_kept_beside_the_run(tiny_cohort, tmp_path, monkeypatch, modified):
    """That of an earlier training in the same folder is not."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "code.patch").write_text("old")
    monkeypatch.setattr(provenance, "commit", lambda: {"commit": "c", "modified": modified})
    monkeypatch.setattr(provenance, "patch", lambda: (b"new", 2))
    folder = trained("random", tiny_cohort, tmp_path / "run")
    assert [path.read_bytes() for path in folder.glob("code*")] == [b"new"] * bool(modified)
    assert read_json(folder / "run.json")["environment"].get("patch_left_out") == (2 if modified else None)


def test_a_damaged_record_is_named(tiny_cohort, tmp_path):
    folder = trained("random", tiny_cohort, tmp_path / "run")
    text = (folder / "run.json").read_text()
    (folder / "run.json").write_text(text[: len(text) // 2])
    with pytest.raises(HarnessError, match=r"run\.json is no JSON"):
        run.load(folder)
