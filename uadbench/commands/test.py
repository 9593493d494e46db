"""Command `test`: scores of a test set by a trained run."""

from pathlib import Path
from typing import Any

import click

from uadbench.commands._shared import (
    OUTPUT,
    PATH,
    TRAINED,
    device,
    ignored,
    lesion,
    modality,
    protocols,
    runs,
    variant,
)
from uadbench.core.errors import HarnessError


@click.command()
@click.option(
    "--run",
    "given",
    type=TRAINED,
    required=True,
    multiple=True,
    shell_complete=runs,
    help="Folder of a run, or hf://OWNER/NAME[@REVISION]; may be given again, each with an --out.",
)
@variant
@click.option("--data", type=PATH, required=True, help="Packed test set, a folder made by `pack`.")
@click.option("--task", required=True, help="Name of the task in tables.")
@modality
@click.option("--experiment", default="experiment", help="Name of the experiment in the results.")
@click.option(
    "--settings",
    multiple=True,
    default=["{}"],
    help='JSON: {"params": {…}} that differ from those of the study; or all, as in params.json. For all runs, or each.',
)
@click.option(
    "--healthy", type=PATH, help="Packed training cohort; its validation subjects set thresholds without labels."
)
@click.option(
    "--required",
    type=TRAINED,
    multiple=True,
    shell_complete=runs,
    help="Run of the method that this builds on, for each.",
)
@click.option(
    "--protocol", "protocols", multiple=True, default=["full"], shell_complete=protocols, help="May be given again."
)
@lesion
@ignored
@click.option("--examples", default=4, type=click.IntRange(1), help="Example subjects kept for Figure 3.")
@click.option("--volumes", is_flag=True, help="Also keep the volumes of the first one for the report's viewer.")
@device
@click.option(
    "--out", type=OUTPUT, required=True, multiple=True, help="Folder for PROTOCOL.npz, findings.npz and examples.npz."
)
def command(
    given: tuple[str | Path, ...],
    method: str | None,
    data: Path,
    task: str,
    modality: str,
    experiment: str,
    settings: tuple[str, ...],
    healthy: Path | None,
    required: tuple[Path, ...],
    lesion: str,
    ignored: str,
    device: str,
    out: tuple[Path, ...],
    **kept: Any,
) -> None:
    """Score every volume of a test set and count the scores into histograms, from which all metrics follow.

    Results of single slices and lesions, and thresholds from healthy subjects, go to findings.npz.
    """
    from uadbench.compute import device as devices
    from uadbench.core.volume_names import stem
    from uadbench.data.label_values import LabelValues
    from uadbench.data.packing import premises
    from uadbench.data.packing.store import Store
    from uadbench.evaluation.inference.collecting import digest_of_test_set
    from uadbench.evaluation.inference.inference import PackedTask, Trained, ready, score_test_set
    from uadbench.evaluation.protocols.upd_resize import voxel_size
    from uadbench.evaluation.voxels import source
    from uadbench.evaluation.voxels.columns import UNTRAINED, voxel_text
    from uadbench.methods import registry
    from uadbench.methods.params import training_key
    from uadbench.methods.settings import parse
    from uadbench.sharing.download import locate
    from uadbench.training import run
    from uadbench.training.memory import enough_memory
    from uadbench.training.record import record

    scorings = _by_run(given, settings, required or (None,), out)
    values = LabelValues.read(lesion, ignored)
    chosen = devices.choose(device)
    store, cohort = Store.open(data), None if healthy is None else Store.open(healthy)
    premises.check_repeats(store.index, [] if cohort is None else [cohort.index], healthy=False)
    scored = PackedTask(store, modality, values, cohort)
    template = Path(store.index["preprocessing"].get("template", "")).name
    patients = ({} if cohort is None else cohort.patients) | store.patients
    lost = [entry["subject"] for entry in store.lost(modality)]
    untrained = [] if cohort is None else [entry["subject"] for entry in cohort.lost(modality)]
    facts = {"patients": patients, "lost": lost, UNTRAINED: untrained}
    of_task = {
        "experiment": experiment,
        "tested_on_simulated": store.simulated,
        "task": task,
        "dataset": store.dataset,
        "test_set": digest_of_test_set(store, modality, values),
        "modality": modality,
        "left_out": len(lost),
        "voxel_mm": voxel_text(voxel_size(store.affine)),
        "space": stem(template) or template,
        **{key: value for key, value in facts.items() if value},
    }

    def score(given: str | Path, settings: str, required: Path | None, out: Path) -> None:
        folder, required = locate(given, required)
        trained, about = run.load(folder, chosen, parse(settings), required, method)
        meta = {
            "trained_on_simulated": bool(about["simulated"]),
            "trained": {"revision": about["revision"], **training_key(trained.params)},
            "revision": registry.describe(registry.base(about["method"])).revision,
            **{key: about[key] for key in ("method", "title", "family", "seed")},
        }
        baseline = registry.BASELINES.path(registry.base(about["method"]))
        builds_on = None if required is None else record(required)
        filters = {"postprocessing": about["postprocessing"]} if about["postprocessing"] else {}
        meta["source"] = source.of(about, about["params"] | filters, baseline, data, healthy, builds_on)
        with enough_memory(f"scoring with {about['method']} on {chosen}", "set a smaller score_batch in its params"):
            score_test_set(Trained(ready(trained, chosen), of_task | meta | filters, chosen), scored, out=out, **kept)
        click.echo(out)

    for each in scorings:
        score(*each)


def _by_run(*given: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """Run, settings, required run and output of each scoring; what is given once holds for all, except the output."""
    count = len(given[0])
    if len(given[-1]) != count or any(len(values) not in (1, count) for values in given):
        raise HarnessError(
            f"--run: is given {count} times; give --out as often, --settings and --required once or as often"
        )
    return list(zip(*(values if len(values) == count else values * count for values in given), strict=True))
