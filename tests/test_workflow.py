"""The whole workflow on a cohort of a few voxels: one run that is killed and goes on, then a baseline as one file."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from tests.blocks import WRITTEN, baseline_files, blocks, session
from tests.commands import ROOT, call, snakemake
from tests.core.test_study_folder import KINDS
from uadbench.core.study_folder import FINDINGS
from uadbench.data.preprocessing.registration.transform import prepare_scan
from uadbench.data.preprocessing.settings import settings
from uadbench.evaluation.detection import findings
from uadbench.evaluation.inference.inference import final_map
from uadbench.methods.seeds import Streams
from uadbench.study.checks import experiment as checked
from uadbench.training.run import load as load_run

TINY = {
    "experiment": "demo",
    "simulate": {"seed": 1, "spacing": 6.0, "subjects": {"camcan": 4, "atlas": 2, "brats": 1}},
    "datasets": {
        "camcan": {"layout": "camcan", "validation": 2},
        "atlas": {"layout": "atlas"},
        "brats": {"layout": "brats"},
    },
    "preprocessing": {"spacing": 8.0, "normalisation": "p99_5_brain"},
    "max_lost": 0.4,
    "chunks": 1,
    "train": "camcan",
    "tasks": [
        {"name": "ATLAS", "dataset": "atlas", "modality": "t1"},
        {"name": "BraTS-T2", "dataset": "brats", "modality": "t2"},
    ],
    "methods": ["disyre", "random"],
    "seeds": [1],
    "params": {
        "disyre": {
            **{"steps": 20, "batch": 4, "patch": 32, "widths": [8, 16], "groups": 4, "layers": 1, "attention_from": 9},
            **{"residual": True, "times": [50, 100], "curve_times": [25], "step_size": 50, "step_sizes": [25, 50]},
        }
    },
    "evaluation": {"resamples": 100, "examples": 2},
    "paper": {"tables": ["table1", "table2"], "figures": ["curves", "figure1", "figure2", "figure3"]},
}


BLUR = baseline_files(ROOT / "README.md")[0]
MINE = next(block for block in blocks(ROOT / "docs" / "data.md", "yaml") if "runs: demo" in block)


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A copy of the project without results, in a path with a space, an apostrophe and braces; its default is tiny."""
    target = tmp_path_factory.mktemp("it's {a} project") / "copy"
    # With bytecode, which its processes need not make again, but without what others are writing.
    hidden = shutil.ignore_patterns(".*", "*.pyc.*")
    skip = shutil.ignore_patterns(".*", "results")  # the library has folders of this name as well
    shutil.copytree(ROOT, target, ignore=lambda at, names: (skip if Path(at) == ROOT else hidden)(at, names))
    (target / "config.yaml").write_text(yaml.safe_dump(TINY))
    (target / ".venv").symlink_to(sys.prefix)
    return target


CORES = ("--cores", "2", "--configfile")


def run(project: Path, *options: str) -> str:
    """Run the workflow to its end; returns what it printed."""
    done = snakemake(*CORES, *options, cwd=project)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return done.stdout + done.stderr


def planned_jobs(said: str) -> dict[str, str]:
    """Numbers of jobs by rule that a dry run has printed."""
    return dict(line.split() for line in said.splitlines() if re.fullmatch(r"\w+ +\d+", line))


#: line of Snakemake's log for a finished training, after the number of its job
TRAINED = "(Rule: train)"
RECORDED = "(Rule: record)"


def stamps(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("run.json")}


@pytest.fixture(scope="module")
def finished(project) -> Path:
    """The tiny study: started, killed once a training is finished, and started again."""
    results, log = project / "results" / "demo", project / "killed.log"
    with open(log, "w") as output:
        command = [sys.executable, "-m", "snakemake", *CORES, "config.yaml"]
        first = subprocess.Popen(command, cwd=project, stdout=output, stderr=output, start_new_session=True)
        while TRAINED not in log.read_text() and first.poll() is None:
            time.sleep(0.2)
        assert first.poll() is None, log.read_text()[-6000:]
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
    before, trained = stamps(results), log.read_text().count(TRAINED)
    assert trained, log.read_text()[-6000:]
    run(project, "config.yaml")
    after = stamps(results)
    assert sum(after[path] == before[path] for path in before) >= trained, "a finished training was made again"
    return results


def test_a_killed_run_goes_on_to_tables_and_figures(finished):
    for name in ("table1.csv", "table1.md", "table1.tex", "table2.csv", "table2.md", "table2.tex"):
        text = (finished / "paper" / name).read_text()
        assert "nan" not in text.lower().split()
        assert "simulated" in text.lower()
    page = (finished / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == len(list((finished / "paper").glob("*.png")))
    assert page.count('<section class="paper-table">') == len(list((finished / "paper").glob("*.html"))) > 1
    for name in ("curves", "figure1", "figure2", "figure3"):
        assert (finished / "paper" / f"{name}.png").stat().st_size > 10_000
        assert (finished / "paper" / f"{name}.pdf").read_bytes().startswith(b"%PDF")


def test_the_other_tables_and_figures_are_made_of_the_same_files(finished, tmp_path):
    """In this process, which has imported what each of theirs would import; one rule of the workflow makes them all."""
    study = checked({**TINY, "paper": {}})
    given = ["--results", finished / "evaluation" / "results.csv", "--method", "disyre", "--out", tmp_path]
    given += ["--histories", finished / "training" / "histories.csv"]
    for kind, names, suffix in (("table", study.tables, "html"), ("figure", study.figures, "png")):
        others = [name for name in names if name not in TINY["paper"][f"{kind}s"]]
        assert others
        for name in others:
            call(kind, name, *given)
            assert (tmp_path / f"{name}.{suffix}").stat().st_size > 1000


def test_results_are_complete(finished):
    results = pd.read_csv(finished / "evaluation" / "results.csv")
    final = results[(results.score == "final") & (results.metric == "ap")]
    assert len(final) == 2 * 2  # methods, tasks
    assert results.value.notna().all()
    assert (results.trained_on_simulated & results.tested_on_simulated).all()
    assert set(results.loc[results.method == "disyre", "score"]) >= {"single/t=50", "multi/step=25", "cumulative/t=100"}


def test_every_file_is_of_one_kind_in_the_table_of_the_architecture(finished):
    """And every kind occurs, but for those that the table marks."""
    files = [path.relative_to(finished).as_posix() for path in finished.rglob("*") if path.is_file()]
    kinds = {file: [kind.pattern for kind in KINDS if kind.matches(file)] for file in files}
    assert not {file: found for file, found in kinds.items() if len(found) != 1}
    assert {kind.pattern for kind in KINDS if kind.always} <= {pattern for found in kinds.values() for pattern in found}


def test_a_second_run_has_nothing_to_do(project, finished):
    """Though measurements were deleted and threads changed."""
    for measured in list((finished / "benchmarks").rglob("*.tsv")):
        measured.unlink()
    changes = {"threads": {"training": 2, "evaluation": 2}}
    (project / "changes.yaml").write_text(yaml.safe_dump(changes))
    assert "Nothing to be done" in run(project, "config.yaml", "changes.yaml")


def test_an_edit_counts_without_the_records_of_snakemake(project, finished):
    """Also one to a number that other parameters of the job have: the first seed is 1, and there are two subjects."""
    (project / ".snakemake").rename(project / ".kept")
    edited = ("--config", "simulate={seed: 2}", "methods=[disyre]")
    try:
        assert "Nothing to be done" in run(project, "config.yaml", "--dry-run")
        planned = run(project, "config.yaml", "--dry-run", *edited)
    finally:
        shutil.rmtree(project / ".snakemake", ignore_errors=True)
        (project / ".kept").rename(project / ".snakemake")
    counts = planned_jobs(planned)
    assert (counts["simulate"], counts["pack"], counts["train"], counts["summarize"]) == ("3", "3", "2", "1")


def test_every_promised_file_comes_back(project, finished):
    """Each of the formats, and what a training leaves."""
    run_of = finished / "training" / "disyre" / "t1" / "seed-1"
    kept = [*(finished / "paper").glob("table2.*"), finished / "paper" / "figure3.png", run_of / "history.csv"]
    moved = {path: path.with_name(f"kept-{path.name}") for path in [*kept, run_of / "weights"]}
    try:
        for path, away in moved.items():
            path.rename(away)
        planned = run(project, "config.yaml", "--dry-run")
    finally:
        for path, away in moved.items():
            away.rename(path)
    wanted = [line for line in planned.splitlines() if "Missing output files" in line]
    for path in moved:
        assert any(path.relative_to(project).as_posix() in line for line in wanted), path


def test_a_second_run_at_the_same_time_is_refused(project, finished):
    """It would make the same files, and remove those that the first has finished."""
    before = (finished / "paper" / "table2.md").stat().st_mtime_ns
    code = "from uadbench.core import folder_lock; folder_lock.hold(sys.argv[1]); print('held', flush=True); input()"
    code = f"import sys; {code}"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code, str(finished)], cwd=project, **pipes) as holder:
        holder.stdout.readline()
        done = snakemake(*CORES, "config.yaml", "--forcerun", "table2", cwd=project)
        holder.kill()
    assert done.returncode == 1
    assert f"process {holder.pid} on" in done.stdout + done.stderr
    assert (finished / "paper" / "table2.md").stat().st_mtime_ns == before


#: documents whose commands take longest; that each command and its options exist, tests/test_documents.py checks
LONG = ("data", "results", "running")
PAGES = [
    pytest.param(page, marks=[pytest.mark.slow] * (page.stem in LONG), id=page.stem)
    for page in WRITTEN
    if blocks(page, "bash")
]


@pytest.mark.parametrize("page", PAGES)
def test_documented_commands_can_be_pasted_after_the_demo(project, finished, page):
    """All of them, one after the other, in the shell that `make demo` leaves a user with."""
    prepare = 'make() { command make --old-file=.venv/ready "$@"; }'
    script = "\n".join(["set -euo pipefail", "source .venv/bin/activate", prepare, "set -x", *blocks(page, "bash")])
    bare = {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "PYTHONPATH")}
    done = subprocess.run(["bash", "-c", script], cwd=project, capture_output=True, text=True, env=bare)
    assert done.returncode == 0, f"{page.name}: {done.stdout[-2000:]}{done.stderr[-4000:]}"


def test_documented_python_can_be_pasted_after_the_demo(project, finished):
    """Each page with names of its own, all in one process."""
    pages = {page.name: session(page) for page in WRITTEN if session(page)}
    assert len(pages) > 1
    code = "\n".join(f"exec(compile({text!r}, {name!r}, 'exec'), {{}})" for name, text in pages.items())
    done = subprocess.run([sys.executable, "-c", code], cwd=project, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


def test_the_readme_scores_a_scan(finished):
    """The map that its commands, run above, have left."""
    scan = min((finished / "data" / "raw" / "atlas").rglob("*T1w.nii.gz"))
    image, scored = nibabel.load(scan), nibabel.load(finished.parent / "mine" / "map.nii.gz")
    assert scored.shape == image.shape
    np.testing.assert_allclose(scored.affine, image.affine, atol=1e-4)
    values = scored.get_fdata()
    assert values.max() > 0
    assert values.min() >= 0
    assert (values[np.asarray(image.dataobj) > np.percentile(image.dataobj, 75)] > 0).mean() > 0.3


def test_a_scan_is_scored_as_the_study_scored_it(finished):
    """Not with the defaults of the method's file: the study's step size is another one."""
    scan = min((finished / "data" / "raw" / "atlas").rglob("*T1w.nii.gz"))
    method, about = load_run(finished / "training" / "disyre" / "t1" / "seed-1")
    volume, _ = prepare_scan(scan, settings(about["preprocessing"]), "t1")
    tensor = torch.from_numpy(volume.astype(np.float16).astype(np.float32))
    tested = findings.load(finished / "evaluation" / "disyre" / "ATLAS" / "seed-1" / FINDINGS)[0]
    number = next(n for n, name in enumerate(tested.subjects) if name in scan.as_posix())
    streams = Streams(1, torch.device("cpu")).child(tested.subjects[number])
    score = final_map(method, tensor, streams, "disyre").numpy()
    peaks = [plane.max() for plane, brain in zip(score, volume > 0, strict=True) if brain.any()]
    np.testing.assert_array_equal(tested.slice_peaks[tested.slice_subjects == number], peaks)


def test_another_experiment_on_the_same_data_makes_no_data(project, finished):
    """It trains a variant that the config defines, and scores another with the runs of its baseline."""
    variants = {"disyre-wide": {"widths": [16, 16]}, "disyre-late": {"step_size": 25}}
    changes = {"experiment": "widths", "data": "demo", "methods": ["disyre", *variants], "variants": variants}
    (project / "widths.yaml").write_text(yaml.safe_dump(changes))
    planned = run(project, "config.yaml", "widths.yaml", "--dry-run")
    counts = planned_jobs(planned)
    assert not {"simulate", "recipe", "index", "preprocess", "pack", "quality"} & counts.keys()
    assert (counts["train"], counts["test"]) == ("4", "6")  # modalities; tasks


NOTE = "Not complete: no results of Fragile, whose jobs failed or have not ended."


@pytest.fixture(scope="module")
def failed(project, finished) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """A study one of whose methods fails, mended afterwards, and the options that run it."""
    mended = BLUR.replace("Blur", "Fragile")
    changes = {"experiment": "fragile", "data": "demo", "methods": ["random", "fragile"], "tasks": TINY["tasks"][:1]}
    (project / "fragile.yaml").write_text(yaml.safe_dump({**changes, "paper": {"tables": ["table2"], "figures": []}}))
    options = ("config.yaml", "fragile.yaml", "--config", "evaluation={resamples: 7}", "seeds=[1]")
    method = project / "baselines" / "fragile.py"
    try:
        method.write_text(mended.replace("return ", "return 1 / 0 * "))
        done = snakemake(*CORES, *options, cwd=project)
        assert done.returncode == 1
        assert "Without fragile: tables of the other methods in results/fragile/partial" in done.stderr
        assert (done.stdout + done.stderr).count(RECORDED) == 2
        method.write_text(mended)
        yield finished.with_name("fragile"), options
    finally:
        method.unlink()


def test_a_failing_method_leaves_the_tables_of_the_others(project, failed):
    """Apart, and with its name, until it is mended; nothing is trained for them, nor again."""
    study, options = failed
    for name in ("paper/table2.md", "paper/table2.html", "paper/table2.tex", "report.html"):
        assert NOTE in (study / "partial" / name).read_text(encoding="utf-8")
    assert set(pd.read_csv(study / "partial" / "evaluation" / "results.csv")["method"]) == {"random"}
    assert not (study / "paper").exists()
    assert not {"train", "record"} & planned_jobs(run(project, *options, "--dry-run")).keys()


@pytest.mark.slow
def test_a_mended_method_stands_beside_the_others(project, failed):
    study, options = failed
    assert RECORDED not in run(project, *options)
    assert "Fragile" in (study / "paper" / "table2.md").read_text(encoding="utf-8")
    assert NOTE not in (study / "report.html").read_text(encoding="utf-8")
    assert not [*study.rglob("partial")]


def test_parts_of_a_data_set_and_a_variant_that_only_scores_otherwise(project):
    """Each part is a job of its own; the variant is scored and not trained, a control recorded, seeds together."""
    changes = {"experiment": "planned", "chunks": 3, "seeds": [1, 2], "params": {"vae": {"grey_channels": 3}}}
    changes |= {"methods": ["vae", "vae-upd", "r_vae-upd", "random"]}  # by that value, one run of the VAE for all
    changes |= {"seeds_together": True, "threads": {"preprocessing": 2}}
    (project / "planned.yaml").write_text(yaml.safe_dump({**TINY, **changes}))
    planned = run(project, "planned.yaml", "--dry-run")
    counts = planned_jobs(planned)
    assert counts["preprocess"] == "9"  # data sets, parts
    assert counts["pack"] == "3"
    assert (counts["train"], counts["record"]) == ("8", "4")  # modalities, seeds; of r-VAE as well
    assert counts["test"] == "8"  # methods, tasks
    # Registration uses one thread and reserves no more.
    assert set(re.findall(r"rule (\w+):(?:\n    .+)*\n    threads: 2\n", planned)) == {"quality"}


@pytest.fixture(scope="module")
def extended(project, finished) -> Path:
    """The finished study, continued with a baseline and a data set of one's own; nothing is trained again."""
    before = stamps(finished)
    (project / "baselines" / "blur.py").write_text(BLUR)
    more = {"methods": [*TINY["methods"], "blur"], "paper": {"tables": ["table2"], "figures": ["figure3"]}}
    (project / "more.yaml").write_text(yaml.safe_dump(more))
    scans = sorted((finished / "data" / "raw" / "atlas").rglob("*T1w.nii.gz"))
    names = [scan.relative_to(project).as_posix() for scan in scans]
    lines = [f"person-{n},{name},{name.replace('T1w', 'label-L_desc-T1lesion_mask')}" for n, name in enumerate(names)]
    (project / "mine.csv").write_text("\n".join(["subject,t1,mask", *lines]) + "\n")
    (project / "mine.yaml").write_text(MINE)
    kept = {path: path.stat().st_mtime_ns for path in (finished / "evaluation").rglob("*")}
    run(project, "config.yaml", "more.yaml", "mine.yaml", "--until", "report")
    after = stamps(finished)
    assert all(after[path] == before[path] for path in before)
    assert {path: path.stat().st_mtime_ns for path in (finished / "evaluation").rglob("*")} == kept
    return finished.parent / "mine"


def test_a_new_baseline_is_one_file_and_one_word(extended):
    assert "Blur" in (extended / "paper" / "table2.md").read_text()


def test_a_folder_of_ones_own_is_one_csv_and_five_lines_beside_the_study(extended):
    assert len(MINE.splitlines()) == 5
    results = pd.read_csv(extended / "evaluation" / "results.csv")
    assert set(results.task) == {"Mine"}
    assert set(results.method) == {*TINY["methods"], "blur"}
    assert set(results.subjects) == {TINY["simulate"]["subjects"]["atlas"]}
    assert "Mine" in (extended / "report.html").read_text(encoding="utf-8")


def test_mistakes_stop_before_any_job(project, tmp_path):
    """One of those of tests/study/test_config.py."""
    message = "step_size 0 is not between 1 and T"
    (tmp_path / "mistake.yaml").write_text(yaml.safe_dump({"params": {"disyre": {"step_size": 0}}}))
    done = snakemake(*CORES, "config.yaml", tmp_path / "mistake.yaml", "-n", cwd=project)
    assert done.returncode != 0
    assert message in done.stderr + done.stdout
    assert "Traceback" not in done.stderr + done.stdout
