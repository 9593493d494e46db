"""The preprocessing of UPD_study beside ours, on scans and on the stored case of the tests; for docs/parity.md.

python benchmarks/parity_preprocessing.py UPD_study NAME=SCAN NAME=SCAN,MASK …

UPD_study: a checkout, whose functions run; needs scikit-image. Both use our brain and registration. Writes
tests/parity/records/preprocessing.{npz,json}; parity.py makes the page from them.
"""

from __future__ import annotations

import ast
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from scipy import ndimage

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.parity.test_preprocessing import RECORD, case  # noqa: E402
from uadbench.data.preprocessing.reading import geometry  # noqa: E402
from uadbench.data.preprocessing.reading.scan import read_labels, read_scan  # noqa: E402
from uadbench.data.preprocessing.registration import template as templates  # noqa: E402
from uadbench.data.preprocessing.registration.registration import Located, locate  # noqa: E402
from uadbench.data.preprocessing.registration.template import Template  # noqa: E402
from uadbench.data.preprocessing.registration.transform import resample  # noqa: E402
from uadbench.data.preprocessing.settings import settings  # noqa: E402

FIELD = 240  # voxels of 1 mm, of SRI24's axial slices
HEAD = ("scan", "field", "brain, ours", "theirs", "Dice", "grey values differ by at most", "mean", "labels, Dice")


def functions(checkout: Path) -> dict[str, Any]:
    """The functions of UPD_study's mri_preprocessing.py."""
    import typing

    from skimage.exposure import equalize_hist
    from skimage.transform import resize

    scope: dict[str, Any] = {"nib": nibabel, "np": np, "resize": resize, "equalize_hist": equalize_hist}
    scope |= {name: getattr(typing, name) for name in ("Callable", "List", "Sequence", "Tuple")}
    scope |= {"cpu_count": lambda: 1}
    source = (checkout / "data" / "dataloaders" / "mri_preprocessing.py").read_text()
    definitions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    exec(compile(ast.Module(definitions, []), "mri_preprocessing", "exec"), scope)
    return scope


def registered(data: np.ndarray, affine: np.ndarray, matrix: np.ndarray, template: Template) -> np.ndarray:
    """A volume on the template's voxels, linear, as dipy's `transform` gives it."""
    through = np.linalg.inv(affine) @ matrix @ template.affine
    where = {"output_shape": template.image.shape, "order": 1, "mode": "constant", "prefilter": False}
    return ndimage.affine_transform(data.astype(np.float64), through[:3, :3], through[:3, 3], **where)


def theirs(
    place: Located, template: Template, labels: Any, side: int, upd: dict[str, Any], **options: Any
) -> tuple[np.ndarray, np.ndarray | None]:
    """Image and labels (X, Y, Z) by their functions; labels: data and affine, or None."""

    def through(load: Callable[..., np.ndarray], data: np.ndarray, affine: np.ndarray, **more: Any) -> np.ndarray:
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/registered.nii"
            moved = registered(data, affine, place.matrix, template).astype(np.float32)
            nibabel.save(nibabel.Nifti1Image(moved, template.affine), path)
            return np.moveaxis(load(path, size=side, **more), 0, 2)

    scan = place.scan
    image = through(upd["load_nii_nn"], scan.data * (place.inside >= 0.5), scan.affine, **options)
    return image, None if labels is None else through(upd["load_segmentation"], *labels)


def in_field(template: Template) -> Template:
    """The template in axial slices of FIELD voxels, zeros around."""
    sides = [FIELD - side for side in template.image.shape[:2]]
    widths = [(side // 2, side - side // 2) for side in sides] + [(0, 0)]
    affine = template.affine.copy()
    affine[:3, 3] -= affine[:3, :3] @ [width[0] for width in widths]
    return Template(f"{template.name} {FIELD}", np.pad(template.image, widths), np.pad(template.mask, widths), affine)


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return 2 * float((one & other).sum()) / float(one.sum() + other.sum())


def compared(name: str, scan_path: Path, mask_path: Path | None, upd: dict[str, Any]) -> list[list[str]]:
    """Lines of the page on a scan."""
    mni, lines = templates.load("mni152"), []
    scan = read_scan(scan_path)
    place = locate(scan, mni, settings({"protocol": "upd"}))
    drawn = None if mask_path is None else read_labels(mask_path, scan)
    labels = None if drawn is None else (drawn.data.astype(np.float32), drawn.affine)
    atlas = {"is_atlas": True} if name.startswith("ATLAS") else {}
    for template in (mni, in_field(mni)):
        for title, edges, options in (
            ("", "twice", {}),
            *([(", below 0.1 cut by theirs", "twice", atlas)] if atlas else []),
            (", one step", "plain", {}),
        ):
            chosen = settings({"protocol": "upd", "edges": edges})
            image, inside = resample(place, template, chosen)
            other, wanted = theirs(place, template, labels, chosen.side, upd, **options)
            brain, difference = other > 0, np.abs(image - other)
            cells = [f"{name}{title}", f"{min(template.image.shape[:2])} mm"]
            cells += [f"{inside.sum():,}", f"{brain.sum():,}", f"{dice(inside, brain):.4f}"]
            cells += [f"{difference.max():.4f}", f"{difference[brain].mean():.4f}"]
            if labels is not None and wanted is not None:
                grid, between = template.packed(chosen), template.between(chosen)
                found = geometry.sample_labels(*labels, grid, place.matrix, chosen.labels, between)
                cells.append(f"{dice(found > 0, wanted > 0):.4f}")
            else:
                cells.append("–")
            print(" | ".join(cells), flush=True)
            lines.append(cells)
    return lines


if __name__ == "__main__":
    public = functions(Path(sys.argv[1]))
    located, stored, (grey_of_labels) = case()
    made, mask = theirs(located, stored, (grey_of_labels, located.scan.affine), 16, public)
    np.savez_compressed(RECORD, image=made, labels=mask.astype(np.uint8) if mask is not None else 0)
    rows = []
    for argument in sys.argv[2:]:
        title, _, paths = argument.partition("=")
        scan_file, _, mask_file = paths.partition(",")
        rows += compared(title, Path(scan_file), Path(mask_file) if mask_file else None, public)
    if rows:
        RECORD.with_suffix(".json").write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
