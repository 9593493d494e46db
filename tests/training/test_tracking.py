"""Tracking of a training while it runs: the growing history.csv and TensorBoard's event files, also after a kill."""

from __future__ import annotations

import errno
import json
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml
from click.testing import CliRunner

from uadbench import csv_files, registry, tracking
from uadbench.commands.train import command
from uadbench.errors import HarnessError
from uadbench.method_settings import resolve
from uadbench.study.checks import experiment as checked
from uadbench.study.config_files import read
from uadbench.training import history_file, loop
from uadbench.training.job import train_run
from uadbench.training.loop import LoopConfig

CPU = torch.device("cpu")
METHOD = "f_anogan"  # two phases
COLUMNS = ["phase", "step", "loss", "validation", "learning_rate"]  # `seconds` is a measured time


class Killed(Exception):
    pass


def train(cohort: Path, out: Path, tensorboard: Path | None = None, steps: int = 8, **config) -> Path:
    small = registry.describe(METHOD).small | {"steps": steps, "critic_updates": 1, "batch": 2}
    settings = LoopConfig(**({"history": 2, "validation": 1, "write": 0} | config))
    train_run(resolve(METHOD, "t1", {METHOD: small}), 1, cohort, out, CPU, config=settings, tensorboard=tensorboard)
    return out


def kill_at(step: int, patch: pytest.MonkeyPatch, seen: list[pd.DataFrame] | None = None, file: Path = Path()) -> None:
    """End the training with an exception after a step; `seen` gets what the file holds after every step."""

    def advance(progress):
        progress.done += 1
        if seen is not None and file.is_file():
            seen.append(pd.read_csv(file))
        if progress.done == step:
            raise Killed

    patch.setattr(loop.Progress, "advance", advance)


def history(out: Path) -> pd.DataFrame:
    return pd.read_csv(out / "history.csv")


def weights(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((out / "weights").rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def whole(tiny_cohort, tmp_path_factory) -> Path:
    """A training without a tracker and without an interruption."""
    return train(tiny_cohort, tmp_path_factory.mktemp("whole") / "run")


def test_the_history_can_be_read_while_the_training_runs(tiny_cohort, tmp_path, monkeypatch, whole):
    seen: list[pd.DataFrame] = []
    with monkeypatch.context() as patch:
        kill_at(99, patch, seen, tmp_path / "run" / "history.csv")
        train(tiny_cohort, tmp_path / "run")
    assert len(seen[0]) < len(seen[-1]) == len(history(whole))
    for rows in seen:
        pd.testing.assert_frame_equal(rows[COLUMNS], history(whole)[COLUMNS].iloc[: len(rows)], check_dtype=False)


@pytest.mark.parametrize(("killed", "save"), [(3, 0.0), (9, 0.0), (7, 3600.0)], ids=["first", "second", "unsaved"])
def test_a_resumed_history_has_the_rows_of_an_uninterrupted_one(
    tiny_cohort, tmp_path, monkeypatch, whole, killed, save
):
    with monkeypatch.context() as patch:
        kill_at(killed, patch)
        with pytest.raises(Killed):
            train(tiny_cohort, tmp_path, save=save)
    assert 0 < len(history(tmp_path)) < len(history(whole))
    pd.testing.assert_frame_equal(history(train(tiny_cohort, tmp_path))[COLUMNS], history(whole)[COLUMNS])
    assert weights(tmp_path) == weights(whole)


def test_the_file_waits_for_its_pause(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(history_file.time, "monotonic", lambda: clock[0])
    rows = [dict.fromkeys(history_file.ROW, 1)]
    with history_file.HistoryFile(tmp_path / "history.csv", rows, 10.0) as file:
        for now, count in ((0.0, 1), (9.0, 1), (10.0, 3), (11.0, 3)):
            clock[0] = now
            file.update()
            assert len(pd.read_csv(file.path)) == count
            rows.append(rows[0])
    assert len(pd.read_csv(file.path)) == 5


def test_a_full_disk_does_not_end_a_training_before_its_end(tmp_path, monkeypatch, capsys):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    rows = [dict.fromkeys(history_file.ROW, 1)]
    file = history_file.HistoryFile(tmp_path / "history.csv", rows, 0.0)
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


def points(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Step and value of every point in event files, by tag, without the removal of doubles by the reader."""
    loader = pytest.importorskip("tensorboard.backend.event_processing.event_file_loader")
    found: dict[str, list[tuple[int, float]]] = {}
    for path in sorted(folder.glob("events.out.tfevents.*")):
        for event in loader.EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name == "scalars":
                    found.setdefault(value.tag, []).append((event.step, value.tensor.float_val[0]))
    return found


def expected(out: Path, column: str, offsets: dict[str, int]) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for row in history(out).dropna(subset=[column]).to_dict("records"):
        step, value = offsets[row["phase"]] + row["step"], pytest.approx(row[column], rel=1e-6)
        found.setdefault(f"{row['phase']}/{column}", []).append((step, value))
    return found


def check_events(folder: Path, out: Path) -> None:
    """Every value of history.csv is one point, and nothing else is one."""
    offsets, found = {"gan": 0, "encoder": 8}, points(folder)
    wanted: dict[str, list[tuple[int, float]]] = {}
    for column in ("loss", "validation", "learning_rate"):
        wanted |= expected(out, column, offsets)
    rates = {tag: found.pop(tag) for tag in list(found) if tag.endswith("/images_per_second")}
    assert found == wanted
    assert set(rates) == {"gan/images_per_second", "encoder/images_per_second"}
    assert all(value > 0 for values in rates.values() for _, value in values)


def test_event_files_hold_the_history(tiny_cohort, tmp_path, whole):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(tiny_cohort, tmp_path / "run", tmp_path / "events")
    folder = tmp_path / "events" / METHOD / "t1" / "seed-1"
    check_events(folder, tmp_path / "run")
    reader = EventAccumulator(str(folder)).Reload()
    rows = history(tmp_path / "run")
    losses = rows[(rows["phase"] == "gan") & rows["loss"].notna()]
    assert [event.step for event in reader.Scalars("gan/loss")] == losses["step"].tolist()
    assert "hparams" in reader.summary_metadata["_hparams_/session_start_info"].plugin_data.plugin_name
    text = reader.Tensors("run/text_summary")[0].tensor_proto.string_val[0].decode()
    params = json.loads(text.split("```json\n")[1].split("\n```")[0])["params"]
    assert params["steps"] == 8
    assert weights(tmp_path / "run") == weights(whole)
    recorded = [json.loads((out / "run.json").read_text()) for out in (tmp_path / "run", whole)]
    assert recorded[0]["params"] == recorded[1]["params"]


@pytest.mark.parametrize("before", [True, False], ids=["tracked", "switched on later"])
@pytest.mark.parametrize("killed", [3, 9])
def test_resumed_event_files_have_every_point_once(tiny_cohort, tmp_path, monkeypatch, whole, killed, before):
    pytest.importorskip("tensorboard")
    events, out = tmp_path / "events", tmp_path / "run"
    save, states = loop.states.save, []

    def once(*arguments):  # so that the last points are later than the state
        if not states:
            states.append(save(*arguments))

    with monkeypatch.context() as patch:
        kill_at(killed, patch)
        patch.setattr(loop.states, "save", once)
        with pytest.raises(Killed):
            train(tiny_cohort, out, events if before else None, save=0)
    assert states
    train(tiny_cohort, out, events)
    check_events(events / METHOD / "t1" / "seed-1", out)
    pd.testing.assert_frame_equal(history(out)[COLUMNS], history(whole)[COLUMNS])
    assert weights(out) == weights(whole)


def test_images_per_second_follow_from_steps_and_seconds(tiny_cohort, tmp_path):
    pytest.importorskip("tensorboard")
    out = train(tiny_cohort, tmp_path / "run", tmp_path / "events")
    rows = history(out)
    batch = json.loads((out / "run.json").read_text())["params"]["batch"]
    first, second = rows[rows["phase"] == "gan"].iloc[:2].itertuples()
    found = dict(points(tmp_path / "events" / METHOD / "t1" / "seed-1")["gan/images_per_second"])
    rate = (second.step - first.step) * batch / (second.seconds - first.seconds)
    assert found[second.step] == pytest.approx(rate, rel=1e-5)


def test_a_folder_that_cannot_be_written_ends_the_tracking_alone(tiny_cohort, tmp_path, capsys, whole):
    pytest.importorskip("tensorboard")
    (tmp_path / "events").write_text("a file")
    train(tiny_cohort, tmp_path / "run", tmp_path / "events")
    assert "the training goes on without TensorBoard's event files" in capsys.readouterr().err
    assert weights(tmp_path / "run") == weights(whole)


def test_a_missing_tensorboard_is_found_before_any_job(tiny_cohort, tmp_path, monkeypatch, root):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    config = read(root / "config.yaml")
    assert checked(config).config["tracking"] == "none"
    with pytest.raises(HarnessError, match=r'tensorboard is not installed; run: pip install "tensorboard>=2\.16"'):
        checked(config | {"tracking": "tensorboard"})
    with pytest.raises(HarnessError, match="tensorboard is not installed"):
        train(tiny_cohort, tmp_path / "run", tmp_path / "events")
    assert not (tmp_path / "run" / "history.csv").exists()


def test_the_environment_variable_of_the_workflow_chooses_the_folder(tiny_cohort, tmp_path):
    pytest.importorskip("tensorboard")
    options = ["--method", "random", "--modality", "t1", "--seed", "1", "--device", "cpu"]
    options += ["--data", str(tiny_cohort), "--out", str(tmp_path / "run")]
    CliRunner().invoke(command, options, env={tracking.VARIABLE: str(tmp_path / "events")}, catch_exceptions=False)
    assert list((tmp_path / "events" / "random" / "t1" / "seed-1").glob("*tfevents*"))
    workflow = (Path(__file__).parents[2] / "workflow" / "rules" / "common.smk").read_text(encoding="utf-8")
    assert f"{tracking.VARIABLE}={{RESULTS}}/tensorboard" in workflow


def test_tracking_is_no_setting_of_a_result(root):
    pytest.importorskip("tensorboard")
    config = read(root / "config.yaml")
    off, on = (checked(config | {"tracking": choice}) for choice in tracking.CHOICES)
    assert off.as_json() == on.as_json()
    assert off.settings("disyre", "t1").training == on.settings("disyre", "t1").training
    with pytest.raises(HarnessError, match="tracking: 'wandb' is not one of"):
        checked(config | {"tracking": "wandb"})


def test_choices_and_requirement_are_those_of_schema_and_package(root):
    import tomllib

    schema = yaml.safe_load((root / "uadbench" / "schemas" / "config.schema.yaml").read_text(encoding="utf-8"))
    assert tuple(schema["properties"]["tracking"]["enum"]) == tracking.CHOICES
    extras = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert extras["tracking"] == [tracking.REQUIREMENT]
