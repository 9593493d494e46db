"""Independent random streams: one per (seed, data set, subject, purpose), so that draws do not affect each other."""

from __future__ import annotations

import zlib

import numpy as np


class SubjectStreams:
    """Random generators of one subject, by purpose: adding a subject or a purpose does not change any other."""

    def __init__(self, seed: int, dataset: str, subject: str) -> None:
        self.seed = seed
        self.key = (zlib.crc32(dataset.encode()), zlib.crc32(subject.encode()))

    def __call__(self, purpose: str) -> np.random.Generator:
        """A fresh generator for `purpose` (the same one on every call)."""
        key = (*self.key, zlib.crc32(purpose.encode()))
        return np.random.default_rng(np.random.SeedSequence(entropy=self.seed, spawn_key=key))
