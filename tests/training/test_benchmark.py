"""What `bench` measures: the work of a step follows from the method, rates from the clock."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.training.test_memory import Fake
from tests.trainings import CPU, small
from uadbench.conformance import benchmark
from uadbench.conformance.benchmark import measure
from uadbench.core.errors import HarnessError
from uadbench.methods import registry
from uadbench.training.memory import MEASURED


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """A matrix product and a number of voxels that take no time."""
    monkeypatch.setattr(benchmark, "PRODUCT", {"cpu": 256})
    monkeypatch.setattr(benchmark, "COUNTED", 100_000)


def bench(name: str, **params) -> dict:
    return measure(small(name, **params), 8.0, 2, 2, 2, CPU)


def test_the_work_of_a_step_grows_with_the_batch():
    one, two = (bench("disyre", batch=batch)["tflop_per_step"] for batch in (8, 16))
    assert two == pytest.approx(2 * one, rel=0.01)


def test_the_work_of_a_step_by_hand(monkeypatch):
    """One 3 x 3 convolution of 5 channels to 1 on 16 x 16 voxels: forward, and the gradient of its weights."""

    class One:
        float16 = True
        slices = "tiled"

        def __init__(self):
            self.layer = torch.nn.Conv2d(5, 1, 3, padding=1)

    work = 2 * 9 * 5 * 16 * 16  # multiplications and additions of the forward pass
    images = torch.rand(1, 5, 16, 16)
    method = One()
    phase = SimpleNamespace(batch=1, patch=0)
    monkeypatch.setattr(benchmark, "prepare", lambda *_, **__: [phase])
    monkeypatch.setattr(benchmark, "step", lambda *_: method.layer(images).sum().backward())
    monkeypatch.setattr(benchmark.SliceSampler, "batch", lambda *_: None)
    rates, found = benchmark._trained(method, np.ones((1, 2, 16, 16), np.float16), 2, benchmark.Precision(CPU))
    assert found["tflop_per_step"] * 1e12 == pytest.approx(2 * work, rel=1e-3)
    assert rates["images"] == rates["training_steps"] > 0


def test_rates_and_shares_agree():
    found = bench("dae")
    rates = found["per_second"]
    assert rates["images"] == pytest.approx(rates["training_steps"] * found["params"]["batch"], rel=1e-3)
    assert found["volume"] == [20, 24, 19]
    assert {"batches", "volumes, all maps", "volumes, final map", "voxels_counted"} <= rates.keys()
    assert found["peak_memory_gib"] > 0.05


def test_what_is_not_trained_has_no_steps():
    found = bench("random")
    assert "training_steps" not in found["per_second"]
    assert found["per_second"]["volumes, all maps"] > 0


def test_steps_are_timed_as_a_training_makes_them(monkeypatch):
    """Data leave the device while steps are measured, then lie on it; the peak is that of the steps that are timed."""
    seen = []

    class Card(Fake):
        def release(self):
            seen.append("released")

        def restart(self):
            seen.append("restarted")

    def stepped(method, phase, sampler, *_):
        seen.append("held" if sampler.held is not None else "on the host")

    monkeypatch.setattr(benchmark.memories, "of", lambda device: Card(2**40))
    monkeypatch.setattr(benchmark, "step", stepped)
    bench("dae")
    assert seen[: seen.index("restarted") + 1] == ["held", "released", *["on the host"] * MEASURED, "restarted"]
    assert set(seen[seen.index("restarted") + 1 :]) == {"held"}


def test_step_sizes_are_timed_by_their_passes(monkeypatch):
    """Every pass takes a tenth of a second by a made-up clock, and a volume has as many slices as it is deep."""
    now, baseline = [0.0], registry.load("disyre").Baseline
    predict = baseline.predict

    def passing(seconds):
        now[0] += seconds
        return now[0]

    monkeypatch.setattr(benchmark.time, "perf_counter", lambda: passing(1e-6))
    monkeypatch.setattr(baseline, "predict", lambda self, images, t: (passing(0.1), predict(self, images, t))[1])
    sizes = (10, 20, 25, 33, 50)
    found = measure(small("disyre", step_sizes=sizes), 8.0, 2, 2, 4, CPU, step_sizes=True)
    rows = {int(size): row for size, row in found["step_sizes"].items()}
    assert {size: row["passes"] for size, row in rows.items()} == {10: 10, 20: 5, 25: 4, 33: 4, 50: 2}
    for row in rows.values():
        assert row["seconds_per_volume"] / row["passes"] == pytest.approx(0.1 * found["volume"][0] / 4, rel=0.01)
    assert found["params"]["step_size"] == 25


def test_without_step_sizes_none_is_timed():
    assert "step_sizes" not in bench("random")
    with pytest.raises(HarnessError, match="--step-sizes"):
        measure(small("random"), 8.0, 2, 2, 2, CPU, step_sizes=True)
