"""Arrays of score maps, labels and brain masks: checked, and paired by order or by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from uadbench.core.errors import HarnessError
from uadbench.data.label_values import EVERY, LabelValues, voxels_by_value
from uadbench.data.preprocessing.reading.scan import BRAIN, whole_numbers
from uadbench.data.preprocessing.reading.volume import BadScan
from uadbench.evaluation.inference.collecting import ScoredSubject
from uadbench.evaluation.protocols.protocols import Truth
from uadbench.evaluation.voxels.bins import check_scores
from uadbench.own.score_maps import SCORE, saturated

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    Arrays = Iterable[ArrayLike] | Mapping[Any, ArrayLike]

MERGED = 1e-3  # maximum fraction of voxels that may merge to one number when a map is rounded to float32
MISSING = object()
Spacing = tuple[float, float, float]  # mm along D, H and W


def read_arrays(
    given: dict[str, Arrays | None], spacing: Spacing, values: LabelValues = EVERY
) -> Iterator[ScoredSubject]:
    """The subjects of score maps, brain masks and `labels`, healthy without; by their names in messages, in this order.

    Each is a list, a generator, read once, or a mapping. Raises HarnessError naming the item that cannot be used.
    """
    what, masks, *_ = given
    for name, items in _rows({key: arrays for key, arrays in given.items() if arrays is not None}):
        where = f"{what}[{name}]"
        scores = numbers(where, items.pop(what))
        others = {
            key: _matching(f"{key}[{name}]", item, where, scores.shape, BRAIN if key == masks else "label")
            for key, item in items.items()
        }
        yield subject(name, where, scores, spacing, others.get(masks), others.get("labels"), values)


def subject(
    name: str,
    where: str,
    scores: np.ndarray,
    spacing: Spacing,
    mask: np.ndarray | None,
    labels: np.ndarray | None,
    values: LabelValues = EVERY,
) -> ScoredSubject:
    """A subject with its score map (D, H, W), rounded to float32, named `where` in messages.

    mask: brain where above 0, None for everywhere. labels: None for a healthy subject. values: of labels, see there.
    Raises HarnessError for an empty mask, for scores in the brain that are negative or not finite, and as
    `merged_scores`.
    """
    brain = np.ones(scores.shape, bool) if mask is None else mask > 0
    if not brain.any():
        raise HarnessError(f"{where}: its brain mask is empty; give the brain of this map")
    with np.errstate(over="ignore", invalid="ignore"):
        single = scores.astype(np.float32)
    check_scores(where, single[brain])
    classes = np.zeros(scores.shape, np.uint8) if labels is None else labels
    truth = Truth(name, values.classes(classes), values.counted(classes, brain), spacing)
    merged = np.zeros(scores.shape, bool)
    merged[truth.brain] = merged_scores(where, scores[truth.brain], single[truth.brain])
    return ScoredSubject(
        truth, {SCORE: single}, drawn=voxels_by_value([classes]), merged=merged if merged.any() else None
    )


def numbers(where: str, item: ArrayLike, slices: bool = True) -> np.ndarray:
    """An item as a volume (D, H, W) of real numbers; (H, W) is a slice, of depth 1. Raises HarnessError for others."""
    remedy = f"give a volume (D, H, W){' or a slice (H, W)' * slices} of real numbers"
    try:
        values = np.asarray(item)
    except (TypeError, ValueError, RuntimeError) as error:  # of ragged lists, and of tensors on a GPU or with gradients
        raise HarnessError(f"{where}: no array ({str(error).splitlines()[0]}); {remedy}") from None
    if values.dtype.kind not in "buif":
        raise HarnessError(f"{where}: holds values of type {values.dtype}; {remedy}")
    if values.ndim not in (2 if slices else 3, 3) or not values.size:
        raise HarnessError(f"{where}: has shape {values.shape}; {remedy}")
    return values if values.ndim == 3 else values[None]


def _matching(where: str, item: ArrayLike, of: str, shape: tuple[int, ...], what: str) -> np.ndarray:
    """Labels or a brain mask (uint8), as `what` says, of the shape of the map `of`."""
    values = numbers(where, item)
    if values.shape != shape:
        raise HarnessError(f"{where}: has shape {values.shape} but {of} has {shape}; resample one to the other")
    return labels_of(Path(where), values, what)


def labels_of(path: Path, values: np.ndarray, what: str) -> np.ndarray:
    """Labels or a brain mask as uint8, same shape; `path` and `what` name them. Raises HarnessError for others."""
    try:
        return whole_numbers(path, values, what)
    except BadScan as error:
        raise HarnessError(str(error)) from error


def _rows(given: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The name of each subject, and its items by argument."""
    what = next(iter(given))
    for name, arrays in given.items():
        if hasattr(arrays, "__array__") or isinstance(arrays, (str, PathLike)) or not isinstance(arrays, Iterable):
            raise HarnessError(f"{name}: no list, dict or generator; give one of arrays, of a single volume [volume]")
    keys = sorted({key for arrays in given.values() if isinstance(arrays, Mapping) for key in arrays}, key=str)
    if keys:
        for name, arrays in given.items():
            lacking = [key for key in keys if not isinstance(arrays, Mapping) or key not in arrays]
            if lacking:
                raise HarnessError(f"{name}: no item {lacking[0]!r}, unlike others; give dicts of the same keys")
        given = {name: [arrays[key] for key in keys] for name, arrays in given.items()}
    number = -1
    for number, items in enumerate(zip_longest(*given.values(), fillvalue=MISSING)):
        short = [name for name, item in zip(given, items, strict=True) if item is MISSING]
        if short:
            raise HarnessError(f"{short[0]}: ends after {number} items, but others go on; give one of each subject")
        yield str(keys[number] if keys else number), dict(zip(given, items, strict=True))
    if number < 0:
        raise HarnessError(f"{what}: holds no array; give one of each subject")


def merged_scores(where: str, scores: np.ndarray, single: np.ndarray) -> np.ndarray:
    """Which scores (n,) of the voxels that count rounding to `single` (n,) float32 made equal to others: (n,) bool.

    Raises HarnessError if so many become one number that no metric can be right.
    """
    merged = np.zeros(len(scores), bool)
    if scores.dtype.itemsize <= 4 and scores.dtype.kind not in "iu":
        return merged
    order = np.argsort(scores)
    ordered, rounded = scores[order], single[order]
    joined = (ordered[1:] != ordered[:-1]) & (rounded[1:] == rounded[:-1])
    if not joined.any():
        return merged
    merged = np.isin(single, rounded[1:][joined])
    distinct, counts = np.unique(scores[merged], return_counts=True)
    _, group = np.unique(distinct.astype(np.float32), return_inverse=True)
    largest = np.zeros(group.max() + 1)
    np.maximum.at(largest, group, counts)
    share = float((np.bincount(group, counts) - largest).max() / len(scores))
    if share > MERGED:
        raise HarnessError(f"{where}: {share:.1%} of its voxels have {saturated(scores.dtype)}")
    return merged
