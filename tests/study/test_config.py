"""Mistakes in a config are found before anything runs, each told in one readable line."""

import copy
import json
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
import yaml

from tests.commands import ROOT
from uadbench.core.errors import HarnessError
from uadbench.core.modalities import NAMES
from uadbench.data.index.layout import Files
from uadbench.data.index.sheet import COLUMNS
from uadbench.data.preprocessing.brain.normalisation import RULES
from uadbench.data.preprocessing.settings import Preprocessing
from uadbench.methods import registry
from uadbench.study.checks import experiment as checked
from uadbench.study.config import Config
from uadbench.study.config_files import read
from uadbench.study.experiment import Experiment


@pytest.fixture(scope="module")
def default() -> dict:
    return read(ROOT / "config.yaml")


def changed(config: dict, **changes) -> dict:
    """A copy with `a__b=value` set at a.b."""
    config = copy.deepcopy(config)
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = config
        for key in parents:
            place = place.setdefault(key, {})
        place[last] = value
    return config


MISTAKES = [
    ({"metods": ["dae"]}, r"metods: no such key; did you mean methods\? there are experiment, "),
    ({"evaluation__protokoll": 1}, r"evaluation.protokoll: no such key"),
    ({"experiment": "mine\n"}, r"experiment: 'mine\\n' holds a line break"),
    ({"methods": ["dae\n"]}, r"methods.0: 'dae\\n' holds a line break"),
    ({"params": {"dae\n": {}}}, r"params: 'dae\\n' holds a line break"),
    (
        {"postprocessing": {"median": 4}},
        r"postprocessing.median: must be odd, the side of a square around a pixel, not 4",
    ),
    ({"postprocessing": {"erosion": 33}}, r"postprocessing.erosion: must be less than or equal to 31, not 33"),
    (
        {"postprocessing": {"mean": 3}},
        r"postprocessing.mean: no such key; did you mean median\? there are median, erosion, beside",
    ),
    (
        {"postprocessing": "as publishd"},
        r"postprocessing: must be 'as published', or a mapping such as .*, not 'as publishd'",
    ),
    ({"tuned_on": {"vea": "x"}}, r"tuned_on.vea: no such method; did you mean vae\?"),
    ({"tuned_on": {"dae": 3}}, r"tuned_on.dae: 3 is no text in YAML; put what stands there in quotes"),
    ({"tuned_on": ["atlas"]}, r"tuned_on: must be a text, or a mapping of texts by method"),
    ({"tuned_on": ""}, r"tuned_on.others: must have at least 1 character, not ''"),
    ({"tuned_on": "\u2603"}, r"tuned_on.others: LaTeX cannot print '\u2603'; spell it in other letters"),
    ({"seeds": "four"}, r"seeds: 'four' is no list; write \[four\]"),
    (
        {"methods": ["disyre", "dyre"]},
        r"'dyre' is unknown: no file .*/dyre.py, nor in a .*; did you mean disyre\?",
    ),
    ({"params__dae__stepz": 5}, r"params.dae.stepz: no such parameter; did you mean steps\? there are steps"),
    ({"params__dae__steps": "many"}, r"params.dae.steps: must be a valid integer, not 'many'"),
    ({"without": ["dea"]}, r"without: dea is none of the methods; did you mean dae\?"),
    ({"methods": ["dae"], "without": ["dae"]}, r"without: leaves no method"),
    ({"max_lost": "1e-1"}, r"max_lost: .1e-1. is text in YAML; write 0\.1"),
    ({"params__mood22__steps": -5}, r"params.mood22.steps: must be greater than 0, not -5"),
    ({"params__disyre__step_size": 250}, r"params.disyre: step_size 250 is not between 1 and T = 100"),
    ({"params__disyre__step_sizes": [25, 0]}, r"step_sizes 0 is not between 1 and T"),
    ({"params__DAE": {}}, r"params.DAE: no such method; did you mean dae\?"),
    ({"params__disyre__t2": {"batc": 1}}, r"params.disyre.batc: no such parameter"),
    ({"datasets__camcan__root": "/no/where"}, r"datasets.camcan.root: the data set is simulated"),
    ({"simulate": None}, r"datasets.camcan: no root; name the folder of the release"),
    ({"simulate": None, "datasets__camcan__root": "/no/where"}, r"datasets.camcan.root: no folder /no/where"),
    ({"datasets__atlas__layout": "atlass"}, r"datasets.atlas: layout 'atlass' is unknown: .* did you mean atlas\?"),
    ({"train": "ixi"}, r"train: no data set 'ixi' under datasets; there are camcan"),
    ({"train": "atlas"}, r"tasks.ATLAS.dataset: atlas is the training set \(train\); name a data set that nobody"),
    ({"evaluation__protocols": ["oficial"]}, r"evaluation.protocols: 'oficial' is unknown; did you mean official\?"),
    ({"paper__figures": ["figure9"]}, r"paper.figures: 'figure9' is unknown; did you mean figure3\?"),
    ({"paper__references": ["uad"]}, r"paper.references: 'uad' is unknown; .*uad_imag"),
    ({"evaluation__compared": ["filtered", "filtered"]}, r"evaluation.compared: must name 'filtered' once"),
    ({"evaluation__curve_seeds": [7]}, r"evaluation.curve_seeds: 7 is none of the seeds; there are 1, 2, 3, 4"),
    ({"preprocessing__spacin": 2}, r"preprocessing.spacin: no such parameter"),
    ({"preprocessing__spacing": -1}, r"preprocessing.spacing: must be .* 0.5, not -1"),
    ({"preprocessing__normalisation": "p42"}, r"preprocessing.*p42"),
    ({"tasks": [{"name": "X", "dataset": "atlas", "modality": "swi"}]}, r"0.modality: .*, not 'swi'"),
]


@pytest.mark.parametrize(("changes", "message"), MISTAKES)
def test_mistakes_are_named_in_one_line(default, changes, message):
    with pytest.raises(HarnessError, match=message) as caught:
        checked(changed(default, **changes))
    assert "\n" not in str(caught.value)


def test_defaults_are_the_whole_study(default):
    experiment = checked(default)
    assert [task.name for task in experiment.tasks] == ["ATLAS", "BraTS-T1", "BraTS-T2"]
    assert experiment.modalities == ["t1", "t2"]
    assert len(experiment.seeds) == 4
    assert {"disyre", "mood22", "dae", "intensity", "random"} <= set(experiment.methods)
    assert {"table1", "table2"} <= set(experiment.tables)
    assert {"curves", "figure1", "figure2", "figure3"} <= set(experiment.figures)


def test_scoring_parameters_do_not_retrain(default):
    before, after = checked(default), checked(changed(default, params__disyre__step_size=50))
    assert before.settings("disyre", "t1").training == after.settings("disyre", "t1").training
    assert before.settings("disyre", "t1", 1).scoring != after.settings("disyre", "t1", 1).scoring
    longer = checked(changed(default, params__disyre__steps=9))
    assert before.settings("disyre", "t1").training != longer.settings("disyre", "t1").training
    assert before.settings("dae", "t1").training == longer.settings("dae", "t1").training


def test_a_curve_is_scored_for_its_seeds_alone(default):
    def times(experiment, seed):
        params = json.loads(experiment.settings("disyre", "t1", seed).scoring)["params"]
        return params["times"], params["curve_times"]

    first = checked(default)
    table, dense = times(first, 1)
    assert dense
    assert [times(first, seed) for seed in (2, 3, 4)] == [(table, [])] * 3
    chosen = checked(changed(default, evaluation__curve_seeds=[2, 4]))
    assert [bool(times(chosen, seed)[1]) for seed in (1, 2, 3, 4)] == [False, True, False, True]
    assert first.settings("disyre", "t1").training == chosen.settings("disyre", "t1").training


def test_variants_that_only_score_otherwise_share_a_run(default):
    def trained_as(methods, method, **changes):
        return checked(changed(default, methods=methods, **changes)).trained_as(method, "t1")

    both = ["vae", "vae-upd", "r_vae", "r_vae-upd"]
    assert trained_as(both, "vae-upd") == "vae-upd"
    assert trained_as(both, "vae-upd", params__vae={"grey_channels": 3}) == "vae"
    assert trained_as(both, "vae") == "vae"
    assert trained_as(both, "r_vae-upd") == "r_vae-upd"  # builds on another run
    assert trained_as(["fae-upd"], "fae-upd") == "fae"
    assert trained_as(["fae-upd"], "fae-upd", **{"params__fae-upd": {"steps": 7}}) == "fae-upd"
    assert trained_as(["dae", "dae-upd"], "dae-upd") == "dae-upd"


def test_parameters_of_one_modality(default):
    experiment = checked(changed(default, params__dae__t2={"steps": 77}))
    assert experiment.settings("dae", "t2").values["steps"] == 77
    assert experiment.settings("dae", "t1").values["steps"] == default["params"]["dae"]["steps"]


SEVEN = "a simulated cohort of seed 7"


@pytest.mark.parametrize(
    ("stated", "seen"),
    [
        (SEVEN, []),
        ("a cohort of seed 99", ["ATLAS", "BraTS-T1", "BraTS-T2"]),  # that of the test sets
        ("a cohort of seed 990", []),
        ("scans of Atlas", ["ATLAS"]),  # a data set
        ("BraTS 2020", ["BraTS-T1", "BraTS-T2"]),
        ("brats-t1", ["BraTS-T1"]),  # a task
        ("an atlas-like cohort", []),
    ],
)
def test_choices_made_on_a_test_set_are_said_to_be(default, stated, seen):
    marked = stated + (f", with these test sets in view: {', '.join(seen)}" if seen else "")
    assert checked(changed(default, tuned_on=stated, simulate__seed=99)).tuned_on == dict.fromkeys(
        default["methods"], marked
    )


def test_the_data_of_choices_are_stated_by_method(default):
    stated = {"dae": "published defaults", "dae-upd": "UPD_study", "others": SEVEN}
    methods = ["dae", "dae-upd", "vae-upd", "disyre"]
    assert checked(default | {"tuned_on": stated, "methods": methods}).tuned_on == {
        **{"dae": "published defaults", "dae-upd": "UPD_study"},
        **dict.fromkeys(["vae-upd", "disyre"], SEVEN),
    }
    assert checked(default | {"tuned_on": {"dae": SEVEN}, "methods": methods}).tuned_on == dict.fromkeys(
        ["dae", "dae-upd"], SEVEN
    )
    assert checked({key: value for key, value in default.items() if key != "tuned_on"}).tuned_on == {}


def test_as_published_is_the_default(default):
    plain = {key: value for key, value in default.items() if key != "postprocessing"}
    assert checked(plain | {"postprocessing": "as published"}).config == checked(plain).config
    assert "postprocessing" not in checked(plain).config.deciding


def test_overlays_merge_mappings_and_replace_lists(tmp_path):
    overlay = tmp_path / "mine.yaml"
    overlay.write_text(yaml.safe_dump({"seeds": [7], "params": {"dae": {"steps": 3}}}))
    merged = read(ROOT / "config.yaml", overlay)
    assert merged["seeds"] == [7]
    assert merged["params"]["dae"]["steps"] == 3
    assert "batch" in merged["params"]["dae"]
    assert "disyre" in merged["params"]


def test_every_rule_of_intensity_can_be_named():
    hints = get_type_hints(Preprocessing)
    assert set(get_args(hints["normalisation"])) == set(RULES)


def test_fewer_tasks_register_no_less(default):
    both = checked(default)
    assert both.registered("camcan") == both.registered("atlas") == ["t1", "t2"]
    fewer = checked(default | {"tasks": default["tasks"][:1]})
    assert fewer.registered("camcan") == ["t1", "t2"]
    flair = {"name": "FLAIR", "dataset": "brats", "modality": "flair"}
    more = checked(default | {"tasks": [*default["tasks"], flair]})
    assert more.registered("brats") == more.registered("camcan") == ["t1", "t2", "flair"]
    assert more.registered("atlas") == ["t1", "t2"]


def test_every_modality_can_be_named():
    assert set(NAMES) < {field.name for field in fields(Files)} & set(COLUMNS)


def test_config_needs_no_heavy_library():
    code = (
        "import sys; from uadbench.study.checks import experiment; from uadbench.study.config_files import read;"
        "experiment(read('config.yaml'));"
        "print([m for m in ('torch', 'numpy', 'scipy', 'pandas', 'nibabel', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", sorted((ROOT / "config").glob("*.yaml")), ids=lambda path: path.name)
def test_experiments_stand_alone(path):
    config = yaml.safe_load(path.read_text())
    assert re.fullmatch(r"[\w.-]+", config["experiment"])


@pytest.mark.parametrize("below", ["config.yaml", "config/all-methods.yaml"])
def test_overlay_puts_real_scans_in_place_of_the_simulated_cohort(below, tmp_path, monkeypatch):
    for name in ("camcan", "atlas", "brats"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("MRI_MINI", str(tmp_path))
    experiment = checked(read(ROOT / below, ROOT / "config" / "overlays" / "mri-mini.yaml"))
    assert not experiment.simulated
    assert {dataset.root for dataset in experiment.datasets.values()} == {
        str(tmp_path / name) for name in ("camcan", "atlas", "brats")
    }
    assert experiment.modalities == ["t1"]
    assert experiment.methods == read(ROOT / below)["methods"]


def test_every_variant_has_demo_sizes_too():
    config = read(ROOT / "config" / "all-methods.yaml")
    experiment = checked({**config, "methods": registry.every()})
    for method in registry.every():
        if method != "ddpm":  # not in the config's methods: it learns nothing in so few
            assert experiment.settings(method, "t1").values.get("steps", 0) <= 4000, method


def documented() -> list[dict]:
    """Every mapping under ```yaml in README and docs; where lines repeat a key, each of them."""
    found = []
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for block in re.findall(r"```yaml\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
            keys = re.findall(r"^(\w+):", block, re.MULTILINE)
            parts = [block] if len(keys) == len(set(keys)) else block.strip().splitlines()
            found += [yaml.safe_load(part) for part in parts]
    return found


@pytest.mark.parametrize("shown", documented(), ids=lambda shown: "-".join(shown))
def test_every_config_of_the_documents_is_accepted(default, shown, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in re.findall(r"[\w/.-]+\.(?:csv|nii\.gz|nii)\b", json.dumps(shown)):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).touch()
    for key in {"data", "runs"} & shown.keys():
        Path("results", shown[key]).mkdir(parents=True)
    merged = copy.deepcopy(default)
    for key, value in shown.items():
        merged[key] = {**merged[key], **value} if isinstance(merged.get(key), dict) else value
    checked(merged)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("$NOWHERE_SRI24", r"preprocessing\.template: \$NOWHERE_SRI24: set this environment variable"),
        ("sri24/none.nii", r"preprocessing\.template: no file sri24/none\.nii"),
    ],
)
def test_a_missing_template_is_told_before_any_job(default, template, message):
    with pytest.raises(HarnessError, match=message):
        checked(changed(default, preprocessing={"protocol": "upd", "template": template}))


def test_a_template_may_come_from_the_environment(default, tmp_path, monkeypatch):
    path = tmp_path / "sri24.nii"
    path.touch()
    monkeypatch.setenv("SRI24", str(path))
    experiment = checked(changed(default, preprocessing={"protocol": "upd", "template": "$SRI24"}))
    assert experiment.preprocessing.template == str(path)


def test_a_variant_builds_on_the_run_that_it_names(default):
    """`r_vae-upd` needs the run of `vae-upd`, `r_vae` that of `vae`."""
    runs = checked(changed(default, methods=["vae-upd", "r_vae-upd"], seeds=[1])).runs
    assert list(dict.fromkeys(run.method for run in runs)) == ["vae-upd", "r_vae-upd"]
    checked(changed(default, methods=["vae-upd", "r_vae-upd"], params__vae={"grey_channels": 3}))
    checked(changed(default, methods=["vae", "r_vae"]))
    with pytest.raises(HarnessError, match="r_vae-upd builds on vae-upd; add vae-upd to methods"):
        checked(changed(default, methods=["r_vae-upd"]))


def test_defaults_written_out_are_the_same_settings(default):
    """So nothing is preprocessed again."""
    plain = changed(default, preprocessing={"spacing": 4.0})
    written = changed(default, preprocessing={"spacing": 4, "template": "mni152", "protocol": "disyre"})
    assert checked(plain).preprocessing_text == checked(written).preprocessing_text


def test_entities_are_for_layouts_that_have_them(default):
    with pytest.raises(HarnessError, match="'atlas': its names have no entities"):
        checked(changed(default, datasets__atlas__entities={"run": 2}))


def test_label_values_are_compared_with_those_of_the_data_set(default, tmp_path):
    root = tmp_path / "own"
    root.mkdir()
    labels = {"background": 0, "edema": 1, "core": 2, "ignore": 4}
    (root / "dataset.json").write_text(json.dumps({"channel_names": {"0": "T1"}, "labels": labels}))
    task = [{"name": "X", "dataset": "own", "modality": "t1"}]

    def check(**values) -> None:
        checked(changed(default, tasks=task, datasets__own={"layout": "nnunet", "root": str(root), **values}))

    check(ignored=[4])
    check(lesion=[1])
    with pytest.raises(HarnessError, match=r"datasets\.own\.lesion: 3 is no label of the data set.*1 edema, 2 core"):
        check(lesion=[1, 3])
    with pytest.raises(HarnessError, match=r"datasets\.own\.ignored: .* 4 ignore; add ignored: \[4\]"):
        check()


@pytest.mark.parametrize("name", ["a{b}.csv", "a<results>b.csv"])
@pytest.mark.parametrize("key", ["root", "split"])
def test_a_file_that_snakemake_would_read_as_a_pattern_is_named(default, tmp_path, key, name):
    (tmp_path / name).write_text("subject,split\nsub-1,validation\n")
    config = changed(default, **{f"datasets__atlas__{key}": str(tmp_path / name), "datasets__atlas__layout": "sheet"})
    if key == "root":
        del config["simulate"]["subjects"]["atlas"]
    with pytest.raises(HarnessError, match=rf"datasets\.atlas\.{key}: .*: Snakemake would replace [{{<]"):
        checked(config)


def test_a_config_of_aliases_is_refused_at_once(default, tmp_path):
    """Also one that Snakemake has read."""
    lines = ["k0: &k0 [x]", *(f"k{k}: &k{k} [{','.join([f'*k{k - 1}'] * 9)}]" for k in range(1, 10))]
    (tmp_path / "bomb.yaml").write_text("\n".join(lines))
    with pytest.raises(HarnessError, match=r"bomb.yaml: not valid YAML: more than 100000 values"):
        read(tmp_path / "bomb.yaml")
    with pytest.raises(HarnessError, match="config: more than 100000 values"):
        checked({**default, "params": yaml.safe_load("\n".join(lines))})


@pytest.mark.parametrize(
    ("file", "releases"),
    [("config.yaml", {}), ("config/paper.yaml", {"camcan": "camcan", "atlas": "atlas", "brats": "brats"})],
)
def test_releases_are_those_of_real_data_sets(file, releases):
    """Simulated scans in the layout of a release are none of it."""
    assert Experiment(Config.of(yaml.safe_load((ROOT / file).read_text(encoding="utf-8")))).releases == releases


def test_a_release_may_be_stated_for_scans_of_another_layout(default):
    config = {**default, "simulate": None, "datasets": copy.deepcopy(default["datasets"])}
    for name, entry in config["datasets"].items():
        entry |= {"layout": "bids", "root": name}
    config["datasets"]["atlas"]["release"] = "atlas"
    assert Experiment(Config.of(config)).releases == {"atlas": "atlas"}
