"""Command `tensorboard`: event files have each point of the histories once, also where a training goes on."""

import os
from pathlib import Path

import pytest

from tests.commands import call
from tests.records import facts
from uadbench.core import csv_files
from uadbench.core.files import write_json
from uadbench.training.histories import ROW

ROWS = [
    ("gan", 0, "", 3.0, 0.5, 0.0),
    ("gan", 2, 2.5, 2.0, 0.5, 4.0),
    ("gan", 4, 1.5, 1.0, 0.25, 8.0),
    ("encoder", 2, 0.75, 0.5, "", 10.0),
]
ENDED = 1_700_000_100  # s since 1970


def written(study: Path, rows: list[tuple], run: str = "training/f_anogan/t1/seed-1", ended: int = ENDED) -> Path:
    csv_files.write(study / run / "history.csv", ROW, [dict(zip(ROW, row, strict=True)) for row in rows])
    os.utime(study / run / "history.csv", (ended, ended))
    return study / "tensorboard" / run


def points(folder: Path) -> dict[str, list[tuple[int, float, float]]]:
    """Step, value and time of every point in event files, by tag, without the removal of doubles by the reader."""
    loader = pytest.importorskip("tensorboard.backend.event_processing.event_file_loader")
    found: dict[str, list[tuple[int, float, float]]] = {}
    for path in sorted(folder.glob("*")):
        for event in loader.EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name == "scalars":
                    found.setdefault(value.tag, []).append((event.step, value.tensor.float_val[0], event.wall_time))
    return found


def test_steps_count_over_phases_and_empty_cells_are_no_points(tmp_path):
    folder = written(tmp_path, ROWS)
    assert call("tensorboard", tmp_path).output == f"tensorboard --logdir {tmp_path / 'tensorboard'}\n"
    assert points(folder) == {
        "gan/loss": [(2, 2.5, ENDED - 6), (4, 1.5, ENDED - 2)],
        "gan/validation": [(0, 3.0, ENDED - 10), (2, 2.0, ENDED - 6), (4, 1.0, ENDED - 2)],
        "gan/learning_rate": [(0, 0.5, ENDED - 10), (2, 0.5, ENDED - 6), (4, 0.25, ENDED - 2)],
        "encoder/loss": [(6, 0.75, ENDED)],
        "encoder/validation": [(6, 0.5, ENDED)],
    }


def test_a_later_conversion_replaces_what_went_on_and_nothing_else(tmp_path):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    growing, ended = written(tmp_path, ROWS[:2]), written(tmp_path, ROWS, "training/vae/t1/seed-1")
    written(tmp_path, [], "training/random/t1/seed-1")  # has nothing to train
    call("tensorboard", tmp_path)
    before, opened = list(ended.iterdir()), reader.EventAccumulator(str(growing)).Reload()
    for count in (3, 4):
        written(tmp_path, ROWS[:count], ended=ENDED + count)
        call("tensorboard", tmp_path)
        assert [event.step for event in opened.Reload().Scalars("gan/validation")] == [0, 2, 4]
    assert [point[:2] for point in points(growing)["gan/loss"]] == [(2, 2.5), (4, 1.5)]
    assert len(list(growing.iterdir())) == 2  # the other is empty
    assert list(ended.iterdir()) == before
    assert {path.name for path in (tmp_path / "tensorboard" / "training").iterdir()} == {"f_anogan", "vae"}


def test_a_finished_run_has_its_hyper_parameters(tmp_path):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    metadata = pytest.importorskip("tensorboard.plugins.hparams.metadata")
    folder = written(tmp_path, ROWS).relative_to(tmp_path / "tensorboard")
    call("tensorboard", tmp_path)
    write_json(tmp_path / folder / "run.json", facts("f_anogan", params={"steps": 4, "widths": [8, 16]}))
    call("tensorboard", tmp_path, "--out", tmp_path / "out")
    call("tensorboard", tmp_path)
    for out in (tmp_path / "out", tmp_path / "tensorboard"):
        found = reader.EventAccumulator(str(out / folder)).Reload().summary_metadata["_hparams_/session_start_info"]
        values = metadata.parse_session_start_info_plugin_data(found.plugin_data.content).hparams
        assert values["method"].string_value == "f_anogan"
        assert values["steps"].number_value == 4
        assert values["widths"].string_value == "[8, 16]"
