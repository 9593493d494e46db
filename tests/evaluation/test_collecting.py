"""Scored subjects as arrays: the same results as from files, in the memory of one subject."""

import weakref

import numpy as np
import pytest

from tests.own.test_evaluate import cohort  # noqa: F401
from uadbench.core.errors import HarnessError
from uadbench.evaluation.inference.collecting import HistogramCollector, ScoredSubject, collect
from uadbench.evaluation.inference.examples import SliceCollector, VolumeCollector
from uadbench.evaluation.inference.findings_collector import FindingsCollector
from uadbench.evaluation.protocols.protocols import Truth
from uadbench.own import score_maps
from uadbench.own.external_maps import evaluate

SIDES = (2.0, 2.0, 2.0)


def test_arrays_are_evaluated_as_their_files(cohort):  # noqa: F811
    folder, (scores, labels, brains) = cohort
    subjects = []
    for name, *arrays in zip(("a", "b.1", "c"), scores, labels, brains, strict=True):
        score, label, brain = (part[::-1].transpose(2, 1, 0) for part in arrays)  # the header runs right to left
        subjects.append(ScoredSubject(Truth(name, label, brain, SIDES), {"final": score}))
    expected = evaluate(folder / "maps", folder / "labels", folder / "brain").summary()
    assert score_maps.evaluate(iter(subjects)).summary() == expected
    with pytest.raises(HarnessError, match="labels: no label has an anomalous voxel"):
        score_maps.evaluate(ScoredSubject(Truth(s.name, 0 * s.lesion, s.lesion, SIDES), s.maps) for s in subjects)


def test_no_volume_outlives_its_subject(tmp_path):
    rng, kept = np.random.default_rng(0), []

    def subjects():
        for name in "abc":
            image, score, restored = rng.random((3, 6, 7, 8), np.float32)
            truth = Truth(name, rng.random(image.shape) < 0.1, np.ones(image.shape, bool), SIDES)
            volumes = [image.copy(), score.copy(), restored.copy()]
            kept.append([weakref.ref(volume) for volume in (*volumes, truth.label, truth.brain)])
            yield ScoredSubject(truth, {"final": volumes[1]}, volumes[0], volumes[2:].pop)

    collectors = [HistogramCollector(["full"]), FindingsCollector(), SliceCollector("ab", 2.0, "")]
    collectors.append(VolumeCollector("a", np.eye(4), True, None))
    collect(subjects(), collectors)
    assert [all(volume() is None for volume in volumes) for volumes in kept] == [True] * 3
    for collector in collectors:
        collector.save(tmp_path, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("examples.npz", "findings.npz", "full.npz", "volumes.npz")
    ]
