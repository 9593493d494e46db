"""Open data sets in a config: what is missing is said with the command that fetches it, or fetched."""

from pathlib import Path

import pytest
import yaml

from tests.commands import ROOT, call, snakemake
from tests.data.download.conftest import content, right, server  # noqa: F401
from uadbench.core.errors import HarnessError
from uadbench.core.files import read_json
from uadbench.data.download import tables
from uadbench.data.download.selection import select
from uadbench.data.index.sheet import read as read_sheet
from uadbench.study.checks import experiment as checked
from uadbench.study.outputs import outputs

DATASETS = {
    "dallas": {"layout": "bids", "source": "ds004856", "validation": 50},
    "strokes": {"layout": "bids", "source": "arc"},
    "gliomas": {"layout": "bids", "source": "ds001226"},
    "meningiomas": {"layout": "bids", "source": "ds001226"},
}


def config(datasets=DATASETS, **changes) -> dict:
    train, *tests = datasets
    tasks = [{"name": name, "dataset": name, "modality": "t1"} for name in tests]
    study = {"experiment": "open", "datasets": datasets, "train": train, "tasks": tasks}
    return {**study, "methods": ["intensity"], "seeds": [1], **changes}


def changed(**changes) -> dict:
    """The config with other keys of `strokes`."""
    return config({**DATASETS, "strokes": DATASETS["strokes"] | changes})


def refused(study: dict) -> str:
    with pytest.raises(HarnessError) as error:
        checked(study)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_one_line_says_which_command_fetches_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert refused(config()) == (
        "datasets: 935 of 935 files of ds004856, 1583 of 1583 files of ds004884, 126 of 126 files of ds001226 are "
        "missing; fetch them (12.9 GB): uadbench download ds004856 ds004884 ds001226 --to data/open"
    )
    line = refused(changed(subjects=30, root="else where/ds004884"))
    first, second = line.rpartition(": ")[2].split(" && ")
    assert first == "uadbench download ds004856 ds001226 --to data/open"
    assert second == "uadbench download ds004884 --to 'else where' --subjects 30"


MISTAKES = [
    ({"source": None, "fetch": True}, "datasets.strokes.fetch: is of a source; add source, a name that"),
    ({"source": None, "subjects": 3}, "datasets.strokes.subjects: is of a source"),
    ({"source": "ds4884"}, "datasets.strokes.source: ds4884: no such open data set; did you mean ds004884"),
    (
        {"root": "a", "source": "ds4884"},
        "datasets.strokes.source: ds4884: no such open data set; did you mean ds004884",
    ),
    ({"root": "data/arc"}, "datasets.strokes.root: data/arc: `download` makes a folder ds004884; end the path with it"),
    ({"fetch": "yes"}, "datasets.strokes.fetch: must be true, false or job, not 'yes'"),
    ({"subjects": 0}, "datasets.strokes.subjects: must be greater than 0"),
]


@pytest.mark.parametrize(("keys", "line"), MISTAKES, ids=str)
def test_mistakes(keys, line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert refused(changed(**keys)).startswith(line)


def test_simulated_data_have_no_source():
    study = config(simulate={"seed": 1, "spacing": 3, "subjects": {"strokes": 3}})
    assert refused(study).startswith("datasets.strokes.source: the data set is simulated; remove source")


def touched(folder: Path, name: str, subjects: int) -> None:
    """Files of the published names and sizes, without content."""
    for file in select(tables.load(name), subjects):
        path = folder / name / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as empty:
            empty.truncate(file.bytes)


def test_what_is_there_is_enough(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("ds001226", "ds002748"):
        touched(Path("data/open"), name, 4)
    small = {
        "healthy": {"layout": "bids", "source": "ds002748", "subjects": 4},
        "tumours": {"layout": "bids", "source": "btc", "subjects": 4},
    }
    study = checked(config(small))
    assert study.datasets["tumours"].root == "data/open/ds001226"
    assert study.releases == {"healthy": "depression", "tumours": "btc"}
    options = study.index_options("tumours")
    assert options[options.index("--chosen") + 1] == "btc:4"
    assert options[-2:] == ["--release", "btc"]
    assert not {"datasets.tumours.source", "datasets.tumours.fetch"} & study.recipe("tumours").keys()
    small["tumours"]["subjects"] = 5
    assert "2 of 20 files of ds001226 are missing" in refused(config(small))
    small["tumours"]["fetch"] = True
    assert [output.parts for output in outputs(checked(config(small))) if output.path.name == "fetched.json"] == [
        {"options": ["btc", "--to", "data/open", "--subjects", "5"]}
    ]


def test_subjects_that_were_fetched_besides_are_left_out(server, content, tmp_path):  # noqa: F811
    call("download", "own", "--to", tmp_path)
    words = ["index", "--dataset", "a", "--layout", "bids", "--role", "test", "--unmasked", "healthy"]
    call(*words, "--chosen", "own:3", "--root", tmp_path / "own", "--out", tmp_path / "sheet.csv")
    rows = read_sheet(tmp_path / "sheet.csv").rows
    assert len(rows) == 3
    assert sum(bool(row.mask) for row in rows) == 2


def test_a_study_fetches_what_it_lacks(server, content, tmp_path):  # noqa: F811
    """Two data sets of one source: one download after the other."""
    entry = {"layout": "bids", "source": "own", "fetch": True}
    study = config({"healthy": {**entry, "exclude": ["sub-05"]}, "lesions": {**entry, "subjects": 4}})
    (tmp_path / "open.yaml").write_text(yaml.safe_dump(study))
    target = ["results/open/data/lesions/subjects.csv", "results/open/data/healthy/fetched.json"]
    command = ["--snakefile", ROOT / "Snakefile", "--cores", 2, "--configfile", "open.yaml"]
    done = snakemake(*command, "--", *target, cwd=tmp_path)
    assert (done.stdout + done.stderr).count("localrule fetch:") == 2
    log = tmp_path / "results/open/logs/fetch/lesions.log"
    assert done.returncode == 0, done.stderr[-2000:] + (log.read_text() if log.is_file() else "")
    assert right(tmp_path / "data/open/own", content) == sorted(content)
    about = read_json(tmp_path / "results/open/data/lesions/fetched.json")
    assert (about["source"], about["subjects"]) == ("own", 4)
    assert len(server.asked) == len({path for path, _ in server.asked}) == len(content) - 1
    assert (tmp_path / "results/open/data/lesions/subjects.csv").read_text().count("sub-") > 4
