"""Writer of a simulated cohort in the layout of its data set, resumable by subject, with a ground-truth manifest."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from uadbench.core import checksums
from uadbench.core.errors import HarnessError
from uadbench.core.files import atomic, read_json, write_json
from uadbench.core.folder_lock import turn
from uadbench.core.study_folder import MANIFEST, PARTICIPANTS, SIMULATED, SIMULATING, SIMULATIONS
from uadbench.simulation.scans import write
from uadbench.simulation.subjects import MAKERS, SubjectStreams

# Raise when a code change alters the images: existing cohorts are then simulated again.
REVISION = 2


@dataclass(frozen=True)
class Settings:
    """Settings that determine the files of a cohort, apart from its number of subjects."""

    dataset: str
    seed: int
    spacing: float
    revision: int = REVISION


def subject_name(dataset: str, index: int) -> str:
    """Name of subject `index` (from 0) in the style of the data set."""
    if dataset == "camcan":
        return f"sub-CC{800001 + index}"
    if dataset == "atlas":
        return f"sub-r{1 + index // 50:03d}s{1 + index % 50:03d}"
    return f"BraTS20_Training_{1 + index:03d}"


def scan_path(dataset: str, subject: str, scan: str) -> Path:
    """Path of a scan below the folder of the data set."""
    if dataset == "camcan":
        folder = Path("cc700/mri/pipeline/release004/BIDS_20190411/anat") / subject / "anat"
        return folder / f"{subject}_{scan}.nii.gz"
    if dataset == "atlas":
        folder = Path("ATLAS_2/Training") / subject[4:8].upper() / subject / "ses-1" / "anat"
        return folder / f"{subject}_ses-1_space-MNI152NLin2009aSym_{scan}.nii.gz"
    return Path("MICCAI_BraTS2020_TrainingData") / subject / f"{subject}_{scan}.nii.gz"


def make_subject(root: Path, settings: Settings, subject: str) -> bool:
    """Write the scans of one subject; returns False if they already exist with the same settings."""
    record = root / SIMULATIONS / f"{subject}.json"
    if record.exists():
        known = _record(record)
        if known["settings"] == asdict(settings) and all((root / f).exists() for f in known["files"]):
            return False
        record.unlink()
    made = MAKERS[settings.dataset](SubjectStreams(settings.seed, settings.dataset, subject), settings.spacing)
    files = []
    for name, scan in made.scans.items():
        path = scan_path(settings.dataset, subject, name)
        write(root / path, scan.voxels, scan.grid, scan.form)
        files.append(path.as_posix())
    write_json(record, {"settings": asdict(settings), "files": files, "truth": made.truth})
    return True


def make_cohort(
    root: Path, settings: Settings, subjects: int, chunk: tuple[int, int] = (1, 1), command: str = ""
) -> None:
    """Make `root` hold a cohort of `subjects`, or part i of n of it (`chunk`), with its marker and its manifest.

    Subjects made with the same settings are kept; part 1 removes simulated subjects beyond the cohort. Raises
    HarnessError if `root` holds scans that were not simulated.
    """
    tops = [root / scan_path(dataset, subject_name(dataset, 0), "").parts[0] for dataset in MAKERS]
    if not (root / SIMULATED).exists() and any(top.exists() for top in tops):
        raise HarnessError(f"{root}: holds scans that were not simulated; choose another folder")
    write_marker(root, settings, command)
    part, parts = chunk
    names = [subject_name(settings.dataset, index) for index in range(subjects)]
    for record in sorted((root / SIMULATIONS).glob("*.json")):
        if _record(record)["settings"]["dataset"] != settings.dataset:
            raise HarnessError(f"{root}: holds a simulation of another data set; choose another folder")
        if part == 1 and record.stem not in names:
            remove_subject(root, record)
    for name in tqdm(names[part - 1 :: parts], desc=f"simulate {settings.dataset}", unit="subject", disable=None):
        make_subject(root, settings, name)
    write_manifest(root, settings)


def remove_subject(root: Path, record: Path) -> None:
    """Remove the files that `record` lists, folders that become empty, and the record.

    Raises HarnessError, before any removal, for a file outside of the cohort's folder.
    """
    names = _record(record)["files"]
    for name in names:
        if not (root / name).resolve().is_relative_to(root.resolve()):
            raise HarnessError(f"{record}: lists {name}, which is not in {root}; remove the cohort's folder yourself")
    for name in names:
        path = root / name
        checksums.forget(path)
        path.unlink(missing_ok=True)
        for folder in path.parents:
            if folder == root or not folder.is_dir() or any(folder.iterdir()):
                break
            folder.rmdir()
    checksums.forget(record)
    record.unlink()


def _record(path: Path) -> dict[str, Any]:
    """The record of a simulated subject. Raises HarnessError for a damaged one."""
    try:
        found = read_json(path)
        if isinstance(found["settings"]["dataset"], str) and isinstance(found["files"], list) and "truth" in found:
            return dict(found)
        reason = "it lacks its settings, files or ground truth"
    except (ValueError, KeyError, TypeError) as error:
        reason = str(error)
    raise HarnessError(f"{path}: no record of a simulated subject ({reason}); remove it, and the subject is made again")


def write_marker(root: Path, settings: Settings, command: str) -> None:
    """Write the file that marks the cohort as simulated, for people and for `index`."""
    from uadbench.core.version import VERSION

    lines = [
        "The scans in this folder are simulated: no person was measured, and no number computed from them",
        "is a result on the data set whose file layout they follow.",
        "",
        *(f"{key}: {value}" for key, value in asdict(settings).items()),
        f"version: {VERSION}",
        f"command: {command}",
    ]
    with atomic(root / SIMULATED) as partial:
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_manifest(root: Path, settings: Settings) -> None:
    """Write `manifest.csv` and `participants.tsv` (BIDS): one row per subject made with these settings, the former with
    its ground truth, the latter with age and scanner alone."""
    # Chunks of a cohort may end at the same time: the last to hold the lock reads all records.
    with turn(root / SIMULATIONS / SIMULATING):
        records = {path.stem: _record(path) for path in sorted((root / SIMULATIONS).glob("*.json"))}
        rows = [
            {"subject": name, "dataset": settings.dataset, "seed": settings.seed, "spacing": settings.spacing}
            | record["truth"]
            for name, record in records.items()
            if record["settings"] == asdict(settings)
        ]
        table = pd.DataFrame(rows)
        people = table.reindex(columns=["subject", "age", "scanner"]).rename(columns={"subject": "participant_id"})
        for name, part, separator in ((PARTICIPANTS, people, "\t"), (MANIFEST, table, ",")):
            with atomic(root / name) as partial:
                part.to_csv(partial, index=False, sep=separator)
