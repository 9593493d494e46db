"""Command `test`: scores of a test set by a trained run."""

from __future__ import annotations

from pathlib import Path

import click

from uadbench.modalities import NAMES

SECTION = "steps"
ORDER = 7

PATH = click.Path(path_type=Path)


@click.command()
@click.option("--run", "given", required=True, help="Folder of a finished run, or hf://OWNER/NAME[@REVISION].")
@click.option("--method", help="The run's method or a variant of it that is scored otherwise; default: as trained.")
@click.option("--data", type=PATH, required=True, help="Packed test set, a folder made by `pack`.")
@click.option("--task", required=True, help="Name of the task in tables.")
@click.option("--modality", type=click.Choice(NAMES), required=True)
@click.option("--experiment", default="experiment", help="Name of the experiment in the results.")
@click.option(
    "--settings", default="{}", help='JSON: {"params": {…}}; hyper-parameters of scoring that differ from the run\'s.'
)
@click.option(
    "--healthy", type=PATH, help="Packed training cohort; its validation subjects set thresholds without labels."
)
@click.option("--required", type=PATH, help="Run of the method that this one builds on.")
@click.option(
    "--protocol", "protocols", multiple=True, default=["full"], help="Evaluation protocol; may be given again."
)
@click.option("--lesion", default="", help="Label values that are lesion, as 1,4.  [default: all above 0]")
@click.option("--ignored", default="", help="Label values whose voxels are not evaluated, as 3.")
@click.option("--examples", default=4, type=click.IntRange(1), help="Example subjects kept for Figure 3.")
@click.option("--volumes", is_flag=True, help="Also keep the volumes of the first one for the report's viewer.")
@click.option("--device", default="auto", envvar="UADBENCH_DEVICE", show_envvar=True, help="auto, cpu, cuda, cuda:1, …")
@click.option("--out", type=PATH, required=True, help="Folder for PROTOCOL.npz, findings.npz and examples.npz.")
def command(
    given: str,
    method: str | None,
    data: Path,
    task: str,
    modality: str,
    experiment: str,
    settings: str,
    healthy: Path | None,
    required: Path | None,
    protocols: tuple[str, ...],
    lesion: str,
    ignored: str,
    examples: int,
    volumes: bool,
    device: str,
    out: Path,
) -> None:
    """Score every volume of a test set and count the scores into histograms, from which all metrics follow.

    Results of single slices and lesions, and thresholds from healthy subjects, go to findings.npz.
    """
    from uadbench import device as devices
    from uadbench.data.store import Store
    from uadbench.evaluation.inference import Kept, Trained, ready, score_test_set
    from uadbench.evaluation.labels import LabelValues
    from uadbench.evaluation.reading import PackedTask
    from uadbench.sharing.download import locate
    from uadbench.training import run
    from uadbench.training.memory import enough_memory
    from uadbench.validation import params_in

    values = LabelValues.read(lesion, ignored)
    chosen = devices.choose(device)
    folder, required = locate(given, required)
    trained, about = run.load(folder, chosen, params_in(settings), required, method)
    store = Store.open(data)
    meta = {
        "experiment": experiment,
        "simulated": bool(store.simulated or about["simulated"]),
        "task": task,
        "dataset": store.index["dataset"],
        "modality": modality,
        "left_out": len(store.lost(modality)),
        **{key: about[key] for key in ("method", "title", "family", "seed")},
    }
    cohort = None if healthy is None else Store.open(healthy)
    with enough_memory(f"scoring with {about['method']} on {chosen}", "set a smaller score_batch in its params"):
        score_test_set(
            Trained(ready(trained, chosen), meta, chosen),
            PackedTask(store, modality, values, cohort),
            Kept(protocols, examples, volumes),
            out,
        )
    click.echo(out)
