"""Budgets below tables: seconds of run records by hand, shares, equality, and methods without iterations."""

from pathlib import Path

import pandas as pd
import pytest

from tests.paper.conftest import table, write_histories, write_results
from uadbench.paper import budgets

METHODS = {"disyre": "DISYRE", "dae": "DAE", "fae": "FAE"}


def notes(tmp_path: Path, seconds: dict[str, list[float]], name: str = "table2", **changes) -> list[str]:
    """Notes on time of a table whose methods' runs of four seeds took these seconds; changes: of a method's rows."""

    def edit(frame: pd.DataFrame) -> pd.DataFrame:
        for method, times in seconds.items():
            for seed, time in enumerate(times, 1):
                frame.loc[(frame["method"] == method) & (frame["seed"] == seed), "training_seconds"] = time
        for method, values in changes.items():
            frame.loc[frame["method"] == method, list(values)] = list(values.values())
        controls = frame[frame["method"] == "dae"].assign(method="random", title="Random", training_seconds=9e9)
        return pd.concat([frame, controls])

    path = write_results(tmp_path / "r.csv", ["random", *METHODS])
    histories = write_histories(tmp_path / "h.csv", METHODS, edit=edit)
    return [note for note in table(name, path, histories_csv=histories).notes if "time (" in note]


@pytest.mark.parametrize("name", ["table2", "protocols"])
def test_times_are_medians_of_run_records_and_shares_of_the_longest(name, tmp_path):
    # Medians over seeds by hand: (20 + 30) / 2 = 25, 100, 4.
    seconds = {"disyre": [100.0, 90.0, 100.0, 900.0], "dae": [20.0, 10.0, 30.0, 800.0], "fae": [4.0] * 4}
    fitted = {"learning_rate": None}
    listed = "DISYRE 100 s (100 %), DAE 25 s (25 %), FAE 4 s without iterations"
    assert notes(tmp_path, seconds, name, fae=fitted) == [
        f"Training time (median over seeds; in brackets as a share of the longest) – T1: {listed}; T2: {listed}. "
        f"{budgets.UNEQUAL}"
    ]


@pytest.mark.parametrize(("slower", "equal"), [(100.0, True), (134.0, True), (136.0, False)])
def test_times_within_15_percent_of_their_mean_are_equal(slower, equal, tmp_path):
    """134 s and 100 s lie 14.5 % around 117 s; 136 s and 100 s lie 15.3 % around 118 s."""
    (note,) = notes(tmp_path, {"disyre": [slower] * 4, "dae": [100.0] * 4, "fae": [(slower + 100) / 2] * 4})
    assert ("T1: DISYRE 100 s, DAE 100 s, FAE 100 s, equal within ± 15 %" in note) == (slower == 100)
    assert ("equal within" in note) == equal
    assert (budgets.UNEQUAL in note, "(100 %)" in note) == (not equal, not equal)


def test_files_of_earlier_versions_have_the_time_of_the_last_step(tmp_path):
    (note,) = notes(tmp_path, {})
    assert "T1: DISYRE 40 s, DAE 40 s, FAE 40 s, equal within ± 15 %" in note


def test_a_table_without_histories_or_trainings_states_none(tmp_path):
    path = write_results(tmp_path / "r.csv")
    assert not [note for note in table("table2", path).notes if "time (" in note]
    empty = write_histories(tmp_path / "h.csv", {})
    assert not [note for note in table("table2", path, histories_csv=empty).notes if "time (" in note]


def test_times_have_two_digits_and_hours():
    assert [budgets.duration(seconds) for seconds in (0.0, 3.14, 119.6, 7199.0, 15840.0)] == [
        *("0 s", "3.1 s", "120 s", "7200 s", "4.4 h"),
    ]
