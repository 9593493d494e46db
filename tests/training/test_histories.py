"""The history.csv of a training, which grows while it runs, also after a kill."""

import errno
from pathlib import Path

import pandas as pd
import pytest

from tests.trainings import CPU, killed_at, small
from uadbench.core import csv_files
from uadbench.core.errors import HarnessError
from uadbench.training import histories, loop
from uadbench.training.job import train_run
from uadbench.training.loop import LoopConfig

COLUMNS = ["phase", "step", "loss", "validation", "learning_rate"]  # `seconds` is a measured time


def train(cohort: Path, out: Path, save: float = 60.0, write: float = 0.0) -> Path:
    settings = small("f_anogan", steps=8, critic_updates=1, batch=2)  # two phases
    train_run(settings, 1, cohort, out, CPU, config=LoopConfig(history=2, validation=1, save=save, write=write))
    return out


def history(out: Path) -> pd.DataFrame:
    return pd.read_csv(out / "history.csv")


def weights(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((out / "weights").rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def whole(tiny_cohort, tmp_path_factory) -> Path:
    """A training without an interruption."""
    return train(tiny_cohort, tmp_path_factory.mktemp("whole") / "run")


def test_the_history_can_be_read_while_the_training_runs(tiny_cohort, tmp_path, monkeypatch, whole):
    seen, advance = [], loop.Progress.advance

    def noted(progress):
        seen.extend([history(tmp_path)] if (tmp_path / "history.csv").is_file() else [])
        advance(progress)

    monkeypatch.setattr(loop.Progress, "advance", noted)
    train(tiny_cohort, tmp_path)
    assert len(seen[0]) < len(seen[-1]) == len(history(whole))
    for rows in seen:
        pd.testing.assert_frame_equal(rows[COLUMNS], history(whole)[COLUMNS].iloc[: len(rows)], check_dtype=False)


@pytest.mark.parametrize(("killed", "save"), [(3, 0.0), (9, 0.0), (7, 3600.0)], ids=["first", "second", "unsaved"])
def test_a_resumed_history_has_the_rows_of_an_uninterrupted_one(tiny_cohort, tmp_path, whole, killed, save):
    with killed_at(killed):
        train(tiny_cohort, tmp_path, save=save)
    assert 0 < len(history(tmp_path)) < len(history(whole))
    pd.testing.assert_frame_equal(history(train(tiny_cohort, tmp_path))[COLUMNS], history(whole)[COLUMNS])
    assert weights(tmp_path) == weights(whole)


def test_the_file_waits_for_its_pause(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(histories.time, "monotonic", lambda: clock[0])
    rows = [dict.fromkeys(histories.ROW, 1)]
    with histories.HistoryFile(tmp_path / "history.csv", rows, 10.0) as file:
        for now, count in ((0.0, 1), (9.0, 1), (10.0, 3), (11.0, 3)):
            clock[0] = now
            file.update()
            assert len(pd.read_csv(file.path)) == count
            rows.append(rows[0])
    assert len(pd.read_csv(file.path)) == 5


def test_a_full_disk_does_not_end_a_training_before_its_end(tmp_path, monkeypatch, capsys):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    rows = [dict.fromkeys(histories.ROW, 1)]
    file = histories.HistoryFile(tmp_path / "history.csv", rows, 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(csv_files, "atomic", full)
        file.update()
        file.update()
        with pytest.raises(OSError, match=r"No space left on device: .*history\.csv"):
            file.__exit__(None)
    assert capsys.readouterr().err.count("warning:") == 1


def test_a_loss_that_is_not_finite_leaves_the_rows_before_it(tiny_cohort, tmp_path, monkeypatch):
    step, calls = loop.step, []

    def diverging(*arguments):
        calls.append(step(*arguments))
        return float("nan") if len(calls) == 6 else calls[-1]

    monkeypatch.setattr(loop, "step", diverging)
    with pytest.raises(HarnessError, match="the loss became nan before step 6"):
        train(tiny_cohort, tmp_path, write=3600)
    assert history(tmp_path)["step"].tolist() == [2, 4]
