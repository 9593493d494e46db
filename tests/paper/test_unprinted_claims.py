"""Statements that the paper makes without a number: made-up results decide each for it, against it, and not at all."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tests.paper.conftest import write_histories, write_results
from uadbench.core.study_folder import HISTORIES, PROFILES, RESTORATIONS
from uadbench.evaluation.summary import profiles
from uadbench.evaluation.summary import restorations as restored
from uadbench.evaluation.voxels.columns import SIMULATED
from uadbench.paper.claims import unprinted
from uadbench.paper.claims.evidence import TASKS, Measured, Printed
from uadbench.paper.claims.finding import verdict
from uadbench.paper.published import Published

FACTS = {"experiment": "demo", **dict.fromkeys(SIMULATED, True), "protocol": "full", "method": "disyre"}
ATLAS, T1, T2 = TASKS


@pytest.fixture
def folder(tmp_path):
    write_results(tmp_path / "results.csv")
    return tmp_path


def write_profiles(folder, tests, seeds=4):
    """tests: correlation and p-value of the volume by task; those of the contrast are strong, and count for nothing."""
    rows = [
        {**FACTS, "task": task, "variable": variable, "level": level, "t": t, "best": best, "rho": rho, "p": p,
         "patients": 4, "seeds": seeds, "value": 0.3}
        for task, own in tests.items()
        for variable, (rho, p) in (("lesion_ml", own), ("contrast", (-0.9, 1e-6)))
        for level, best in zip(profiles.LEVELS, (50, 60, 75), strict=True)
        for t in (25, 50)
    ]  # fmt: skip
    other = [{**row, "method": "disyre_v2", "rho": -1.0, "p": 0.0} for row in rows]
    pd.DataFrame([*other, *rows], columns=profiles.COLUMNS).to_csv(folder / PROFILES, index=False)


@pytest.mark.parametrize(
    ("tests", "seeds", "expected"),
    [
        ({ATLAS: (0.6, 0.01), T1: (0.1, 0.8), T2: (-0.5, 0.03)}, 4, True),
        ({ATLAS: (0.6, 0.02), T1: (0.1, 0.8), T2: (-0.5, 0.03)}, 4, None),  # above .05 / 3
        ({ATLAS: (0.6, 0.02)}, 4, True),
        ({ATLAS: (0.6, 0.01), T1: (-0.6, 0.01)}, 4, False),
        ({ATLAS: (0.6, 0.001)}, 1, None),  # one seed
        ({ATLAS: (np.nan, np.nan)}, 4, None),
    ],
)
def test_kinds_of_lesions(folder, tests, seeds, expected):
    write_profiles(folder, tests, seeds)
    found = unprinted.kinds(Measured(folder))
    assert verdict(found) is expected
    known = [task for task, (rho, _) in tests.items() if np.isfinite(rho)]
    assert {one.of: one.value for one in found} == {
        **{f"{task}, volume": tests[task][0] for task in known},
        **{f"{task}, contrast": -0.9 for task in tests},
    }
    if known:
        assert found[0].note == f"p = {tests[ATLAS][1]:.2g}; t from 50 to 75; 12 patients"


def write_restorations(folder, bounds, seeds=4):
    numbers = {"before": 0.3, "after": 0.15, "healthy": 0.1, "ratio": 0.5, "patients": 4, "seeds": seeds}
    rows = [{**FACTS, "task": task, **numbers, "low": low, "high": high} for task, (low, high) in bounds.items()]
    rows = [{**row, "method": "dae", "ratio": 2.0, "low": 1.5, "high": 2.5} for row in rows] + rows
    pd.DataFrame(rows, columns=restored.COLUMNS).to_csv(folder / RESTORATIONS, index=False)


@pytest.mark.parametrize(
    ("bounds", "seeds", "expected"),
    [
        ({ATLAS: (0.3, 0.8), T1: (0.4, 0.99)}, 4, True),
        ({ATLAS: (0.3, 0.8), T1: (0.4, 1.01)}, 4, None),
        ({ATLAS: (0.3, 0.8), T1: (1.01, 1.3)}, 4, False),
        ({ATLAS: (0.3, 0.8)}, 1, None),
        ({ATLAS: (np.nan, np.nan)}, 4, None),  # one patient
    ],
)
def test_restorations(folder, bounds, seeds, expected):
    write_restorations(folder, bounds, seeds)
    found = unprinted.restorations(Measured(folder))
    assert verdict(found) is expected
    assert [one.of for one in found] == [*bounds]
    words = "geometric mean over 4 patients; their means: difference 0.30, restored 0.15, in healthy tissue 0.10"
    assert found[0].text().endswith(words)


def trained(folder, ends, steps=100_000):
    """Losses by seed at three quarters and at the end of a training, which was at 2 before."""

    def edit(frame):
        places = frame["step"] / steps
        for seed, (quarter, end) in ends.items():
            own = frame["seed"] == seed
            frame.loc[own & (places >= 0.75), "validation"] = quarter
            frame.loc[own & (places == 1), "validation"] = end
            frame.loc[own & (places < 0.75), "validation"] = 2.0
        return frame

    given = {"modalities": ["t1"], "seeds": [*ends], "steps": steps, "every": steps // 8}
    write_histories(folder / HISTORIES, edit=edit, **given)


@pytest.mark.parametrize(
    ("ends", "steps", "expected"),
    [
        ({1: (1.0, 0.99), 2: (1.0, 0.985), 3: (1.0, 0.99)}, 100_000, True),
        ({1: (1.0, 0.99), 2: (1.0, 0.985), 3: (1.0, 0.99)}, 800, None),  # says nothing of the paper's length
        ({1: (1.0, 0.7), 2: (1.0, 0.72), 3: (1.0, 0.71)}, 100_000, False),  # still falls
        ({1: (1.0, 1.2), 2: (1.0, 1.21), 3: (1.0, 1.22)}, 100_000, False),  # over-fits
        ({1: (1.0, 0.99), 2: (1.0, 0.8), 3: (1.0, 1.1)}, 100_000, None),
        ({1: (1.0, 0.99)}, 100_000, None),
    ],
)
def test_length_of_training(folder, ends, steps, expected):
    trained(folder, ends, steps)
    (found,) = unprinted.convergence(Measured(folder))
    assert verdict([found]) is expected
    falls = [100 * (1 - end / quarter) for quarter, end in ends.values()]
    assert found.value == pytest.approx(np.mean(falls))
    if len(falls) > 1:
        bounds = stats.t.interval(0.95, len(falls) - 1, np.mean(falls), stats.sem(falls))
        assert (found.low, found.high) == pytest.approx(bounds)
    above = max(100 * (end / min(quarter, end) - 1) for quarter, end in ends.values())
    words = f"at most {above:.1f} % above the lowest" if above else "the lowest"
    assert found.note == f"{steps:,} steps; the last value is {words}"


def test_the_last_phase_counts_and_a_loss_that_is_none_does_not(folder):
    write_histories(folder / HISTORIES, phases={"disyre": ["first", "last"]}, modalities=["t1"], seeds=[1, 2])
    rows = pd.read_csv(folder / HISTORIES)
    last = rows["phase"] == "last"
    rows.loc[last & (rows["step"] == 300), "validation"] = 0.5
    rows.loc[last & (rows["step"] == 400), "validation"] = 0.4
    rows.to_csv(folder / HISTORIES, index=False)
    (found,) = unprinted.convergence(Measured(folder))
    assert found.value == pytest.approx(20)
    rows.assign(validation=np.nan).to_csv(folder / HISTORIES, index=False)
    assert unprinted.convergence(Measured(folder)) == []


def test_histories_of_a_study_are_found_in_its_folder(tmp_path):
    (tmp_path / "evaluation").mkdir()
    (tmp_path / "training").mkdir()
    write_results(tmp_path / "evaluation" / "results.csv")
    trained(tmp_path / "training", {1: (1.0, 0.99), 2: (1.0, 0.98)})
    assert len(unprinted.convergence(Measured(tmp_path))) == 1


def test_nothing_without_the_files_and_of_the_papers_tables(folder):
    paper = Printed(Published.read())
    for measure in (unprinted.kinds, unprinted.restorations, unprinted.convergence):
        assert measure(Measured(folder)) == measure(paper) == []
