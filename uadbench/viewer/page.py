"""The page of one scan: scan, restoration, score maps and a delineated lesion in one self-contained HTML file."""

import base64
import gzip
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from markupsafe import Markup

from uadbench.core.files import atomic
from uadbench.core.templates import template
from uadbench.core.thinning import stride, thinned
from uadbench.viewer import scripts, still, volumes

TEMPLATE = Path(__file__).with_name("page.html.j2")
LIMIT = 12_000_000  # voxels of a volume; finer ones are thinned out
QUANTILE = 0.99  # of the scores above 0: the first threshold where none is given
ELEMENT = re.compile(r'<script type="(?:application/json|text/plain)" id="([\w-]+)">(.*?)</script>', re.DOTALL)
ENCODING = {
    "scan": volumes.grey_values,
    "restoration": volumes.normalised,
    "score": volumes.scores,
    "truth": volumes.labels,
}


@dataclass(frozen=True)
class Layer:
    """A volume (X, Y, Z) with its title and an explanation; scores are finite and at least 0.

    Restorations are in [0, 1]. threshold: of a score, the first one of its slider.
    """

    kind: Literal["scan", "restoration", "score", "truth"]
    title: str
    text: str
    values: np.ndarray
    threshold: float | None = None


@dataclass(frozen=True)
class Page:
    """Title, one sentence, a warning or "", and layers on one grid with affine (4, 4) from voxel to mm, RAS.

    There are one scan and one or more scores; restoration and truth are optional. brain: its mask (X, Y, Z) bool, or
    the number of its voxels that are shown, of which a threshold is reached by a part; None: where a layer is above 0.
    """

    title: str
    summary: str
    banner: str
    affine: np.ndarray
    layers: Sequence[Layer]
    brain: np.ndarray | int | None = None


def write(page: Page, path: Path) -> None:
    """Write the page at `path`. Raises ValueError for layers of different shapes, or without a scan or a score."""
    kinds = [layer.kind for layer in page.layers]
    others = kinds.count("truth"), kinds.count("restoration")
    if kinds.count("scan") != 1 or "score" not in kinds or max(others) > 1:
        raise ValueError(f"a page shows one scan, scores, and at most one restoration and truth, not {kinds}")
    shapes = {layer.values.shape for layer in page.layers}
    if len(shapes) > 1:
        raise ValueError(f"layers of a page have one shape, not {sorted(shapes)}")
    step = stride(shapes.pop(), LIMIT)
    affine = thinned(page.affine, np.zeros(3), step)
    layers = [_entry(layer, kinds[:k].count("score"), affine, step) for k, layer in enumerate(page.layers)]
    by_kind = {layer["layer"].kind: layer for layer in layers}
    scores = [layer for layer in layers if layer["layer"].kind == "score"]
    facts = {
        "layers": [layer["id"] for layer in layers],
        "scores": [layer["id"] for layer in scores],
        "brain": _brain(page, step),
        "page": {"title": page.title, "summary": page.summary, "banner": page.banner},
        "described": [
            {"kind": one.kind, "title": one.title, "text": one.text, "threshold": layer.get("threshold")}
            for layer in layers
            for one in [layer["layer"]]
        ],
    }
    script = scripts.own("volume.js", "keys.js", "planes.js", "page.js")
    text = template(TEMPLATE).render(
        page=page,
        policy=scripts.policy(script),
        layers=layers,
        scores=scores,
        restoration=by_kind.get("restoration"),
        truth=by_kind.get("truth"),
        stride=step,
        stills=_stills(by_kind, scores[0], affine, step),
        facts=Markup(json.dumps(facts).replace("<", "\\u003c")),
        style=scripts.own("style.css"),
        niivue=scripts.niivue(),
        script=script,
    )
    with atomic(path) as partial:
        partial.write_text(text, encoding="utf-8")


def contents(html: str) -> dict[str, str]:
    """Facts and volumes of a written page by identifier, a fraction of its size: what `read` makes it of again."""
    return {name: text for name, text in ELEMENT.findall(html) if name != "niivue-script"}


def read(stored: Mapping[str, str]) -> Page:
    """The page with these contents; its values are those that it showed, in 255 steps."""
    import nibabel

    facts = json.loads(stored["facts"])
    images: list[Any] = [
        nibabel.Nifti1Image.from_bytes(gzip.decompress(base64.b64decode(stored[name]))) for name in facts["layers"]
    ]
    layers = [Layer(**about, values=image.get_fdata()) for about, image in zip(facts["described"], images, strict=True)]
    return Page(**facts["page"], affine=images[0].affine, layers=layers, brain=facts["brain"])


def _stills(layers: dict[str, dict[str, Any]], score: dict[str, Any], affine: np.ndarray, step: int) -> list[Any]:
    """Names and pictures of the three planes at which the page starts."""
    part = (slice(None, None, step),) * 3
    truth = layers["truth"]["layer"].values[part] if "truth" in layers else None
    scan, values = layers["scan"]["quantised"].bytes / volumes.LEVELS, score["layer"].values[part]
    spacing, start = tuple(np.linalg.norm(affine[:3, :3], axis=0)), still.place(truth, values)
    return [
        (name, still.picture(scan, axis, start[axis], spacing, values, score["threshold"], truth))
        for axis, name in ((2, "Axial"), (1, "Coronal"), (0, "Sagittal"))
    ]


def _brain(page: Page, step: int) -> int:
    """Number of shown voxels of the brain, at least 1: maps and restorations are 0 outside of it, but seldom inside."""
    if isinstance(page.brain, int):
        return page.brain
    # By true values: where few scores are high, the lowest step of a byte holds most of a brain.
    positive = [layer.values > 0 for layer in page.layers if layer.kind in ("score", "restoration")]
    inside = np.any(positive, axis=0) if page.brain is None else page.brain
    return max(1, int(np.count_nonzero(inside[::step, ::step, ::step])))


def _entry(layer: Layer, number: int, affine: np.ndarray, step: int) -> dict[str, Any]:
    """What the page shows of a layer. Its identifier is its kind, of scores with a number."""
    name = f"score-{number}" if layer.kind == "score" else layer.kind
    quantised = ENCODING[layer.kind](layer.values[::step, ::step, ::step])
    entry: dict[str, Any] = {"id": name, "layer": layer, "quantised": quantised}
    if layer.kind == "score":
        entry["high"] = quantised.low + volumes.LEVELS * quantised.step
        entry["end"] = entry["high"] + quantised.step  # a threshold that no score reaches
        entry["threshold"] = _threshold(layer)
    return entry | {"content": volumes.embedded(volumes.nifti(quantised, affine))}


def _threshold(layer: Layer) -> float:
    if layer.threshold is not None:
        return layer.threshold
    above = layer.values[layer.values > 0]
    return float(np.quantile(above, QUANTILE)) if above.size else 0.0
