"""Subjects read ahead in a thread are those of the store, and scores counted as tensors give the same files."""

import threading

import numpy as np
import pytest

from tests.trainings import CPU, built
from uadbench.data.packing.store import Store
from uadbench.evaluation.inference import inference
from uadbench.evaluation.inference.inference import PackedTask, subjects
from uadbench.training.run import freeze


def test_subjects_come_in_order_with_image_and_classes(tiny_cohort):
    store = Store.open(tiny_cohort)
    rows = store.rows("t1", "test").tolist()[::-1]
    found = list(subjects(store, "t1", rows, CPU))
    for subject, row in zip(found, rows, strict=True):
        assert subject.name == store.subjects[row]
        assert np.array_equal(subject.volume.numpy(), np.asarray(store.images("t1")[row], np.float32))
        assert np.array_equal(subject.labels, store.labels()[row])


def test_the_next_subject_is_read_while_one_is_used(tiny_cohort, monkeypatch):
    """Two reads are done or under way once the first subject is there, the third only with the second subject."""
    store = Store.open(tiny_cohort)
    images, started = store.images("t1"), []

    class Images:
        def __getitem__(self, row):
            started.append((row, threading.current_thread() is threading.main_thread()))
            return images[row]

    monkeypatch.setattr(Store, "images", lambda self, modality: Images())
    rows = [*store.rows("t1", "test").tolist()] * 3
    read = subjects(store, "t1", rows, CPU)
    next(read)
    next(read)
    read.close()  # waits for what is under way
    assert [row for row, _ in started] == rows[:3]
    assert not any(main for _, main in started)


def test_an_error_of_reading_is_raised(tiny_cohort, monkeypatch):
    store = Store.open(tiny_cohort)
    with pytest.raises(IndexError):
        list(subjects(store, "t1", [len(store.subjects)], CPU))


def test_scores_counted_as_tensors_give_the_same_results(tiny_cohort, tmp_path, monkeypatch):
    """As on CUDA, where maps stay on the card: the same counts in every protocol that does not resize, to the voxel."""
    trained = inference.Trained(freeze(built("dae")), {"method": "dae", "task": "Tiny", "seed": 1}, CPU)
    task = PackedTask(Store.open(tiny_cohort), "t1", healthy=Store.open(tiny_cohort))
    for folder, kept in (("arrays", inference.countable), ("tensors", lambda values: values)):
        monkeypatch.setattr(inference, "countable", kept)
        inference.score_test_set(trained, task, ["full", "official"], 1, tmp_path / folder)
    for path in (tmp_path / "arrays").iterdir():
        with np.load(path) as ours, np.load(tmp_path / "tensors" / path.name) as theirs:
            assert ours.files == theirs.files
            for key in ours.files:
                assert np.array_equal(ours[key], theirs[key]), (path.name, key)
