"""The verb `trace`: from a row of results.csv to weights, arrays, code and settings, and each change on the way."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.commands import call, ended, fails
from tests.trainings import trained
from uadbench.core.files import read_json, sha256, write_json
from uadbench.evaluation.voxels.histogram import load, save
from uadbench.status import integrity

RESULTS = "evaluation/results.csv"
SCORES = "evaluation/vae/T/seed-1/full.npz"
WEIGHTS = "training/vae/t1/seed-1/weights"


@pytest.fixture(scope="module")
def scored(tiny_cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with one run of a VAE, scored and summarised."""
    folder = tmp_path_factory.mktemp("traced") / "demo"
    packed = folder / "data" / read_json(tiny_cohort / "index.json")["dataset"] / "packed"
    shutil.copytree(tiny_cohort, packed)
    run = trained("vae", packed, folder / "training/vae/t1/seed-1")
    scores = (folder / SCORES).parent
    call("test", "--run", run, "--data", packed, "--task", "T", "--modality", "t1", "--out", scores)
    call("summarize", folder / SCORES, "--out", folder / RESULTS)
    return folder


@pytest.fixture
def study(scored: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(scored, tmp_path / "demo"))


def test_the_chain_ends_at_weights_data_code_and_settings(study: Path) -> None:
    said = call("trace", study / RESULTS, "--method", "vae").output
    (array,) = study.glob("data/*/packed/t1.npy")
    weights = next((study / WEIGHTS).glob("*.safetensors"))
    for path in (study / SCORES, array, weights):
        assert f"{path} {sha256(path)[:12]}" in said
    assert "vae.py" in said
    assert "latent=" in said
    assert "✗" not in said
    # Both ways to name a row print the same.
    rows = pd.read_csv(study / RESULTS)
    line = 2 + int(rows.index[(rows["metric"] == "ap") & (rows["score"] == "final")][0])
    assert call("trace", study / RESULTS, "--row", line).output == said
    assert rows["source"].nunique() == 1
    assert rows["source"].str.fullmatch("[0-9a-f]{12}").all()


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def _weight(study: Path) -> None:
    _flip(next((study / WEIGHTS).glob("*.safetensors")))


def _retrained(study: Path) -> None:
    """Another run in place of the one that was scored, whole in itself."""
    _weight(study)
    record = study / "training/vae/t1/seed-1/run.json"
    write_json(record, read_json(record) | {"weights": {p.name: sha256(p) for p in (study / WEIGHTS).iterdir()}})


def _array(study: Path) -> None:
    _flip(next(study.glob("data/*/packed/t1.npy")))


def _index(study: Path) -> None:
    index = next(study.glob("data/*/packed/index.json"))
    write_json(index, read_json(index) | {"spacing": 4.5})


def _row(study: Path) -> None:
    rows = pd.read_csv(study / RESULTS)
    rows.loc[rows["metric"] == "ap", "value"] += 1e-4
    rows.to_csv(study / RESULTS, index=False)


def _histogram(study: Path) -> None:
    """Scores of other voxels, in a file that is whole."""
    histograms, meta = load(study / SCORES)
    histograms["final"].add(histograms["final"].subjects[0], np.full(50, 1e-3, np.float32), np.ones(50, bool))
    save(study / SCORES, histograms, meta)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_weight, "weights .*✗ not"),
        (_retrained, "run .*✗ other weights"),
        (_array, "t1.npy .*✗ not"),
        (_index, "index.json .*✗ not"),
        (_row, "value .*✗ .* follows"),
        (_histogram, "value .*✗ .* follows"),
    ],
)
def test_a_change_by_hand_is_noticed(study: Path, change: Callable[[Path], None], said: str) -> None:
    change(study)
    done = ended("trace", study / RESULTS, "--method", "vae")
    assert re.search(said, done.output)
    assert "of the links of the chain are broken" in str(done.exception)


def test_check_names_scores_of_a_run_that_was_replaced(study: Path) -> None:
    assert not list(integrity.check(study))
    _retrained(study)
    (damage,) = integrity.check(study)
    assert damage.path.name == "findings.npz"
    assert "other weights" in damage.reason


def test_a_row_that_is_not_there_or_ambiguous_is_refused(study: Path) -> None:
    assert "no row has method vea; did you mean vae?" in fails("trace", study / RESULTS, "--method", "vea")
    assert "0 rows" in fails("trace", study / RESULTS, "--row", 9999)
    rows = pd.read_csv(study / RESULTS)
    pd.concat([rows, rows.assign(seed=2)]).to_csv(study / RESULTS, index=False)
    assert "2 rows" in fails("trace", study / RESULTS, "--method", "vae")


def test_scores_of_earlier_versions_have_no_source(study: Path) -> None:
    rows = pd.read_csv(study / RESULTS).drop(columns=["source", "code"])
    rows.to_csv(study / RESULTS, index=False)
    said = call("trace", study / RESULTS, "--method", "vae").output
    assert "✗" not in said
