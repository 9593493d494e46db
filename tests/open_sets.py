"""Small copies of the open data sets for tests: simulated heads of a few subjects under the published names."""

import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import nibabel

from tests.commands import ROOT
from uadbench.data.download import tables
from uadbench.simulation import strokes
from uadbench.simulation.anatomy import REGISTERED, random_anatomy
from uadbench.simulation.head import mix, random_shell
from uadbench.simulation.physics import vary
from uadbench.simulation.scanners import choose
from uadbench.simulation.scans import boxed
from uadbench.simulation.subjects import Acquisition, SubjectStreams

#: a second run, and two to train on, since an anomaly is a patch of somebody else; a FLAIR of another session than the
#: mask; two gliomas and a meningioma; a control beside two patients
SUBJECTS = {
    "ds004856": ("sub-752", "sub-1003", "sub-1007", "sub-1008"),
    "ds004884": ("sub-M2001", "sub-M2004", "sub-M2006"),
    "ds001226": ("sub-PAT01", "sub-PAT05", "sub-PAT16"),
    "ds004199": ("sub-00001", "sub-00002", "sub-00048"),
}
HEALTHY = {*SUBJECTS["ds004856"], "sub-00002"}
#: participants.tsv of the real sets, with the columns that select subjects
PARTICIPANTS = ROOT / "tests" / "data" / "participants"
TIMES = {"t1": (2.3, 0.003, 0.9), "t2": (4.0, 0.1, None), "flair": (11.0, 0.125, 2.8)}
DETAIL = {"t1": 1.0, "t2": -0.7, "flair": -0.3}
MM = 6.0


def kind(path: str) -> str:
    """What a published file shows, by its name: a modality of TIMES or `mask`."""
    if path.startswith("derivatives/") or "_roi." in path:
        return "mask"
    return "flair" if "FLAIR" in path else "t1" if "_T1w." in path else "t2"


def files(name: str) -> list[str]:
    """Paths of the published files of the chosen subjects of a set, and of what is of all."""
    paths = [file.path for file in tables.load(name).files]
    return [path for path in paths if "sub-" not in path or set(Path(path).parts) & set(SUBJECTS[name])]


def head(subject: str) -> Callable[[str], bytes]:
    """Makes the content of a scan, or of the mask, of one subject from its path."""
    streams = SubjectStreams(5, "open", subject)
    grid = boxed((-98, -134, -72), (1, 1, 1), (197, 233, 189), MM)
    mixture = mix(
        random_anatomy(streams("anatomy"), 60.0, REGISTERED), random_shell(streams("shell")), grid.points(), MM
    )
    if subject not in HEALTHY:
        infarct = strokes.Stroke("mca", (-48.0, -12.0, 20.0), 60.0)
        mask = strokes.insert(mixture, infarct, streams("shape"), grid.voxel_ml, grid.mean_spacing)
    scanner, tissues = choose(streams("scanner"), "camcan"), vary(streams("tissues"))

    def content(path: str) -> bytes:
        voxels, what = None, kind(path)
        if what == "mask":
            voxels = mask
        else:
            acquisition = Acquisition(scanner, getattr(scanner, what), detail=DETAIL[what])
            voxels = acquisition.scan(streams(path), mixture, grid, tissues).voxels
        image = nibabel.Nifti1Image(voxels, grid.affine)
        image.set_sform(grid.affine, 1)
        return gzip.compress(image.to_bytes(), mtime=0) if path.endswith(".gz") else image.to_bytes()

    return content


def publish(name: str, mirror: Path, own_tables: Path, scans: bool = True) -> None:
    """Write a small copy of a set into a folder of a mirror, and the table of its files with sizes and checksums.

    Without `scans` their files are empty.
    """
    published = tables.load(name)
    heads = {subject: head(subject) if scans else lambda _: b"" for subject in SUBJECTS[name]}
    rows = []
    for path in files(name):
        if path.endswith((".nii", ".nii.gz")):
            data = next(heads[part] for part in Path(path).parts if part in heads)(path)
        elif path == "participants.tsv":
            data = (PARTICIPANTS / f"{name}.tsv").read_bytes()
        elif "sub-" in path:
            keys = ("RepetitionTime", "EchoTime", "InversionTime")
            data = json.dumps({key: time for key, time in zip(keys, TIMES[kind(path)], strict=True) if time}).encode()
        else:
            data = b"{}\n"
        target = mirror / name / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        rows.append(f"{path}\t{len(data)}\tsha256\t{hashlib.sha256(data).hexdigest()}\t")
    facts = [f"# {key}: {getattr(published, key)}" for key in tables.KEYS]
    text = "\n".join([*facts, "path\tbytes\tdigest\tvalue\tversion", *rows])
    own_tables.mkdir(exist_ok=True)
    (own_tables / f"{name}.tsv").write_text(f"{text}\n", encoding="utf-8")
