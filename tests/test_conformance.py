"""What every baseline must do; a new file in `baselines/` is checked here without being named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from uadbench import registry
from uadbench.data.store import Store
from uadbench.evaluation.inference import score_volume
from uadbench.methods.seeds import Streams
from uadbench.training import loop, run
from uadbench.training.job import train_run
from uadbench.training.loop import LoopConfig

CPU = torch.device("cpu")
QUICK = LoopConfig(history=2, validation=1)


@pytest.fixture(scope="module", params=registry.every())
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def train(name, tiny_cohort, tmp_path_factory):
    """Train the baseline with a seed into a fresh folder, its required run first; returns the folder."""

    def trained(method: str, seed: int, config: LoopConfig = QUICK, out: Path | None = None) -> Path:
        about = registry.describe(method)
        parent = trained(about.requires, seed) if about.requires else None
        out = out or tmp_path_factory.mktemp(method) / f"seed-{seed}"
        train_run(method, about.small, "t1", seed, tiny_cohort, out, CPU, parent, config)
        return out

    def of_name(seed: int, **options) -> Path:
        return trained(name, seed, **options)

    of_name.parent = lambda seed: trained(about.requires, seed) if (about := registry.describe(name)).requires else None
    return of_name


@pytest.fixture(scope="module")
def first(train) -> Path:
    return train(1)


@pytest.fixture(scope="module")
def volume(tiny_cohort) -> torch.Tensor:
    store = Store.open(tiny_cohort)
    return torch.from_numpy(np.array(store.images("t1")[store.rows("t1", "test")[0]])).float()


def scores(train, folder: Path, volume: torch.Tensor) -> dict[str, torch.Tensor]:
    method, about = run.load(folder, CPU, required=train.parent(1))
    return score_volume(method, volume, Streams(about["seed"]), about["method"])


def weights(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.safetensors")}


def test_declares_itself(name):
    about = registry.describe(name)
    assert about.title
    assert about.paper
    assert about.revision >= 1
    assert registry.params(name, {}, "t1")
    assert registry.params(name, {}, "t2")


def test_file_is_short_and_documented(name):
    text = registry.BASELINES.path(registry.base(name)).read_text()
    assert text.startswith('"""')
    assert text.count("\n") <= 200


def test_trains_with_finite_loss(name, first):
    history = pd.read_csv(first / "history.csv")
    trained = "steps" in registry.describe(name).small
    assert trained == bool(len(history))
    assert history.loss.notna().equals(history.step > 0)
    assert history.validation.notna().all()


def test_same_seed_gives_the_same_weights(train, first):
    assert weights(train(1)) == weights(first)


def test_another_seed_gives_other_weights(train, first):
    if weights(first):
        assert weights(train(2)) != weights(first)


def test_resumes_to_the_same_bits(name, train, first, tmp_path, monkeypatch):
    steps = (pd.read_csv(first / "history.csv").step > 0).sum() * QUICK.history
    if not steps:
        pytest.skip(f"{name} is not trained")

    class Killed(Exception):
        pass

    def advance(progress):
        progress.done += 1
        if progress.done == steps // 2 + 1:
            raise Killed

    out = tmp_path / "killed"
    with monkeypatch.context() as patch:
        patch.setattr(loop.Progress, "advance", advance)
        with pytest.raises(Killed):
            train(1, config=LoopConfig(history=2, validation=1, save=0), out=out)
    assert (out / "state.pt").is_file()
    assert not (out / "run.json").exists()
    train(1, out=out)
    assert weights(out) == weights(first)
    same = ["phase", "step", "loss", "validation", "learning_rate"]
    pd.testing.assert_frame_equal(pd.read_csv(out / "history.csv")[same], pd.read_csv(first / "history.csv")[same])
    assert not (out / "state.pt").exists()


def test_scores_are_maps_of_the_volume(train, first, volume):
    maps = scores(train, first, volume)
    assert "final" in maps
    for values in maps.values():
        assert values.shape == volume.shape
        assert torch.isfinite(values).all()
        assert (values >= 0).all()
        assert (values[volume == 0] == 0).all()
    assert maps["final"].max() > 0


def test_saved_and_loaded_runs_score_alike(train, first, volume):
    one, two = (scores(train, first, volume) for _ in range(2))
    assert one.keys() == two.keys()
    assert all(torch.equal(one[key], two[key]) for key in one)


def test_scoring_keeps_the_volume_and_takes_any_shape(train, first, volume):
    before = volume.clone()
    scores(train, first, volume)
    assert torch.equal(volume, before)
    larger = torch.nn.functional.pad(volume, (9, 4, 3, 8, 1, 0))
    assert scores(train, first, larger)["final"].shape == larger.shape


def test_restoration_is_a_volume_of_its_kind(train, first, volume):
    method, _ = run.load(first, CPU, required=train.parent(1))
    with torch.no_grad():
        restored = method.restore(volume, Streams(0))
    if restored is not None:
        assert restored.shape == volume.shape
        assert bool(((restored >= 0) & (restored <= 1)).all())  # False where not finite
        assert not restored[volume == 0].any()
