"""The table of what trainings took, on durations that are known."""

from tests.commands import call, fails
from tests.records import facts
from uadbench.core.files import write_json


def test_costs_are_medians_and_sums(tmp_path):
    for method, modality, seed, seconds in (
        *(("dae", "t1", 1, 10.0), ("dae", "t1", 2, 15.0), ("dae", "t1", 3, 41.0)),
        *(("dae", "t2", 1, 30.0), ("vae", "t1", 1, 120.0), ("random", "t1", 1, 0.0)),
    ):
        folder = tmp_path / "training" / method / modality / f"seed-{seed}"
        folder.mkdir(parents=True)
        about = facts(method, modality=modality, seed=seed, seconds=seconds, device="CPU")
        about["final"] = None if method == "random" else {"loss": 0.5}
        write_json(folder / "run.json", about)
    said = call("cost", tmp_path).output.splitlines()
    assert said == [
        "| method | trainings | T1, s | T2, s | together, min |",
        "|---|--:|--:|--:|--:|",
        "| vae | 1 | 120.0 | – | 2.0 |",
        "| dae | 4 | 15.0 | 30.0 | 1.6 |",
        "| random | 0 | 0.0 | – | 0.0 |",
        "| all | 5 | | | 3.6 |",
        "",
        "Device: CPU.",
    ]


def test_a_folder_without_trainings_is_named(tmp_path):
    (tmp_path / "training").mkdir()
    assert "no finished training" in fails("cost", tmp_path)
