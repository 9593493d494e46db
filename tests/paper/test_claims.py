"""The paper's claims: the page is that of the stored results, and its numbers are those of pandas and scipy."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import fft, stats

from tests.commands import ROOT, call, fails
from tests.paper.conftest import write_comparisons, write_results, write_synthesis
from uadbench.core.study_folder import COMPARISONS, SPEED, SYNTHESIS
from uadbench.evaluation.summary.comparisons import OTHER
from uadbench.evaluation.summary.runs import SCORE
from uadbench.paper.claims import methods, page, steps
from uadbench.paper.claims.cells import grids, inside, kendall
from uadbench.paper.claims.entries import SECTIONS
from uadbench.paper.claims.evidence import REAL, SAME, SIMULATED, TASKS, Measured, Printed, with_seeds
from uadbench.paper.claims.finding import Finding, verdict
from uadbench.paper.inputs import Sources
from uadbench.paper.published import PATH, Published
from uadbench.paper.summary import Summary

DEMO = ROOT / "docs" / "reference" / "demo"
PAGE = Path("docs/claims.md")
ATLAS, T1, T2 = TASKS


@pytest.fixture(scope="module")
def paper() -> Printed:
    return Printed(Published.read())


@pytest.fixture(scope="module")
def demo() -> Measured:
    return Measured(DEMO)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return pd.read_csv(DEMO / "evaluation" / "results.csv").query("protocol == 'full'")


@pytest.fixture(scope="module")
def tests() -> pd.DataFrame:
    return pd.read_csv(DEMO / "evaluation" / "comparisons.csv")


def by_of(found: list[Finding]) -> dict[str, Finding]:
    assert len({finding.of for finding in found}) == len(found)
    return {finding.of: finding for finding in found}


def test_the_page_is_the_one_of_the_stored_results(monkeypatch):
    monkeypatch.chdir(ROOT)
    text = PAGE.read_text(encoding="utf-8")
    command = re.search(r"Made by `uadbench claims (.*?) --out docs/claims.md`", text)
    assert page.write([*map(Path, command[1].split())], PAGE) == text, command[0]


def test_the_command_writes_the_page(tmp_path):
    call("claims", DEMO, "--out", tmp_path / "claims.md")
    text = (tmp_path / "claims.md").read_text(encoding="utf-8")
    claims = [claim for section in SECTIONS.values() for claim in section]
    assert all(claim.says in text for claim in claims)
    assert len(claims) == len({claim.title for claim in claims})
    for claim in claims:
        assert f"[{claim.says}](#{page.anchor(claim.title)})" in text
    assert "* No study here is on real scans, and so none on the paper's test sets." in text
    assert "](evaluation.md)" not in text  # which lies elsewhere
    assert not re.search(r"\*\*(not )?supported\*\*", text)  # a simulated study supports nothing
    assert "no results.csv" in fails("claims", tmp_path / "none", "--out", tmp_path / "claims.md")


def test_every_cell_of_the_papers_tables_stands_on_the_page(paper):
    text = (ROOT / PAGE).read_text(encoding="utf-8").split("## Cell by cell")[1]
    printed = pd.read_csv(PATH)
    assert sum(len(grid.rows) for grid in grids(paper)) * 3 == len(printed)
    for grid in grids(paper):
        part = text.split(f"### {grid.title}\n")[1].split("###")[0]
        lines = [line.split(" | ")[1:] for line in part.splitlines() if line.startswith("| ")][2:]
        rows = printed[
            (printed["metric"] == grid.metric) & (printed["table"] == grid.title[:7].lower().replace(" ", ""))
        ]
        for line, (_, method, score) in zip(lines, grid.rows, strict=True):
            own = rows[(rows["method"] == method) & (rows["score"] == score)].set_index("task")
            expected = [
                f"{own.loc[t, 'mean']:.2f}" + ("" if np.isnan(own.loc[t, "std"]) else f" ± {own.loc[t, 'std']:.2f}")
                for t in TASKS
            ]
            assert [cell.strip() for cell in line[:: len(line) // 3]] == expected


def test_remarks_on_the_papers_own_numbers(paper):
    """What the page says of them, from the file of printed numbers by hand: .76 against .51, .35 against .42, …"""
    gain = by_of(methods.gain(T2, ATLAS)(paper))
    assert gain[T2].value == pytest.approx(0.76 - 0.51)
    assert gain["BraTS-T2, of the second best"].text() == "+49 %"
    assert gain["BraTS-T2, of DISYRE's own"].text() == "+33 %"
    assert gain["ATLAS, of the second best"].value == pytest.approx(100 * (0.32 / 0.18 - 1))
    (behind,) = methods.not_far_behind(paper)
    assert (behind.value, behind.note) == (pytest.approx(0.35 - 0.42), "next: FAE")
    printed = pd.read_csv(PATH).query("table == 'table2' and task == 'BraTS-T1' and metric == 'ap'")
    assert printed["mean"].rank(ascending=False)[printed["method"] == "disyre"].item() == 3
    assert round(100 * (1 - 0.35 / 0.42)) == 17
    assert {f.of: f.value for f in steps.peaks(paper)} == {ATLAS: 75, T1: 50, T2: 100}
    over = by_of(steps.over_single(paper))
    assert [round(over[task].value, 2) for task in TASKS] == [0.01, -0.10, 0.07]
    assert over[ATLAS].value <= paper.value("disyre", ATLAS, "multi/step=25").std + 1e-9
    sizes = by_of(steps.step_sizes(paper))
    assert [re.search(r"range (.*)", sizes[task].note)[1] for task in TASKS] == ["0.02", "0.04", "0.01"]
    half = [paper.value("disyre", task, "multi/step=50").mean for task in TASKS]
    assert all(one >= paper.value("disyre", task, "multi/step=25").mean for one, task in zip(half, TASKS, strict=True))
    assert [finding.value for finding in steps.balance(paper)] == [10, 5, 4, 4, 2]
    assert max(finding.value for finding in steps.seeds(paper)) == 0.03


def test_the_best_against_the_second_best(demo, rows, tests):
    mean = rows.query("score == 'final' and metric == 'ap'").groupby(["task", "method"])["value"].mean()
    found = by_of(methods.lead(ATLAS, T1, T2)(demo))
    shares = by_of(methods.gain(ATLAS, T1, T2)(demo))
    for task in TASKS:
        rival = mean[task][["dae", "mood22"]].idxmax()
        value = mean[task]["disyre"] - mean[task][rival]
        assert found[task].value == pytest.approx(value, abs=1e-6)
        row = tests[(tests["task"] == task) & (tests["metric"] == "ap") & (tests["score"] == "final")]
        row = row[row[["method", "other"]].isin(["disyre", rival]).all(axis=1) & (row["method"] != row["other"])]
        low, high = row[["low", "high"]].iloc[0]
        bounds = (low, high) if row["method"].iloc[0] == "disyre" else (-high, -low)
        assert (found[task].low, found[task].high) == pytest.approx(bounds)
        share = shares[f"{task}, of the second best"]
        assert share.value == pytest.approx(100 * value / mean[task][rival], abs=1e-3)
        assert shares[f"{task}, of DISYRE's own"].value == pytest.approx(100 * value / mean[task]["disyre"], abs=1e-3)
        assert share.low < share.value < share.high
        assert found[task].holds is None  # Holm's p-values are above .05


def test_t_of_the_maximum(demo, rows):
    single = rows[rows["score"].isin([f"single/t={t}" for t in (25, 50, 75, 100)]) & (rows["metric"] == "ap")]
    single = single.assign(t=single["score"].str.partition("=")[2].astype(int))
    found = by_of(steps.peaks(demo))
    best = {}
    for task, own in single.groupby("task"):
        table = own.pivot(index="seed", columns="t", values="value")
        best[task] = table.idxmax(axis=1)
        assert found[task].value == pytest.approx(best[task].mean())
        assert f"sd {best[task].std():.0f}; by seed {', '.join(map(str, best[task]))};" in found[task].note
        top = table.mean().nlargest(2)
        assert f"AP {top.iloc[0] - top.iloc[1]:.3f} above" in found[task].note
    certain = [
        stats.ttest_1samp(best[a] - best[b], 0).pvalue < 0.05 / 3 for a, b in ((ATLAS, T1), (ATLAS, T2), (T1, T2))
    ]
    assert found[ATLAS].holds is (True if any(certain) else None)


def test_comparisons_of_score_maps_do_not_count_among_methods(tests):
    """Three methods on three tasks are nine pairs, however many maps of one method are compared beside them."""
    sources = Sources(DEMO / "evaluation" / "results.csv")
    assert (tests["method"] == tests["other"]).any()
    (note,) = sources.verdicts(sources.results)
    assert "of 9 pairs of methods" in note
    assert not [entry for entry in sources.significant if entry[3] == entry[4]]


def test_peaks_that_differ_in_every_seed_are_certain(tmp_path):
    """As made up: 75, 45 and 100, on the t of Table 1 with a step of 5."""
    made = Measured(write_results(tmp_path / "results.csv"))
    found = by_of(steps.peaks(made))
    assert abs(found[ATLAS].value - 75) <= 5
    assert abs(found[T1].value - 45) <= 5
    assert found[T2].value >= 90
    assert verdict(found.values()) is True


def test_differences_of_score_maps(demo, rows, tests):
    ap = rows.query("metric == 'ap' and method == 'disyre'").groupby(["task", "score"])["value"].mean()
    over, sizes = by_of(steps.over_single(demo)), by_of(steps.step_sizes(demo))
    within = tests[(tests["method"] == "disyre") & (tests["other"] == "disyre") & (tests["metric"] == "ap")]
    within = within.set_index(["task", "score"])
    for task in TASKS:
        best = ap[task][[f"single/t={t}" for t in (25, 50, 75, 100)]].idxmax()
        assert over[task].value == pytest.approx(ap[task]["final"] - ap[task][best], abs=1e-6)
        row = within.loc[(task, best)]
        assert (over[task].low, over[task].high) == pytest.approx((-row["high"], -row["low"]))
        multi = ap[task][[f"multi/step={s}" for s in (10, 20, 25, 33, 50)]]
        far = (multi - ap[task]["final"]).abs().idxmax()
        assert sizes[task].value == pytest.approx(ap[task]["final"] - multi[far], abs=1e-6)
        assert round(float(re.search(r"range (.*)", sizes[task].note)[1]), 2) == round(multi.max() - multi.min(), 2)
        beyond = within.loc[task].filter(like="multi", axis=0)[["low", "high"]].abs().max(axis=None) > 0.02
        assert sizes[task].holds is (None if beyond else True)


def test_passes_and_times_by_step_size(demo, rows):
    speed = json.loads((DEMO / "evaluation" / SPEED).read_text())["step_sizes"]
    for finding in steps.balance(demo):
        size = re.search(r"\d+", finding.of)[0]
        assert finding.value == speed[size]["passes"] == -(-100 // int(size))
        assert f"{speed[size]['seconds_per_volume']:.2g} s a volume" in finding.note
        for task in TASKS:
            chosen = (rows["score"] == f"multi/step={size}") & (rows["metric"] == "ap") & (rows["task"] == task)
            assert f"{rows.loc[chosen, 'value'].mean():.2f}" in finding.note
    assert demo.speed["device"]


def test_one_spectrum_at_every_t(demo):
    """Of the difference of both images under the mask alone, which no t enters."""
    data = np.load(DEMO / "evaluation" / SYNTHESIS)
    change = data["mask"].astype(float) * (data["foreign"] - data["x0"])
    power = np.abs(fft.fft2(change, axes=(-2, -1))) ** 2
    rows, columns = np.meshgrid(*(fft.fftfreq(side) for side in change.shape[-2:]), indexing="ij")
    expected = np.mean([(p * np.sqrt(rows**2 + columns**2)).sum() / p.sum() for p in power])
    found = steps.frequencies(demo)
    assert [finding.of for finding in found] == ["t = 25", "t = 50", "t = 75", "t = 100"]
    assert [finding.value for finding in found] == pytest.approx([expected] * 4, rel=1e-4)
    assert verdict(found) is False
    schedule = by_of(steps.schedule(demo))
    kept = np.cumprod(1 - np.linspace(1e-3, 0.2, 100))
    for t in (25, 50, 75, 100):
        assert schedule[f"α at t = {t}"].value == pytest.approx(1 - np.sqrt(kept[t - 1]), abs=1e-6)
    assert verdict(schedule.values()) is True


def test_a_spectrum_that_changes_with_t_holds(tmp_path):
    """Images blurred more and more: high frequencies go first."""
    write_results(tmp_path / "results.csv")
    write_synthesis(tmp_path / SYNTHESIS)
    data = dict(np.load(tmp_path / SYNTHESIS))
    assert verdict(steps.frequencies(Measured(tmp_path / "results.csv"))) is False
    fine, coarse = np.random.default_rng(0).standard_normal((64, 64)), np.ones((64, 64))
    data["xt"] = data["x0"][:, None] + np.stack([0 * fine, fine, fine + coarse, fine + 3 * coarse, coarse])
    np.savez(tmp_path / SYNTHESIS, **data)
    found = steps.frequencies(Measured(tmp_path / "results.csv"))
    assert verdict(found) is True
    assert found[-1].value == pytest.approx(0, abs=1e-6)


def test_subsets_of_the_stored_results(demo):
    stored = pd.read_csv(DEMO / "evaluation" / "subsets.csv").query("task == 'ATLAS'").set_index("method")
    found = by_of(methods.fewer_scans(demo))
    assert set(found) == {"DAE", "DISYRE", "MOOD22"}
    for name, method in (("DAE", "dae"), ("DISYRE", "disyre"), ("MOOD22", "mood22")):
        row = stored.loc[method]
        assert (found[name].value, found[name].low, found[name].high) == pytest.approx((row.bias, row.low, row.high))
        assert found[name].holds is None  # of four patients drawn
        assert abs(row.bias) - 2 * row.error > 0.002


def test_the_gap_between_modalities_has_the_interval_of_two_independent_numbers(demo):
    one, other = demo.value("disyre", T2), demo.value("disyre", T1)
    (found,) = methods.modality_gap(demo)
    assert found.value == pytest.approx(one.mean - other.mean)
    assert found.low == pytest.approx(found.value - np.sqrt((one.mean - one.low) ** 2 + (other.high - other.mean) ** 2))
    assert found.high == pytest.approx(
        found.value + np.sqrt((one.high - one.mean) ** 2 + (other.mean - other.low) ** 2)
    )


def test_an_interval_over_patients_is_widened_by_that_of_seeds(rows):
    values = rows.query("task == 'BraTS-T2' and method == 'disyre' and score == 'final' and metric == 'ap'")
    mean, low, high = values["value"].mean(), values["low"].mean(), values["high"].mean()
    half = np.diff(stats.t.interval(0.95, 3, mean, stats.sem(values["value"])))[0] / 2
    found = with_seeds(Summary(mean, values["value"].std(), low, high, (1, 2, 3, 4)))
    assert mean - found.low == pytest.approx(np.hypot(mean - low, half))
    assert found.high - mean == pytest.approx(np.hypot(high - mean, half))


def real(folder, edit=None, **changes):
    write_results(folder / "results.csv", ("disyre", "dae", "fae", "random"), simulated=False, edit=edit, **changes)
    return folder


def test_a_study_on_the_papers_test_sets_is_compared_cell_by_cell(tmp_path):
    def as_printed(frame):
        frame = frame.copy()
        own = (frame["method"] == "disyre") & (frame["score"] == "final") & (frame["metric"] == "ap")
        frame.loc[own & (frame["task"] == ATLAS), ["value", "low", "high"]] = (0.30, 0.27, 0.33)
        frame.loc[own & (frame["task"] == T1), ["value", "low", "high"]] = (0.30, 0.27, 0.33)
        return frame

    study = Measured(real(tmp_path, as_printed))
    assert study.kind == SAME
    text = page.write([tmp_path], Path("claims.md"))
    line = next(one for one in text.split("### Table 2, AP")[1].splitlines() if one.startswith("| DISYRE"))
    assert "| 0.32 | 0.30 (0.27–0.33); −0.02, within |" in line
    assert "| 0.35 | 0.30 (0.27–0.33); −0.05, outside |" in line
    assert "printed numbers are in our interval" in text
    assert "No study here" not in text
    assert inside(Summary(0.32), Summary(0.3, low=0.28, high=0.317))  # rounded, it may be 0.315
    assert not inside(Summary(0.32), Summary(0.3, low=0.28, high=0.314))
    assert inside(Summary(0.32), Summary(0.3)) is None


def test_a_printed_cell_stands_beside_ours_under_the_closest_protocol(tmp_path):
    def twice(frame):
        official = frame.assign(protocol="official", value=0.11, low=0.1, high=0.12)
        return pd.concat([frame, official, frame.assign(protocol="upd", value=0.07, low=0.06, high=0.08)])

    study = Measured(real(tmp_path, twice))
    text = page.write([tmp_path], Path("claims.md")).split("### Table 2, AP")[1].split("###")[0]
    lines = {line.split(" | ")[0]: line for line in text.splitlines()}
    assert "| 0.32 | 0.11 (0.10–0.12); −0.21, outside |" in lines["| DISYRE"]
    assert "| 0.05 | 0.07 (0.06–0.08); +0.02, outside |" in lines["| DAE"]
    assert study.value("disyre", ATLAS).mean > 0.3  # statements compare methods under one protocol


@pytest.mark.parametrize(
    ("changes", "words"),
    [({}, "supported"), ({"p_holm": 0.2}, "not decided"), ({"resampled": "subjects"}, "not decided")],
)
def test_what_decides_a_claim(tmp_path, changes, words):
    """On the paper's test sets; DISYRE is better than both others, significantly, not, or of one seed."""
    real(tmp_path)
    parts = []
    for task in (ATLAS, T2):
        write_comparisons(tmp_path, [("disyre", "dae"), ("disyre", "fae")], task=task, **changes)
        parts.append(pd.read_csv(tmp_path / "comparisons.csv"))
    pd.concat(parts).to_csv(tmp_path / "comparisons.csv", index=False)
    claim = SECTIONS["Methods: Table 2"][0]
    assert page.said(claim, Measured(tmp_path))[0] == words


def test_one_better_rival_decides_against_a_claim(tmp_path):
    real(tmp_path)
    write_comparisons(tmp_path, [("disyre", "fae"), ("dae", "disyre")])
    found = by_of(methods.lead(ATLAS)(Measured(tmp_path)))
    assert found[ATLAS].holds is False
    assert (verdict([]), verdict([Finding("a", 1, holds=True), Finding("b", 1)])) == (None, None)


def test_kinds_of_studies(tmp_path):
    few = {"ATLAS": 0.011}
    write_results(tmp_path / "results.csv", tasks=few, simulated=False, edit=lambda frame: frame.assign(subjects=8))
    assert Measured(tmp_path).kind == REAL
    assert Measured(write_results(tmp_path / "results.csv", simulated=(True, False))).kind == SIMULATED
    assert set(page.WORDS) == {REAL, SAME, SIMULATED}


def test_kendall_by_hand():
    assert kendall([1, 2, 3, 4], [1, 2, 4, 3]) == pytest.approx((5 - 1) / 6)


def test_a_broken_file_of_times_is_named(tmp_path):
    write_results(tmp_path / "results.csv")
    (tmp_path / SPEED).write_text("{}")
    assert Measured(tmp_path).speed == {}
    (tmp_path / SPEED).write_text('{"device": "x"}')
    assert "bench --step-sizes" in fails("claims", tmp_path, "--out", tmp_path / "claims.md")


def write_differences(folder, **changes):
    """Differences of 0, as certain as can be: of methods, and of step size 50 from the final map."""
    parts = []
    for task in TASKS:
        for pair, more in ((("disyre", "dae"), {}), (("disyre", "disyre"), {"score": "multi/step=50", OTHER: SCORE})):
            write_comparisons(folder, [pair], task=task, **more, **changes)
            parts.append(pd.read_csv(folder / COMPARISONS))
    pd.concat(parts).to_csv(folder / COMPARISONS, index=False)


@pytest.mark.parametrize(("seeds", "resampled"), [((1,), "subjects"), ((1, 2, 3), "subjects and seeds")])
def test_one_seed_decides_nothing(tmp_path, seeds, resampled):
    write_results(tmp_path / "results.csv", ("disyre", "dae"), seeds)
    write_differences(tmp_path, resampled=resampled)
    study = Measured(tmp_path)
    told = {claim.title: verdict(claim.measure(study)) for section in SECTIONS.values() for claim in section}
    decided = {title for title, holds in told.items() if holds is not None}
    if len(seeds) == 1:
        assert not decided
        assert "1 seed: intervals are over patients alone and decide nothing" in page._studies([study])[0]
    else:
        assert {"Robustness to the step size", "Competitive on BraTS-T1", "DISYRE against DAE"} <= decided
