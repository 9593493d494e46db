"""Command `evaluate`: metrics of score maps of any program, as JSON, and as rows beside the harness's own."""

from pathlib import Path
from typing import Any

import click

from uadbench.commands._shared import FILE, OUTPUT, PATH, ignored, lesion, protocols


@click.command()
@click.option(
    "--maps",
    type=PATH,
    required=True,
    help="Folder of score maps, one NIfTI file a subject; or of derivatives in BIDS.",
)
@click.option(
    "--labels",
    type=PATH,
    required=True,
    help="Folder of labels of the same file names, anomalous where > 0; or the data set that was scored, BIDS or CSV.",
)
@click.option(
    "--brain",
    type=PATH,
    show_default="those beside the maps",
    help="Folder of brain masks of the same file names; without any every voxel counts.",
)
@click.option("--healthy", type=PATH, help="Folder of score maps of healthy subjects, which set thresholds.")
@click.option(
    "--healthy-brain", type=PATH, show_default="--brain, or those beside them", help="Folder of their brain masks."
)
@click.option(
    "--unmasked",
    type=click.Choice(["leave_out", "healthy"]),
    default="leave_out",
    show_default=True,
    help="With a data set as labels: what sessions or subjects without a lesion mask are.",
)
@lesion
@ignored
@click.option(
    "--patients",
    show_default="by the names",
    help="Who has several maps: CSV with the columns subject and patient, or a pattern such as '(.+)-[0-9]+'.",
)
@click.option("--protocol", default="full", shell_complete=protocols, help="Evaluation protocol: full, upd, official.")
@click.option("--out", type=FILE, help="Also write the JSON to this file.")
@click.option("--subjects", type=FILE, help="Also write a CSV file with a row for each subject.")
@click.option("--save", type=OUTPUT, help="Also write the folder of a run, which `summarize` reads; needs --method.")
@click.option("--method", help="With --save: name of the method, in lower case.")
@click.option("--title", show_default="--method", help="With --save: its name in tables.")
@click.option("--family", default="S-S", help="With --save: IR, FM, AB, S-S or control.", show_default=True)
@click.option("--task", default="ATLAS", help="With --save: the task, a column of tables.", show_default=True)
@click.option("--modality", default="t1", help="With --save: the modality.", show_default=True)
@click.option(
    "--release",
    default="",
    show_default="not stated",
    help="With --save: row of uadbench/resources/datasets.csv, if the scans are one.",
)
@click.option(
    "--space",
    default="",
    show_default="not stated",
    help="With --save: space of the maps, as native or mni152; tables state it.",
)
@click.option("--experiment", default="demo", help="With --save: the name in the config.", show_default=True)
@click.option(
    "--run-seed", default=1, help="With --save: the seed that the method was trained with.", show_default=True
)
@click.option(
    "--simulated", "tested_on_simulated", is_flag=True, help="With --save: the scans of the maps are simulated."
)
@click.option("--trained-on-simulated", is_flag=True, help="With --save: those that trained the method are simulated.")
def command(
    maps: Path,
    labels: Path,
    brain: Path | None,
    healthy: Path | None,
    healthy_brain: Path | None,
    unmasked: str,
    lesion: str,
    ignored: str,
    patients: str | None,
    protocol: str,
    out: Path | None,
    subjects: Path | None,
    save: Path | None,
    **about: Any,
) -> None:
    """Print AP, best Dice and AUROC of all voxels pooled, with 95 % intervals over patients, as JSON.

    Files are paired by name without .nii or .nii.gz: MAPS/a.nii.gz, LABELS/a.nii and BRAIN/a.nii.gz belong together.
    Brain masks in MAPS/brain, where `score` writes them, are taken without being named. Maps of a data set, in BIDS or
    by the subjects' names, are paired with the lesion masks of that data set.
    Metrics of subjects, slices and lesions follow under "detection"; those at a threshold need --healthy.
    """
    import json

    from uadbench.core.errors import HarnessError
    from uadbench.core.files import write_json
    from uadbench.data.index import release
    from uadbench.data.label_values import LabelValues
    from uadbench.evaluation.detection import findings
    from uadbench.methods.registry import check_title
    from uadbench.own.external_maps import evaluate
    from uadbench.paper.results import write_rows

    if save is not None and not about["method"]:
        raise HarnessError("--save: no method named; give --method NAME, which tables group its seeds by")
    if about["release"]:
        release.find(about["release"])
    check_title("--title", about["title"] or about["method"] or "")
    values = LabelValues.read(lesion, ignored)
    found = evaluate(maps, labels, brain, protocol, healthy, healthy_brain, values, patients, unmasked == "healthy")
    result = found.summary()
    if out is not None:
        write_json(out, result)
    if subjects is not None:
        write_rows(subjects, findings.by_subject(found.findings))
    if save is not None:
        about |= {"title": about["title"] or about["method"], "seed": about.pop("run_seed"), "revision": ""}
        found.save(save, {**about, "dataset": labels.resolve().name.removesuffix(".csv"), "left_out": 0})
    click.echo(json.dumps(result, indent=2))
