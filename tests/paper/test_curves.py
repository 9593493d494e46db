"""Training curves and their warning: which runs count as flat, what is said of them and where, and the layout."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from tests.commands import call
from tests.paper.conftest import assert_fits, rows, table, write_histories, write_results
from uadbench.core.errors import HarnessError
from uadbench.paper.figures import curves as module
from uadbench.paper.histories import Histories
from uadbench.paper.inputs import Sources
from uadbench.paper.writers import latex, markdown

FLAT = {("disyre", "t1", 4)}
MANY = ["vae", "f_anogan", "fae", "rd", "am_cons", "pii", "dae", "mood22", "disyre", "fpi", "disyre_v2", "ddpm"]
MANY += ["anoddpm", "disyre-public", "dae-upd", "pii-upd", "fae-upd"]


def draw(path: Path) -> Figure:
    return module.make(Sources(histories_csv=path))


def panels(figure: Figure) -> dict[str, Axes]:
    return {axes.get_title(): axes for axes in figure.axes if axes.axison}


def marks(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def warnings_of(results: Path, histories: Path | None) -> list[str]:
    made = table("table2", results, histories_csv=histories)
    return [note for note in made.notes if note.startswith("Warning")]


def test_lowest_share_by_hand(tmp_path):
    def edit(frame: pd.DataFrame) -> pd.DataFrame:
        values = {0: 0.8, 50: 0.79, 100: 0.762, 150: 0.9}
        return frame[frame["step"] <= 150].assign(validation=lambda f: f["step"].map(values))

    read = Histories.read(write_histories(tmp_path / "h.csv", {"dae": "DAE"}, ["t1"], [1], edit=edit))
    (curve,) = read.curves
    assert curve.share == pytest.approx(0.762 / 0.8)  # 95.25 %, though the last is above the first
    assert curve.flat
    assert read.simulated.startswith("trained on simulated scans")
    assert list(curve.step) == [0, 50, 100, 150]
    assert np.isnan(curve.loss[0])


@pytest.mark.parametrize(
    ("first", "others", "flat"),
    [
        (1.0, 0.96, True),
        (1.0, 1.3, True),
        (1.0, 0.94, False),
        (1.0, -2.0, False),  # positive before the first step, negative after it
        (-0.1, -0.1, False),  # a share of a negative value says nothing
        (0.0, 0.0, False),
        (None, 1.0, False),  # no value before the first step
        (1.0, None, False),  # none after it
    ],
)
def test_a_run_is_flat_if_its_validation_loss_never_left_the_first(first, others, flat, tmp_path):
    edit = lambda frame: frame.assign(validation=[others if step else first for step in frame["step"]])  # noqa: E731
    (curve,) = Histories.read(write_histories(tmp_path / "h.csv", {"dae": "DAE"}, ["t1"], [1], edit=edit)).curves
    assert curve.flat is flat


def test_a_history_without_a_row_before_the_first_step_is_not_judged(tmp_path):
    path = write_histories(tmp_path / "h.csv", flat=FLAT, edit=lambda frame: frame[frame["step"] > 0])
    assert all(curve.share is None for curve in Histories.read(path).curves)
    figure = draw(path)
    assert not any(marks(axes) for axes in panels(figure).values())
    assert module.UNJUDGED.strip() in " ".join(text.get_text() for text in figure.texts)


def test_a_flat_seed_is_named_in_its_panel_alone(tmp_path):
    found = panels(draw(write_histories(tmp_path / "h.csv", flat=FLAT)))
    assert list(found) == ["DISYRE, T1", "DISYRE, T2", "MOOD22, T1", "MOOD22, T2", "DAE, T1", "DAE, T2"]
    assert {title: marks(axes) for title, axes in found.items() if marks(axes)} == {
        "DISYRE, T1": ["seed 4: never below 98 %"]
    }
    axes = found["DISYRE, T1"]
    dotted = [line for line in axes.lines if line.get_linestyle() == ":"]
    assert [line.get_ydata()[0] for line in dotted] == [pytest.approx(0.95 * 2)]
    top = max(np.nanmax(line.get_ydata()) for line in axes.lines)
    place = axes.transAxes.inverted().transform(axes.transData.transform((0, top)))[1]
    assert place < 0.87  # the mark stands above all curves


def test_many_flat_seeds_are_counted(tmp_path):
    flat = {("dae", "t1", seed) for seed in (1, 2, 4)}
    axes = panels(draw(write_histories(tmp_path / "h.csv", flat=flat)))["DAE, T1"]
    assert marks(axes) == ["3 of 4 seeds: never below 98 %"]


def test_lines_are_the_losses_in_a_colour_per_seed(tmp_path):
    path = write_histories(tmp_path / "h.csv")
    frame = pd.read_csv(path)
    figure = draw(path)
    axes = panels(figure)["MOOD22, T2"]
    colours = set()
    for seed in (1, 2, 3, 4):
        rows = frame[(frame["method"] == "mood22") & (frame["modality"] == "t2") & (frame["seed"] == seed)]
        (thick,) = [line for line in axes.lines if line.get_label() == f"seed {seed}"]
        np.testing.assert_allclose(thick.get_xdata(), rows["step"])
        np.testing.assert_allclose(thick.get_ydata(), rows["validation"])
        thin = [line for line in axes.lines if line.get_color() == thick.get_color() and line.get_linewidth() < 1]
        assert any(np.array_equal(line.get_ydata(), rows["loss"], equal_nan=True) for line in thin)
        colours.add(to_hex(thick.get_color()))
    assert len(colours) == 4
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [f"seed {seed}" for seed in (1, 2, 3, 4)]
    assert axes.get_yscale() == "linear"


def test_losses_over_more_than_a_decade_are_logarithmic(tmp_path):
    def edit(frame: pd.DataFrame) -> pd.DataFrame:
        keep = frame["method"] == "dae"
        frame.loc[keep, ["loss", "validation"]] **= 5
        frame.loc[frame["method"] == "mood22", "loss"] *= -20  # spans decades, but not positive
        return frame

    found = panels(draw(write_histories(tmp_path / "h.csv", edit=edit)))
    scales = {title.split(",")[0]: axes.get_yscale() for title, axes in found.items()}
    assert scales == {"DISYRE": "linear", "MOOD22": "linear", "DAE": "log"}


def test_long_histories_are_thinned_to_their_means(tmp_path):
    path = write_histories(tmp_path / "h.csv", {"dae": "DAE"}, ["t1"], [1], steps=100_000, every=50)
    (curve,) = Histories.read(path).curves
    assert len(curve.step) == 2001
    step, loss, validation = module.thinned(curve)
    assert len(step) == len(loss) == len(validation) == 201
    assert (step[0], validation[0]) == (0, curve.validation[0])
    assert validation[1:].mean() == pytest.approx(curve.validation[1:].mean())
    np.testing.assert_allclose(loss[1], curve.loss[1:11].mean())


def test_phases_are_named_and_untrained_ones_left_out(tmp_path):
    def edit(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[frame["phase"] == "collect", "learning_rate"] = None
        return frame[(frame["phase"] != "gan") | (frame["step"] > 0)]

    methods = {"f_anogan": "f-AnoGAN", "patchcore": "PatchCore", "dae": "DAE"}
    phases = {"f_anogan": ["gan", "encoder"], "patchcore": ["collect"]}
    found = panels(draw(write_histories(tmp_path / "h.csv", methods, ["t1"], phases=phases, edit=edit)))
    assert list(found) == ["f-AnoGAN, gan, T1", "f-AnoGAN, encoder, T1", "DAE, T1"]


@pytest.mark.parametrize(
    ("methods", "modalities", "seeds"),
    [(MANY, ["t1", "t2"], [1, 2, 3, 4]), (["dae"], ["t1"], [1]), (MANY[:3], ["t1"], range(1, 11))],
    ids=["17 methods", "one run", "ten seeds"],
)
def test_nothing_is_cut_off_or_overlaps(methods, modalities, seeds, tmp_path):
    titles = {method: method.replace("-public", " (public code)") for method in methods}
    titles |= {"dae": "DAE with a title of many words (random features)"} if "dae" in methods else {}
    flat = {(method, "t1", seed) for method in methods for seed in (3, 4)}
    figure = draw(write_histories(tmp_path / "h.csv", titles, modalities, seeds, flat))
    assert len(panels(figure)) == len(methods) * len(modalities)
    assert_fits(figure)
    assert figure.get_size_inches()[1] < 10
    texts = [text for axes in panels(figure).values() for text in (axes.title, *axes.texts)] + figure.texts
    boxes = [text.get_window_extent() for text in texts if text.get_text()]
    overlaps = [(i, j) for i in range(len(boxes)) for j in range(i) if boxes[i].overlaps(boxes[j])]
    assert not overlaps


def test_a_study_without_training_says_so(tmp_path):
    figure = draw(write_histories(tmp_path / "h.csv", {}))
    assert module.NONE in [text.get_text() for text in figure.texts]


def test_table2_warns_of_a_flat_run_in_every_format(tmp_path):
    results = write_results(tmp_path / "results.csv")
    histories = write_histories(tmp_path / "histories.csv", flat=FLAT)
    made = table("table2", results, histories_csv=histories)
    text = (
        "DISYRE on T1, seed 4: the validation loss never fell below 95 % of its value before the first step "
        "(lowest: 98 %); this run may have learned little (see the figure curves)."
    )
    assert made.notes[0] == f"Warning: {text}"
    assert sum("Warning" in note for note in made.notes) == 1
    assert f"- Warning: {text}" in markdown.render(made)
    assert f"Warning: {text}".replace("%", r"\%") in latex.render(made)
    warned = {(row["method"], row["task"]) for row in rows(made) if text in row["note"]}
    assert warned == {("disyre", "ATLAS"), ("disyre", "BraTS-T1")}  # those of T1
    assert all(row["note"].startswith("trained and tested on simulated scans") for row in rows(made))


def test_table2_of_runs_that_learned_or_are_not_trained_warns_of_none(tmp_path):
    results = write_results(tmp_path / "results.csv")
    assert warnings_of(results, write_histories(tmp_path / "learned.csv")) == []
    assert warnings_of(results, write_histories(tmp_path / "untrained.csv", {})) == []
    assert warnings_of(results, None) == []


def with_variant(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame, frame[frame["method"] == "dae"].assign(method="dae-upd", title="DAE (UPD)")])


def test_several_flat_seeds_phases_and_shared_runs_are_named(tmp_path):
    results = write_results(tmp_path / "results.csv", edit=with_variant)
    flat = {("dae", "t2", 1), ("dae", "t2", 3), ("dae", "t1", 2), ("absent", "t1", 1)}
    methods = {"dae": "DAE", "absent": "Absent"}
    path = write_histories(tmp_path / "h.csv", methods, flat=flat, phases={"dae": ["first", "second"]})
    found = warnings_of(results, path)
    assert [note.split(": the")[0] for note in found] == [
        f"Warning: DAE on {modality}, {seeds}, phase {phase}"
        for modality, seeds in (("T1", "seed 2"), ("T2", "seeds 1, 3"))
        for phase in ("first", "second")
    ]
    assert all(note.endswith(" Scored with the same: DAE (UPD).") for note in found)
    assert "these runs may have learned" in found[2]


def test_a_variant_with_runs_of_its_own_is_not_warned_of(tmp_path):
    results = write_results(tmp_path / "results.csv", edit=with_variant)
    methods = {"dae": "DAE", "dae-upd": "DAE (UPD)"}
    (note,) = warnings_of(results, write_histories(tmp_path / "h.csv", methods, flat={("dae", "t1", 1)}))
    assert "UPD" not in note


def test_the_verbs_take_histories(tmp_path):
    histories = write_histories(tmp_path / "histories.csv", flat=FLAT)
    call("figure", "curves", "--histories", histories, "--out", tmp_path)
    assert (tmp_path / "curves.pdf").stat().st_size > 5_000
    results = write_results(tmp_path / "results.csv")
    call("table", "table2", "--results", results, "--histories", histories, "--out", tmp_path)
    assert "Warning: DISYRE on T1, seed 4" in (tmp_path / "table2.md").read_text(encoding="utf-8")


def test_mistakes_end_in_one_line(tmp_path):
    with pytest.raises(HarnessError, match="--histories: not given"):
        module.make(Sources())
    with pytest.raises(HarnessError, match="no such file; write it with `uadbench histories`"):
        draw(tmp_path / "none.csv")
    (tmp_path / "empty.csv").touch()
    with pytest.raises(HarnessError, match=r"empty\.csv: the file is empty; write it"):
        draw(tmp_path / "empty.csv")
    words = write_histories(tmp_path / "words.csv", edit=lambda frame: frame.assign(validation="low"))
    with pytest.raises(HarnessError, match="malformed"):
        draw(words)
