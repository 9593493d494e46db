"""Command `score`: anomaly maps of new scans by a trained run, in the scans' native space."""

from pathlib import Path

import click

from uadbench.commands._shared import OUTPUT, PATH, Positive, device, required, run, variant
from uadbench.core.errors import HarnessError


@click.command()
@run
@variant
@click.option(
    "--image",
    type=PATH,
    required=True,
    help="Scan to score, NIfTI, or a folder of them; a data set in BIDS, or the CSV of a subject sheet.",
)
@click.option(
    "--t1", type=PATH, help="T1-weighted scan of the same session, to place a T2-weighted one by, or a folder."
)
@click.option(
    "--out", type=OUTPUT, required=True, help="Anomaly map to write, NIfTI, on the voxels of the scan; or a new folder."
)
@click.option("--map", "name", default="final", help="Which of the method's maps.")
@click.option(
    "--threshold", type=Positive(), help="Also write masks of what reaches it, in a folder `masks` beside the maps."
)
@click.option(
    "--html", is_flag=True, help="Also write a page beside each map, X.html for X.nii.gz: a viewer for the browser."
)
@click.option(
    "--truth", type=PATH, help="Mask of a delineated lesion on the scan's voxels for the page, or a folder of them."
)
@click.option(
    "--atlas",
    type=PATH,
    help="Atlas in the space of the template, which names the regions of findings: NIfTI, with its table X.tsv.",
)
@required
@device
def command(
    given: str | Path | None,
    method: str | None,
    image: Path,
    t1: Path | None,
    out: Path,
    name: str,
    threshold: float | None,
    html: bool,
    truth: Path | None,
    atlas: Path | None,
    required: Path | None,
    device: str,
) -> None:
    """Preprocess scans like the run's training data, score them, and resample the maps to the scans' native space.

    Without --run the run that comes with the package scores T1-weighted scans; a line says what it is not made for.

    Hyper-parameters of scoring are those of the run's study, so that maps are those of its tables.

    Each NIfTI file of a folder is scored into a file of the same name. Finished maps are kept; a scan that cannot be
    used is reported and left out. Brain masks lie beside the maps, in a folder `brain`, where `evaluate` finds them.

    Of a data set in BIDS every session is scored, and maps, masks and their descriptions are derivatives in BIDS; of a
    sheet, such as `index` writes, every subject, by name. Data sets name T1-weighted scans, brain masks and lesions.

    results.csv lists thresholds that a known fraction of healthy brain voxels reaches: `threshold@0.001` is that of
    0.1 %, at which findings are counted. A page of `--html` shows scan, map, lesion and the method's restoration in
    three planes; it opens from disk and needs no network.
    """
    from uadbench.compute import device as devices
    from uadbench.own import regions
    from uadbench.own.scan_scoring import Scorer
    from uadbench.own.scan_sets import is_data_set
    from uadbench.sharing import shipped, surroundings
    from uadbench.sharing.download import locate
    from uadbench.training import run as runs

    data_set = is_data_set(image)
    _check(image, t1, truth, data_set, html, given is None)
    areas = regions.read(atlas) if atlas else None
    chosen = devices.choose(device)
    folder, required = locate(given, required)
    trained, about = runs.load(folder, chosen, required=required, name=method)
    counted, unknown = surroundings.healthy_threshold(folder, about, name) if threshold is None else (None, "")
    notices = [*([shipped.notice()] if given is None else []), *([unknown] if unknown else [])]
    scorer = Scorer(trained, about, chosen, name, threshold, html, counted, areas, notices)
    if image.is_dir() or data_set:
        lost = scorer.score_data_set(image, out) if data_set else scorer.score_folder(image, t1, out, truth)
        click.echo(out)
        if lost:
            raise HarnessError(f"{image}: {lost} of the scans could not be scored, see above")
    else:
        for path in scorer.score(image, t1, out, truth):
            click.echo(path)


def _check(image: Path, t1: Path | None, truth: Path | None, data_set: bool, html: bool, packaged: bool) -> None:
    """Raise HarnessError for inputs that are missing or that do not go together, before anything is loaded."""
    if data_set and (named := next((f"--{name}" for name, path in (("t1", t1), ("truth", truth)) if path), None)):
        raise HarnessError(f"{named}: {image} is a data set, which names such scans itself; leave {named} out")
    if image.is_dir() and t1 is not None and not t1.is_dir():
        raise HarnessError(f"--t1 {t1}: not a folder as {image} is; give the folder of T1-weighted scans")
    if truth is not None and not html:
        raise HarnessError(f"--truth {truth}: only pages show it; add --html")
    if truth is not None and image.is_dir() != truth.is_dir():
        kind = "folder" if image.is_dir() else "file"
        raise HarnessError(f"--truth {truth}: not a {kind} as {image} is; give the {kind} of delineated lesions")
    for option, path in (("image", image), ("t1", t1), ("truth", truth)):
        if path is not None and not path.exists():
            raise HarnessError(f"--{option} {path}: no such file or folder; check the path")
    if packaged and t1 is not None:
        raise HarnessError(
            f"--t1 {t1}: the run that comes with the package scores T1-weighted scans alone; name "
            "a run of the modality with --run"
        )
