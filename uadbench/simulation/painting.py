"""Chronic infarcts painted into real T1-weighted scans: known lesions on real anatomy, to choose settings without
patients."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from uadbench.core import csv_files
from uadbench.core.errors import HarnessError
from uadbench.core.files import atomic
from uadbench.core.study_folder import MANIFEST, SIMULATED
from uadbench.data.index.sheet import Row, Sheet
from uadbench.data.preprocessing.brain.brain import otsu
from uadbench.data.preprocessing.reading import geometry
from uadbench.data.preprocessing.reading.scan import BadScan, Scan, read_scan
from uadbench.data.preprocessing.registration import template as templates
from uadbench.data.preprocessing.registration.registration import Located, locate
from uadbench.data.preprocessing.settings import Preprocessing
from uadbench.simulation import strokes, template
from uadbench.simulation.fields import Array
from uadbench.simulation.head import Mixture
from uadbench.simulation.physics import rician, vary
from uadbench.simulation.scanners import SITES
from uadbench.simulation.scans import quantise, write
from uadbench.simulation.strokes import Stroke
from uadbench.simulation.subjects import SubjectStreams

#: places a scan well enough to draw a lesion by the coordinates of the template
PLACING = Preprocessing(spacing=3.0)
#: sequence whose contrast between lesion, fluid and grey matter the lesions have
SCANNER = SITES["camcan"][0]
COLUMNS = ("subject", "t1", "mask", "patient")
TRUTH = ("subject", "host", "region", "ml")


@dataclass(frozen=True)
class Painted:
    """Grey values and mask (uint8), on the voxels of the scan, and the infarct that they show."""

    image: np.ndarray
    mask: np.ndarray
    stroke: Stroke


def paint(scan: Scan, place: Located, streams: SubjectStreams) -> Painted:
    """Paint one infarct into a T1-weighted scan.

    place: of the scan in template space, as `locate` returns it; streams: random numbers of this infarct. Shape and
    place are those of `strokes.insert`, which spares ventricles and wide sulci; tissue is told by its grey value. A
    lesion has the grey values of gliosis and of a cavity between those of fluid and grey matter in the scan.
    """
    inside = geometry.sample(place.inside, place.scan.affine, scan.grid)
    fluid, grey, white = levels(scan.data[inside > 0.5])
    to_template = np.linalg.inv(place.matrix).astype(np.float32)
    points = scan.grid.points()
    posed = np.tensordot(to_template[:3, :3], points, axes=1) + to_template[:3, 3].reshape(3, 1, 1, 1)
    brighter = np.clip((scan.data - grey) / (white - grey), 0, 1)
    darker = np.clip((grey - scan.data) / (grey - fluid), 0, 1)
    shares = {"white": brighter * inside, "grey": (1 - brighter - darker) * inside, "fluid": darker * inside}
    none = np.zeros(scan.data.shape, np.float32)
    mixture = Mixture(shares, none, inside, template.ventricle()(posed)[0], posed)
    stroke = strokes.random_stroke(streams("lesion"))
    mask = strokes.insert(mixture, stroke, streams("shape"), scan.grid.voxel_ml, scan.grid.mean_spacing)
    signals = {name: SCANNER.t1.signal(tissue) for name, tissue in vary(streams("tissues")).items()}

    gliosis, cavity = mixture.fractions["gliosis"], mixture.fractions["cavity"]
    lost = gliosis + cavity
    levelled = [np.float32(level(signals, name, fluid, grey)) for name in ("gliosis", "cavity")]
    noiseless = np.divide(levelled[0] * gliosis + levelled[1] * cavity, lost, out=none, where=lost > 0)
    rng = streams("scan")
    return Painted(scan.data * (1 - lost) + lost * rician(rng, noiseless, white * SCANNER.noise(rng)), mask, stroke)


def level(signals: dict[str, float], tissue: str, fluid: float, grey: float) -> float:
    """Grey value of a tissue in a scan where fluid and grey matter have these values, by signals of all three."""
    return max(fluid + (signals[tissue] - signals["fluid"]) / (signals["grey"] - signals["fluid"]) * (grey - fluid), 0)


def levels(values: Array) -> tuple[float, float, float]:
    """Grey values of fluid, grey and white matter: medians of the three classes of a T1-weighted brain (n,)."""
    low, high = otsu(np.minimum(values, np.quantile(values, 0.995)), classes=3)
    classes = values[values < low], values[(values >= low) & (values < high)], values[values >= high]
    fluid, grey, white = (float(np.median(part)) for part in classes)
    return fluid, grey, white


def paint_all(sheet: Sheet, split: str, out: Path, each: int, seed: int) -> None:
    """Paint `each` infarcts, one a scan, into the T1 of every subject of a part of a sheet.

    Writes to the new folder `out` scans, masks, a CSV of layout `sheet` (painted.csv), whose patients are the hosts, a
    manifest with the volumes, and the mark of simulated scans. Raises HarnessError for a folder that holds something,
    a part without a T1, and a scan that cannot be used.
    """
    hosts = [row for row in sheet.rows if row.split == split and row.t1 and not row.problem]
    if not hosts:
        raise HarnessError(f"{sheet.path}: no subject of {split} with a T1; choose another --split")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise HarnessError(f"{out}: exists already; name a new folder")
    rows, truth = [], []
    for host in tqdm(hosts, desc="paint", unit="subject", disable=None):
        for name, painted, scan in _of_host(sheet, host, each, seed):
            files = {"t1": f"{name}_T1w.nii.gz", "mask": f"{name}_mask.nii.gz"}
            write(out / files["t1"], quantise(painted.image, scan.data.max(), 4095), scan.grid, 1)
            write(out / files["mask"], painted.mask, scan.grid, 1)
            rows.append({"subject": name, "patient": host.patient or host.subject} | files)
            millilitres = f"{painted.mask.sum() * scan.grid.voxel_ml:.2f}"
            truth.append({"subject": name, "host": host.subject, "region": painted.stroke.region, "ml": millilitres})
    csv_files.write(out / MANIFEST, TRUTH, truth)
    with atomic(out / SIMULATED) as partial:
        partial.write_text("The lesions in these scans are painted: they are of no patient.\n", encoding="utf-8")
    csv_files.write(out / "painted.csv", COLUMNS, rows)


def _of_host(sheet: Sheet, host: Row, each: int, seed: int) -> Iterator[tuple[str, Painted, Scan]]:
    """The painted scans of a subject with their names. Raises HarnessError for a scan that cannot be used."""
    path = sheet.file(host, "t1")
    assert path is not None
    try:
        scan = read_scan(path)
        place = locate(scan, templates.load(PLACING.template), PLACING)
    except BadScan as error:
        raise HarnessError(f"{error.file}: {error.reason}") from error
    for number in range(1, each + 1):
        name = f"{host.subject}-{number}"
        yield name, paint(scan, place, SubjectStreams(seed, "painted", name)), scan
