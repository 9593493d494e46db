"""Histories: the row before the first step, that it changes no weight, and the table of many runs."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from tests.commands import call, fails
from tests.records import facts
from uadbench.core.files import write_json
from uadbench.methods.base import Batch, Context, Method, Phase, Update
from uadbench.methods.seeds import Streams
from uadbench.training import loop
from uadbench.training.loop import LoopConfig, train
from uadbench.training.sampler import SliceSampler

QUICK = LoopConfig(history=2, validation=2)


class Toy(Method):
    """A convolution with batch statistics and dropout, whose loss draws from its own and from torch's stream."""

    def __init__(self, **options) -> None:
        super().__init__(None, Context("t1", 4.0))
        self.network = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2), nn.Dropout(0.2))
        self.options = options

    def phases(self) -> list[Phase]:
        adam = torch.optim.Adam(self.network.parameters(), lr=1e-2)
        learning, looking = Update(self.loss, adam), Update(self.loss, None)
        return [
            Phase(4, 2, 16, [learning], name="first", **self.options),
            Phase(3, 2, 16, [looking], name="looking"),
            Phase(5, 2, 16, [learning], name="second"),
        ]

    def loss(self, batch: Batch) -> Tensor:
        noise = torch.rand(batch.images.shape, generator=batch.rng["noise"]) + torch.rand(())
        return (self.network(batch.images) - noise).square().mean()

    def score(self, volume: Tensor, rng) -> dict[str, Tensor]:
        return {"final": volume}


@pytest.fixture(scope="module")
def samplers() -> tuple[SliceSampler, SliceSampler]:
    images = np.random.default_rng(0).random((4, 5, 16, 16)).astype(np.float16)
    return SliceSampler(images, np.array([0, 1])), SliceSampler(images, np.array([2, 3]))


def trained(folder: Path, samplers, held_out: bool = True, **options) -> tuple[Toy, pd.DataFrame]:
    torch.manual_seed(3)
    method = Toy(**options)
    train(method, samplers[0], samplers[1] if held_out else None, 1, folder, "toy", QUICK)
    return method, pd.read_csv(folder / "history.csv")


def rows(history: pd.DataFrame) -> dict[str, list[int]]:
    return {phase: list(part["step"]) for phase, part in history.groupby("phase", sort=False)}


def test_a_phase_that_learns_begins_with_its_validation_loss_before_the_first_step(samplers, tmp_path):
    _, history = trained(tmp_path, samplers)
    assert rows(history) == {"first": [0, 2, 4], "looking": [2, 3], "second": [0, 2, 4, 5]}
    before = history[history["step"] == 0]
    assert before["loss"].isna().all()
    assert before["learning_rate"].tolist() == [1e-2, 1e-2]
    assert history.loc[history["step"] > 0, "loss"].notna().all()
    # By hand: an untrained copy in evaluation mode on the validation stream.
    torch.manual_seed(3)
    copy, streams = Toy().eval(), Streams("validation", torch.device("cpu"))
    with torch.no_grad():
        losses = [float(copy.loss(samplers[1].batch(2, streams, 16, False))) for _ in range(2)]
    assert before["validation"].iloc[0] == pytest.approx(np.mean(losses), rel=1e-6)


def test_an_adversarial_phase_has_no_such_row(samplers, tmp_path):
    _, history = trained(tmp_path, samplers, adversarial=True)
    assert rows(history) == {"first": [2, 4], "looking": [2, 3], "second": [0, 2, 4, 5]}


def test_without_held_out_subjects_there_is_none_and_weights_are_the_same(samplers, tmp_path):
    with_rows, _ = trained(tmp_path / "with", samplers)
    without, history = trained(tmp_path / "without", samplers, held_out=False)
    assert rows(history) == {"first": [2, 4], "looking": [2, 3], "second": [2, 4, 5]}
    assert history["validation"].isna().all()
    for one, two in zip(with_rows.state_dict().values(), without.state_dict().values(), strict=True):
        assert torch.equal(one, two)


def run_folder(folder: Path, method: str, seed: int, lines: list[str]) -> Path:
    write_json(folder / "run.json", facts(method, seed=seed))
    head = "phase,step,loss,validation,learning_rate,seconds"
    (folder / "history.csv").write_text("\n".join([head, *lines]) + "\n")
    return folder


def test_histories_of_many_runs_make_one_table(tmp_path):
    dae = run_folder(tmp_path / "a", "dae", 2, ["train,0,,1.5,0.1,0.0", "train,50,1.25,1.0,0.1,3.5"])
    random = run_folder(tmp_path / "b", "random", 2, [])
    vae = run_folder(tmp_path / "c", "vae", 1, ["train,50,0.5,,0.2,1.0"])
    call("histories", dae, random, vae, "--titles", '{"vae": "VAE (wide)"}', "--out", tmp_path / "out.csv")
    table = pd.read_csv(tmp_path / "out.csv")
    assert table["method"].tolist() == ["dae", "dae", "vae"]
    assert table["title"].tolist() == ["DAE", "DAE", "VAE (wide)"]
    assert table["seed"].tolist() == [2, 2, 1]
    assert table["trained_on_simulated"].all()
    assert table["step"].tolist() == [0, 50, 50]
    np.testing.assert_array_equal(table["loss"], [np.nan, 1.25, 0.5])
    np.testing.assert_array_equal(table["validation"], [1.5, 1.0, np.nan])


def test_folders_that_hold_no_run_or_the_same_end_in_one_line(tmp_path):
    dae, again = (run_folder(tmp_path / name, "dae", 2, []) for name in "ab")
    out = ["--out", tmp_path / "out.csv"]
    assert "none: no run.json; name the folder of" in fails("histories", tmp_path / "none", *out)
    assert "b: the same method, modality and seed as " in fails("histories", dae, again, *out)
    (dae / "history.csv").write_text("phase,step\n")
    assert "no column 'loss'" in fails("histories", dae, *out)
    (dae / "history.csv").unlink()
    assert "history.csv: no such file" in fails("histories", dae, *out)
    assert not (tmp_path / "out.csv").exists()


class Queued:
    """A loss on a device whose queue takes a second for each step; the host reads it once they are all made."""

    def __init__(self, steps: int, clock: list[float]) -> None:
        self.steps, self.clock = steps, clock

    def __radd__(self, other: "Queued | float") -> "Queued":
        return Queued(self.steps + getattr(other, "steps", 0), self.clock)

    __add__ = __radd__

    def __float__(self) -> float:
        self.clock[0] += self.steps
        return 0.5


def test_seconds_are_those_of_the_device_not_of_launching(samplers, tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(loop, "step", lambda *_: Queued(1, clock))
    monkeypatch.setattr(loop.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(loop, "_validate", lambda *_: clock.__setitem__(0, clock[0] + 100) or 0.0)
    rows = train(Toy(), samplers[0], samplers[1], 1, tmp_path, "toy", LoopConfig(history=2, save=1e9))
    assert [(row["step"], row["seconds"]) for row in rows if row["step"]] == [
        (2, 2.0), (4, 4.0), (2, 6.0), (3, 7.0), (2, 9.0), (4, 11.0), (5, 12.0)
    ]  # fmt: skip
