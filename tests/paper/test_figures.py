"""Figures: what they show, the mark of a simulated cohort, nothing cut off, files that do not change."""

import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.text import Text

from tests.commands import ROOT, call
from tests.paper.conftest import assert_fits, write_examples, write_histories, write_results, write_synthesis
from uadbench.core.errors import HarnessError
from uadbench.paper import catalogue, figures, style, tiles
from uadbench.paper.inputs import Sources
from uadbench.paper.simulated import APART

FIGURES = ["curves", "figure1", "figure2", "figure3"]


@pytest.fixture(scope="module")
def experiment(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("experiment")
    return {
        "results_csv": write_results(folder / "results.csv"),
        "examples": write_examples(folder / "examples"),
        "synthesis": write_synthesis(folder / "synthesis.npz"),
        "histories_csv": write_histories(folder / "histories.csv", flat={("disyre", "t1", 4)}),
    }


def draw(name: str, **sources) -> Figure:
    return catalogue.load("figures", name).make(Sources(**sources))


@pytest.fixture(scope="module")
def drawn(experiment) -> Callable[[str], Figure]:
    """The figures of the experiment, each drawn once; for tests that only read them."""
    return cache(lambda name: draw(name, **experiment))


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.texts]


MARKS = dict.fromkeys(FIGURES, f"trained and tested on simulated scans{APART}")
MARKS |= {"figure1": f"simulated scans{APART}", "curves": f"trained on simulated scans{APART}"}  # no test scans


@pytest.mark.parametrize("name", FIGURES)
def test_simulated_mark_is_there(name, drawn):
    mark = next(text for text in drawn(name).texts if text.get_text() == MARKS[name])
    assert mark.get_visible()
    assert mark.get_fontsize() >= 6


def test_methods_without_results_are_named_below_every_figure(experiment, tmp_path, monkeypatch):
    saved: list[Figure] = []
    monkeypatch.setattr(style, "save", lambda figure, *_: saved.append(figure) or [])
    frame = pd.read_csv(experiment["results_csv"])
    frame.assign(missing="Blur, VAE").to_csv(tmp_path / "results.csv", index=False)
    options = ["--examples", experiment["examples"], "--synthesis", experiment["synthesis"]]
    options += ["--histories", experiment["histories_csv"], "--out", tmp_path]
    for results in (tmp_path / "results.csv", experiment["results_csv"]):
        for name in FIGURES:
            call("figure", name, "--results", results, *options)
    named = ["no results of Blur, VAE" in " ".join(texts(figure)) for figure in saved]
    assert named == [True] * len(FIGURES) + [False] * len(FIGURES)
    for figure in saved[: len(FIGURES)]:
        assert_fits(figure)


@pytest.mark.parametrize("name", FIGURES)
def test_real_cohort_has_no_mark(name, experiment, tmp_path):
    real = {
        "results_csv": write_results(tmp_path / "results.csv", simulated=False),
        "synthesis": write_synthesis(tmp_path / "synthesis.npz", simulated=False),
        "histories_csv": write_histories(tmp_path / "histories.csv", simulated=False),
    }
    assert not [text for text in texts(draw(name, **(experiment | real))) if "simulated" in text]


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_is_cut_off_and_the_width_is_that_of_the_page(name, drawn):
    assert_fits(drawn(name))


@pytest.mark.parametrize("name", FIGURES)
def test_files_are_the_same_twice_and_have_true_type_fonts(name, experiment, drawn, tmp_path):
    for folder, figure in (("a", drawn(name)), ("b", draw(name, **experiment))):
        style.save(figure, tmp_path / folder, name)
    for suffix in ("png", "pdf"):
        first, second = (tmp_path / folder / f"{name}.{suffix}" for folder in ("a", "b"))
        assert first.read_bytes() == second.read_bytes()
    pdf = (tmp_path / "a" / f"{name}.pdf").read_bytes()
    assert b"/FontFile2" in pdf
    assert b"/Type3" not in pdf
    assert b"CreationDate" not in pdf
    pixels = imread(tmp_path / "a" / f"{name}.png")
    width, height = figure.get_size_inches()
    assert pixels.shape[:2] == (int(height * 300), int(width * 300))


def test_another_process_writes_the_same_bytes(experiment, tmp_path):
    style.save(draw("figure2", **experiment), tmp_path / "here", "figure2")
    command = [sys.executable, "-m", "uadbench", "figure", "figure2", "--results", str(experiment["results_csv"])]
    environment = os.environ | {"PYTHONHASHSEED": "7", "SOURCE_DATE_EPOCH": "0"}
    subprocess.run([*command, "--out", str(tmp_path / "there")], check=True, cwd=ROOT, env=environment)
    for suffix in ("png", "pdf"):
        here, there = (tmp_path / place / f"figure2.{suffix}" for place in ("here", "there"))
        assert here.read_bytes() == there.read_bytes()


def test_figure1_shows_inputs_and_process_with_alpha(experiment, drawn):
    figure = drawn("figure1")
    data = np.load(experiment["synthesis"])
    titles = [axes.get_title() for axes in figure.axes]
    for symbol in ("$x_0$", "$m$", "$x_{fp}$"):
        assert any(symbol in title for title in titles)
    for t, alpha in zip(data["t"], data["alpha"], strict=True):
        (axes,) = [axes for axes in figure.axes if f"$t={t}$" in axes.get_title()]
        assert rf"\alpha_t={alpha:.2f}" in axes.get_title()
        shown = axes.images[0]
        np.testing.assert_array_equal(shown.get_array(), data["xt"][0, list(data["t"]).index(t)])
        assert shown.get_clim() == (0, 1)
        assert shown.origin == "lower"
        assert axes.get_aspect() == 1


def test_figure1_of_many_steps_spreads_them(tmp_path):
    data = dict(np.load(write_synthesis(tmp_path / "five.npz", examples=1)))
    again = {key: np.repeat(data[key], 5, axis=axis) for key, axis in (("t", 0), ("alpha", 0), ("xt", 1))}
    again["t"] = np.arange(25) * 4
    np.savez(tmp_path / "many.npz", **(data | again))
    titles = [axes.get_title() for axes in draw("figure1", synthesis=tmp_path / "many.npz").axes]
    shown = [title for title in titles if "alpha" in title]
    assert len(shown) == 6
    assert "$t=0$" in shown[0]
    assert "$t=96$" in shown[-1]


def line(axes: matplotlib.axes.Axes, label: str) -> matplotlib.lines.Line2D:
    (found,) = [line for line in axes.lines if str(line.get_label()).startswith(label)]
    return found


def test_figure2_draws_means_seeds_chance_and_paper(tmp_path):
    import pandas as pd

    path = write_results(tmp_path / "results.csv", simulated=False)
    frame = pd.read_csv(path)
    figure = draw("figure2", results_csv=path)
    panel = figure.axes[1]
    assert [axes.get_title() for axes in figure.axes] == ["ATLAS", "BraTS-T1", "BraTS-T2"]
    wanted = frame[(frame["task"] == "BraTS-T1") & (frame["method"] == "disyre") & (frame["metric"] == "ap")]
    single = line(panel, "single")
    assert list(single.get_xdata()) == list(range(5, 101, 5))
    expected = [wanted.loc[wanted["score"] == f"single/t={t}", "value"].mean() for t in single.get_xdata()]
    np.testing.assert_allclose(single.get_ydata(), expected)
    assert list(line(panel, "multi").get_xdata()) == [25, 50, 75, 100]
    assert line(panel, "chance").get_ydata()[0] == pytest.approx(0.045)
    assert line(panel, "chance").get_linestyle() == ":"
    paper = line(panel, "paper")
    assert list(zip(paper.get_xdata(), paper.get_ydata(), strict=True)) == [
        (25, 0.39), (50, 0.45), (75, 0.37), (100, 0.32),
    ]  # fmt: skip
    assert paper.get_markerfacecolor() == "none"
    thin = [drawn for drawn in panel.lines if drawn.get_linewidth() < 1 and len(drawn.get_xdata()) == 20]
    assert len(thin) == 4
    for seed, drawn in enumerate(thin):
        own = wanted[wanted["seed"] == seed].set_index("score")["value"]
        np.testing.assert_allclose(drawn.get_ydata(), [own[f"single/t={t}"] for t in range(5, 101, 5)])
    low, high = panel.get_ylim()
    assert low == 0
    assert high > max(max(axes_line.get_ydata()) for axes in figure.axes for axes_line in axes.lines)


def test_figure2_of_a_simulated_cohort_lacks_the_papers_points(drawn):
    assert not [line for axes in drawn("figure2").axes for line in axes.lines if "paper" in str(line.get_label())]


def test_figure2_of_one_seed_has_no_thin_lines(tmp_path):
    figure = draw("figure2", results_csv=write_results(tmp_path / "results.csv", seeds=[5]))
    assert all(len(axes.lines) == 3 for axes in figure.axes)  # two curves and chance
    assert "DISYRE, one seed." in texts(figure)


def test_figure2_of_another_t_or_task_has_no_points_of_the_paper(tmp_path):
    late = [f"single/t={t}" for t in range(55, 101, 5)]
    short = write_results(tmp_path / "short.csv", edit=lambda frame: frame[~frame["score"].isin(late)])
    for path in (short, write_results(tmp_path / "own.csv", tasks={"MS_lesions": 0.001})):
        figure = draw("figure2", results_csv=path)
        assert not any("paper" in str(drawn.get_label()) for axes in figure.axes for drawn in axes.lines)
    assert figure.get_size_inches()[0] == style.COLUMN


def test_figure2_of_five_tasks_wraps(tmp_path):
    tasks = {f"task {k}": 0.01 * k for k in range(1, 6)}
    figure = draw("figure2", results_csv=write_results(tmp_path / "results.csv", tasks=tasks, methods=["disyre"]))
    assert [axes.get_title() for axes in figure.axes if axes.axison] == list(tasks)


def test_figure2_without_such_scores(tmp_path):
    with pytest.raises(HarnessError, match="no single-step scores of 'disyre'"):
        draw("figure2", results_csv=write_results(tmp_path / "results.csv", methods=["dae"]))


def test_figure3_shows_the_first_seed_with_the_truth_in_red(experiment, drawn):
    figure = drawn("figure3")
    data = np.load(experiment["examples"] / "disyre" / "ATLAS" / "seed-0" / "examples.npz")
    assert len(figure.axes) == 3 * 2 * 3
    for axes, key in zip(figure.axes[:3], ("image", "restoration", "score"), strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), data[key][0])
        assert axes.get_aspect() == 1
        assert bool(axes.collections) == (key == "score")
    outline = figure.axes[2].collections[0]
    assert to_hex(outline.get_edgecolor()[0]) == style.RED.lower()
    corners = outline.get_paths()[0].vertices / float(data["spacing"])
    rows, columns = np.nonzero(data["label"][0])
    assert corners[:, 0].min() == pytest.approx(columns.min() - 0.5)
    assert corners[:, 1].max() == pytest.approx(rows.max() + 0.5)
    limits = {axes.images[0].get_clim() for axes in figure.axes if not axes.collections}
    assert limits == {(0.0, 1.0)}


def test_figure3_states_its_window(drawn):
    figure = drawn("figure3")
    top = figure.axes[2].images[0].get_clim()[1]
    assert figure.axes[5].images[0].get_clim()[1] == top  # one window for a row
    assert f"AS 0 to {top:.2g}" in texts(figure)


def test_figure3_of_a_method_without_restoration(experiment, tmp_path):
    source = experiment["examples"] / "disyre" / "ATLAS" / "seed-1" / "examples.npz"
    data = {key: value for key, value in np.load(source).items() if key != "restoration"}
    folder = tmp_path / "dae" / "ATLAS" / "seed-4"
    folder.mkdir(parents=True)
    np.savez(folder / "examples.npz", **data)
    figure = draw("figure3", results_csv=experiment["results_csv"], examples=tmp_path, method="dae")
    assert len(figure.axes) == 2 * 2
    assert any(text.startswith("DAE") for text in texts(figure))


def test_figure3_without_examples_or_seed(experiment, tmp_path):
    with pytest.raises(HarnessError, match="no examples of the tasks ATLAS"):
        draw("figure3", results_csv=experiment["results_csv"], examples=tmp_path)
    with pytest.raises(HarnessError, match="no examples of seed 9; seeds there: 0, 1"):
        draw("figure3", results_csv=experiment["results_csv"], examples=experiment["examples"], seed=9)
    with pytest.raises(HarnessError, match="--examples: not given"):
        draw("figure3", results_csv=experiment["results_csv"])


@pytest.mark.parametrize("name", ["curves", "figure2", "figure3"])
def test_titles_and_tasks_are_plain_text(name, experiment, tmp_path):
    """What looks like mathematics, even wrong one, is drawn as it is written."""
    odd = r"$\textsc{Dae}$ $_"
    sources = dict(experiment)
    for key in ("results_csv", "histories_csv"):
        frame = pd.read_csv(experiment[key])
        sources[key] = tmp_path / f"{key}.csv"
        frame.assign(title=frame["title"].where(frame["method"] != "disyre", odd)).to_csv(sources[key], index=False)
    figure = draw(name, **sources)
    figure.draw_without_rendering()
    drawn = [text.get_text() for text in figure.findobj(Text)]
    assert any(odd.replace("$", r"\$") in text.replace("\n", " ") for text in drawn)


def test_frame_holds_every_brain_in_mm():
    small, large = np.zeros((10, 12)), np.zeros((10, 12))
    small[2:4, 3:9] = 1  # 6 × 2 voxels of 1 mm
    large[1:9, 4:7] = 1  # 3 × 8 voxels of 2 mm
    assert tiles.frame([(small, 1.0), (large, 2.0)], margin=0) == (3.0, 8.0)
    assert tiles.centre(small, 2.0) == (11.0, 5.0)
    assert tiles.frame([(np.zeros((4, 6)), 1.0)], margin=1) == (4.0, 3.0)


def test_unreadable_arrays(tmp_path):
    np.savez(tmp_path / "short.npz", t=np.arange(3))
    with pytest.raises(HarnessError, match=r"short\.npz: .*no array 'x0'.*; draw"):
        draw("figure1", synthesis=tmp_path / "short.npz")


def test_unknown_figure_lists_those_that_exist():
    with pytest.raises(HarnessError, match=r"^figure 'figure0' is unknown: .*did you mean figure3\? there are "):
        catalogue.load("figures", "figure0")


def test_adding_a_figure_is_one_file(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text('"""A figure."""\nREQUIRES = "dae"\n')
    monkeypatch.setattr(figures, "__path__", [str(tmp_path)])
    assert catalogue.names("figures") == ["mine"]
    assert catalogue.names("figures", methods=["disyre"]) == []
    assert catalogue.names("figures", methods=["dae"]) == ["mine"]


def test_style_ignores_and_restores_the_users_settings():
    with matplotlib.rc_context({"font.size": 33, "axes.grid": True}):
        with style.style():
            assert matplotlib.rcParams["font.size"] == 8
            assert not matplotlib.rcParams["axes.grid"]
        assert matplotlib.rcParams["font.size"] == 33


def test_verbs_import_neither_torch_nor_nibabel():
    code = (
        "import sys; from uadbench.paper import catalogue, style\n"
        "from uadbench.paper.writers import latex, markdown, tidy\n"
        "[catalogue.load(kind, name) for kind in ('tables', 'figures') for name in catalogue.names(kind)]\n"
        "assert not {'torch', 'nibabel', 'ants', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.mark.parametrize("name", ["figure1", "figure2"])
def test_figures_of_one_column_have_their_notes_in_the_caption_and_the_mark_in_the_picture(name, experiment):
    with style.style(apart=True):
        figure = draw(name, **experiment, width="column")
    assert_fits(figure)
    assert figure.get_size_inches()[0] == style.COLUMN
    assert MARKS[name] in " ".join(texts(figure))
    assert figure.get_label()
    assert figure.get_label().split()[0] not in " ".join(texts(figure)).split()
    assert min(text.get_fontsize() for text in figure.findobj(Text) if text.get_text()) >= 7


def test_figure1_of_one_column_shows_one_anomaly(tmp_path):
    data = dict(np.load(write_synthesis(tmp_path / "one.npz", examples=1)))
    kept = data["mask"] > 0.01
    second = np.zeros_like(kept)
    second[0, 5:8, 30:33] = True
    several = data | {"mask": np.where(kept, data["mask"], 0) + second * 0.9}
    several["foreign"] = np.where(kept, 0.6, second * 0.9)
    several["x0"] = np.where(second, 0.5, data["x0"])
    several["xt"] = np.where(second[:, None], 0.9, np.where(kept[:, None], data["xt"], several["x0"][:, None]))
    np.savez(tmp_path / "two.npz", **several)
    shown = {
        axes.get_title(): axes.images[0].get_array()
        for axes in draw("figure1", synthesis=tmp_path / "two.npz", width="column").axes
    }
    mask = next(array for title, array in shown.items() if "$m$" in title)
    foreign = next(array for title, array in shown.items() if "x_{fp}" in title)
    assert not mask[second[0]].any()
    assert (foreign == np.where(kept[0], 0.6, 0)).all()
    np.testing.assert_array_equal(mask[kept[0]], several["mask"][0][kept[0]])
    corrupted = next(array for title, array in shown.items() if "$t=100$" in title)
    assert (corrupted[second[0]] == 0.5).all()
    np.testing.assert_array_equal(corrupted[kept[0]], several["xt"][0, -1][kept[0]])
