"""A finished study whose files are made up."""

from pathlib import Path

import pandas as pd
import pytest

from tests.paper.conftest import write_comparisons, write_results
from tests.records import facts
from uadbench.core.files import write_json
from uadbench.methods import registry
from uadbench.report.study import Study
from uadbench.study.config_files import read

METHODS = ["disyre", "dae", "random"]
PREPROCESSING = {"template": "mni152", "spacing": 4.0, "side": 0, "normalisation": "p99_5_brain"}
LOST = {"subject": "sub-9", "file": "t1.nii.gz", "reason": "is <b>no</b> scan", "modalities": ["t1"]}
SPLITS = {"camcan": ["train"] * 40 + ["validation"] * 8, "atlas": ["test"] * 12, "brats": ["test"]}
COLUMNS = ["method", "modality", "seed", "phase", "step", "validation", "seconds"]
HISTORY = [  # two phases; a loss of the first is smaller than all of the second
    *(("gan", 0, 0.001, 0.0), ("gan", 100, 0.002, 4.0)),
    *(("encoder", 0, 3.0, 4.0), ("encoder", 50, 1.0, 6.0), ("encoder", 100, 1.5, 8.0)),
]
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c626001000000ffff03000006000557"
    "bfabd40000000049454e44ae426082"
)


def by_size(frame: pd.DataFrame) -> pd.DataFrame:
    """Results with metrics by size: two lesions below 1 ml and five from 10 to 100 ml, on ATLAS alone."""
    first = frame[(frame.task == "ATLAS") & (frame.score == "final") & (frame.metric == "ap")]
    values = {"lesions/0-1ml": 2.0, "lesions/10-100ml": 5.0, "sensitivity@0.01/0-1ml": 0.25}
    values |= {"sensitivity@0.01/10-100ml": 0.75, "sensitivity@0.05/10-100ml": 0.99, "subject_ap/10-100ml": 0.625}
    return pd.concat([frame, *(first.assign(metric=metric, value=value) for metric, value in values.items())])


@pytest.fixture
def study(tmp_path: Path, root: Path) -> Study:
    """A study of DISYRE, DAE and a control with two seeds."""
    for folder in ("evaluation", "paper", "data/atlas/quality"):
        (tmp_path / folder).mkdir(parents=True)
    write_results(tmp_path / "evaluation" / "results.csv", METHODS, seeds=(1, 2), edit=by_size)
    write_comparisons(tmp_path / "evaluation", [("disyre", "dae"), ("disyre", "random")], low=-0.3, high=-0.05)
    (tmp_path / "paper" / "figure2.png").write_bytes(PIXEL)
    for name, splits in SPLITS.items():
        index = {"simulated": True, "modalities": ["t1", "t2"], "spacing": 4.0, "preprocessing": PREPROCESSING}
        index |= {"dataset": name, "has_mask": name != "camcan", "affine": [[0.0] * 4] * 4}
        index |= {"arrays": {"t1": f"{name}-digest"} if name != "brats" else {}}
        index |= {"subjects": [{"subject": f"{name}-{k}", "split": s, "modalities": []} for k, s in enumerate(splits)]}
        index |= {"left_out": [LOST] if name == "atlas" else []}
        write_json(tmp_path / "data" / name / "packed" / "index.json", index)
    (tmp_path / "data" / "atlas" / "quality" / "quality.csv").write_text("subject,flags\na,\nb,lesion_change\n")
    (tmp_path / "data" / "atlas" / "quality" / "quality.html").write_text("")
    config = read(root / "config.yaml")
    for method in ("disyre", "dae", "vae"):  # the last was dropped from the config; its folder remains
        given = {"batch": config["params"].get(method, {}).get("batch", 16)}
        for seed in (1, 2, 3):
            about = facts(method, title=registry.describe(method).title, seed=seed, params=given)
            about |= {"preprocessing": PREPROCESSING}
            write_json(tmp_path / "training" / method / "t1" / f"seed-{seed}" / "run.json", about)
    rows = [(method, "t1", seed, *row) for method in METHODS[:2] for seed in (1, 2) for row in HISTORY]
    more = {"title": "Title", "trained_on_simulated": True, "loss": 1.0, "learning_rate": 0.1}
    pd.DataFrame(rows, columns=COLUMNS).assign(**more).to_csv(tmp_path / "training" / "histories.csv", index=False)
    return Study.of(tmp_path, config | {"methods": METHODS, "seeds": [1, 2]})
