"""FROC: sensitivity to lesions against false positives a scan, at all thresholds of a score map.

The rule is that of `lesions.detect` at every threshold: candidates are the 26-connected components of the voxels at or
above it, of at least 10 mm³, matched one to one with lesions; unmatched ones are false positives. One descending pass
joins voxels to components, and keeps what a threshold finds where that changes (`sweep`). The points are those of
LUNA16 (Setio et al., Medical Image Analysis 42, 2017): 1/8 to 8 false positives a scan, and their mean sensitivity.
"""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import minimum_spanning_tree

from uadbench.evaluation.detection.froc_curve import Curve
from uadbench.evaluation.detection.lesions import LEAST, OVERLAP, components, match, neighbours

FLOODED = 0.2  # fraction of a scan's normal voxels; where more reach a threshold, nothing is found there


def sweep(score: np.ndarray, truth: np.ndarray, counted: np.ndarray, spacing: float) -> Curve:
    """The curve of one scan: score map (D, H, W) float32 ≥ 0, label and evaluated voxels (D, H, W) bool, mm of a voxel.

    At each threshold above 0 that at most FLOODED of the normal voxels reach, it holds the numbers of `lesions.detect`;
    below, nothing is found, and the false positives are the last ones.
    """
    normal = np.sort(score[counted & ~truth])
    bound = max(float(normal[-1 - int(FLOODED * normal.size)]) if normal.size else 0.0, 0.0)
    mask = score > bound
    scores = score[mask]
    order = np.argsort(-scores, kind="stable")
    place = np.empty(len(order), np.int32)  # indices that scipy takes
    place[order] = np.arange(len(order))
    first, second = (place[ends] for ends in neighbours(mask))
    lesion = np.full(len(order), -1)
    sizes, lesion[place[truth[mask]]] = _label(truth, mask)
    state = _Components(LEAST / spacing**3, sizes, lesion.tolist())
    return _changes(scores[order], *_joins(len(order), first, second), state, bound)


def _label(truth: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Voxels of each component of the label, and the component of each of its voxels in a mask, in C order."""
    count, component = components(int(np.count_nonzero(truth)), *neighbours(truth))
    return np.bincount(component, minlength=count), component[mask[truth]]


def _joins(count: int, first: np.ndarray, second: np.ndarray) -> tuple[list[int], list[int], list[int]]:
    """Pairs that join `count` voxels to components as they come, in their order, and the later voxel of each."""
    later = np.maximum(first, second)
    tree = minimum_spanning_tree(coo_array((later, (first, second)), shape=(count, count)).tocsr()).tocoo()
    order = np.argsort(tree.data, kind="stable")
    ends = tree.coords[0][order], tree.coords[1][order]
    return ends[0].tolist(), ends[1].tolist(), tree.data[order].astype(int).tolist()


class _Components:
    """Components of the voxels that have come, with their sizes and the voxels they share with each label component."""

    def __init__(self, least: float, sizes: np.ndarray, lesion: list[int]) -> None:
        self.least, self.sizes, self.large, self.lesion = least, sizes, sizes >= least, lesion
        self.parent = list(range(len(lesion)))
        self.size = [0] * len(lesion)
        self.candidates = 0
        self.shared: dict[int, dict[int, int]] = {}  # of components that touch the label
        self.pairs: dict[int, frozenset[int]] = {}  # label components that overlap enough, by candidate
        self.changed: set[int] = set()
        self.found = self.excused = 0

    def add(self, voxel: int) -> None:
        self.size[voxel] = 1
        self.candidates += self.least <= 1
        if self.lesion[voxel] >= 0:
            self.shared[voxel] = {self.lesion[voxel]: 1}
            self.changed.add(voxel)

    def join(self, one: int, other: int) -> None:
        kept, gone = self._root(one), self._root(other)
        if self.size[kept] < self.size[gone]:
            kept, gone = gone, kept
        self.candidates -= (self.size[kept] >= self.least) + (self.size[gone] >= self.least)
        self.parent[gone] = kept
        self.size[kept] += self.size[gone]
        self.candidates += self.size[kept] >= self.least
        if gone in self.shared:
            own = self.shared.setdefault(kept, {})
            for component, voxels in self.shared.pop(gone).items():
                own[component] = own.get(component, 0) + voxels
        if kept in self.shared:
            self.changed |= {kept, gone}

    def numbers(self) -> tuple[int, int]:
        """Lesions found and false positives of the voxels that have come."""
        before = {root: self.pairs.pop(root, frozenset()) for root in self.changed}
        for root in self.changed & self.shared.keys():
            if enough := self._overlapping(root):
                self.pairs[root] = enough
        # Where a speck of the label is overlapped too, matches depend on the overlaps themselves.
        chosen = self.excused or any(not self.large[one] for those in self.pairs.values() for one in those)
        if self.changed and (chosen or any(self.pairs.get(root, frozenset()) != was for root, was in before.items())):
            self.found, self.excused = self._matched()
        self.changed.clear()
        return self.found, self.candidates - self.found - self.excused

    def _overlapping(self, root: int) -> frozenset[int]:
        size = self.size[root]
        if size < self.least:
            return frozenset()
        shared = self.shared[root].items()
        return frozenset(one for one, voxels in shared if voxels / (size + self.sizes[one] - voxels) >= OVERLAP)

    def _matched(self) -> tuple[int, int]:
        roots = list(self.pairs)
        entries = [(row, one, n) for row, root in enumerate(roots) for one, n in self.shared[root].items()]
        rows, columns, voxels = np.array(entries, int).reshape(-1, 3).T
        shared = coo_array((voxels.astype(float), (rows, columns)), (len(roots), len(self.sizes))).tocsr()
        matched, excused = match(shared, np.array([self.size[root] for root in roots]), self.sizes, self.large)
        return len(matched), excused

    def _root(self, voxel: int) -> int:
        parent = self.parent
        while parent[voxel] != voxel:
            parent[voxel] = voxel = parent[parent[voxel]]
        return voxel


def _changes(
    scores: np.ndarray, first: list[int], second: list[int], later: list[int], state: _Components, bound: float
) -> Curve:
    """The curve of one scan from its scores, descending, and the pairs of `_joins`."""
    ends = np.append(scores[1:] < scores[:-1], True)[: len(scores)].tolist()
    changes: list[tuple[float, int, int]] = []
    pair, now = 0, (0, 0)
    for voxel, (score, end) in enumerate(zip(scores.tolist(), ends, strict=True)):
        state.add(voxel)
        while pair < len(later) and later[pair] == voxel:
            state.join(first[pair], second[pair])
            pair += 1
        if end and (new := state.numbers()) != now:
            changes.append((score, *new))
            now = new
    if bound > 0 and now[0]:
        changes.append((bound, 0, now[1]))
    found, alarms = (np.array([change[k] for change in changes], np.int64) for k in (1, 2))
    return Curve(np.array([change[0] for change in changes], np.float32), np.zeros(len(found), np.int64), found, alarms)
