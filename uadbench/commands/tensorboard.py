"""Command `tensorboard`: training histories as event files of TensorBoard."""

from pathlib import Path
from typing import Any

import click

from uadbench.commands._shared import OUTPUT, PATH

PATTERN = "events.out.tfevents.*"
SCALARS = ("loss", "validation", "learning_rate")  # columns of history.csv


@click.command()
@click.argument("folder", type=PATH)
@click.option("--out", type=OUTPUT, show_default="FOLDER/tensorboard", help="Folder of the event files.")
def command(folder: Path, out: Path | None) -> None:
    """Convert every history.csv below FOLDER, such as results/demo, to event files of TensorBoard.

    Trainings may be under way: a later call replaces the event files of those that went on, and no others. Steps count
    over all phases. A finished run has its hyper-parameters too.
    """
    from uadbench.core.errors import HarnessError
    from uadbench.core.study_folder import HISTORY, TENSORBOARD

    histories = sorted(folder.rglob(HISTORY))
    if not histories:
        raise HarnessError(f"{folder}: no history.csv; name the folder of a study, such as results/demo")
    out = out or folder / TENSORBOARD
    for history in histories:
        _convert(history, out / history.parent.relative_to(folder))
    click.echo(f"tensorboard --logdir {out}")


def _convert(history: Path, folder: Path) -> None:
    """Replace the event files in `folder` by one of a history, unless they are of this version of the run."""
    import os

    from torch.utils.tensorboard import SummaryWriter
    from torch.utils.tensorboard.summary import hparams

    from uadbench.core import csv_files
    from uadbench.core.study_folder import RUN
    from uadbench.training.histories import ROW
    from uadbench.training.record import record

    run, earlier = history.with_name(RUN), list(folder.glob(PATTERN))
    changed = max(path.stat().st_mtime_ns for path in (history, run) if path.is_file())
    rows = csv_files.read(history, ROW, "train this run again")
    if not rows or changed in [path.stat().st_mtime_ns for path in earlier]:
        return
    writer: Any = SummaryWriter(str(folder), purge_step=0)  # an open TensorBoard drops the earlier points
    offset, last, start = 0, rows[0], changed / 1e9 - float(rows[-1]["seconds"])
    for row in rows:
        offset += int(last["step"]) if row["phase"] != last["phase"] else 0
        step, when, last = offset + int(row["step"]), start + float(row["seconds"]), row
        for name in (name for name in SCALARS if row[name]):
            writer.add_scalar(f"{row['phase']}/{name}", float(row[name]), step, when)
    if run.is_file():
        about = record(run.parent)
        chosen = {key: about[key] for key in ("method", "modality", "seed")} | about["params"]
        plain = {key: value if isinstance(value, (bool, int, float)) else str(value) for key, value in chosen.items()}
        for summary in hparams(plain, {f"{last['phase']}/validation": 0.0}):
            writer.file_writer.add_summary(summary)
    writer.close()
    for path in earlier:
        if path.stat().st_size:
            path.write_bytes(b"")  # an open TensorBoard goes on from a file's end, not from one that is gone
        else:
            path.unlink()
    for path in {*folder.glob(PATTERN)} - {*earlier}:
        os.utime(path, ns=(changed, changed))
