"""Networks on a device: compiled whole, eager where the compiler fails, and in a memory format that is accurate."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.commands import ROOT
from tests.trainings import CPU, built
from uadbench.compute import networks
from uadbench.compute.precision import Precision
from uadbench.methods import registry
from uadbench.methods.seeds import Streams
from uadbench.training.loop import step
from uadbench.training.sampler import SliceSampler


class Counting:
    """A backend that counts the graphs it is given, and runs them as they are."""

    def __init__(self) -> None:
        self.graphs = 0

    def __call__(self, graph, inputs):
        self.graphs += 1
        return graph.forward


@pytest.fixture(autouse=True)
def forgotten():
    yield
    torch.compiler.reset()


def layers() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Sequential(nn.Conv2d(4, 1, 3), nn.Flatten()))


@pytest.mark.parametrize("make", [layers, lambda: nn.Conv2d(1, 4, 3)], ids=["layers", "one layer"])
def test_networks_of_torch_s_own_modules_are_one_graph_each(make):
    """`Module.compile` makes none of them: its compiler skips calls that begin in torch's code."""
    counting, pair = Counting(), [make(), make()]
    networks.compile_calls(pair, counting)
    images = torch.rand(2, 1, 8, 8)
    for network in pair:
        assert torch.equal(network(images), make().forward(images) if make is layers else network.forward(images))
    assert counting.graphs == 2
    assert list(pair[0].state_dict()) == list(make().state_dict())


def test_every_network_may_be_compiled_as_often_as_others():
    counting, many = Counting(), [layers() for _ in range(12)]
    networks.compile_calls(many, counting)
    for network in many:
        network(torch.rand(2, 1, 8, 8))
    assert counting.graphs == 12


def test_a_compiler_that_fails_leaves_networks_eager_with_one_line(capsys):
    asked = []

    def failing(graph, inputs):
        asked.append(graph)
        raise RuntimeError("Failed to find C compiler. Please specify via CC environment variable.\nand more")

    pair = [layers(), layers()]
    networks.compile_calls(pair, failing)
    images = torch.rand(2, 1, 8, 8)
    for network in pair:
        assert torch.equal(network(images), layers()(images))
    warning = capsys.readouterr().err
    assert warning.startswith("warning: networks run without compilation")
    assert "Failed to find C compiler" in warning
    assert warning.count("\n") == 1
    assert len(asked) == 1


@pytest.mark.slow
def test_a_machine_without_a_compiler(tmp_path):
    """Whose network has more than convolutions, which need no kernel of their own."""
    code = "import torch; from torch.nn import Conv2d, GELU, Sequential; from uadbench.compute import networks; "
    code += "net = Sequential(Conv2d(1, 1, 3), GELU()); networks.compile_calls([net]); "
    code += "net(torch.rand(1, 1, 8, 8)).sum().backward(); print(net[0].weight.grad.shape)"
    environment = {"CXX": "/nowhere", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT), "HOME": "/tmp"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "torch.Size([1, 1, 3, 3])\n"
    assert done.stderr.startswith("warning: networks run without compilation")
    assert done.stderr.count("\n") == 1


def test_an_error_of_the_network_is_its_own(capsys):
    network = layers()
    networks.compile_calls([network], Counting())
    with pytest.raises(RuntimeError, match="channels"):
        network(torch.rand(2, 3, 8, 8))


def fitted(name: str, backend: str | None) -> tuple[list[float], torch.Tensor]:
    """Losses of the first steps of each phase, and the final map afterwards."""
    required = built("vae") if registry.describe(name).requires else None
    method = built(name, required=required)
    if backend:
        networks.compile_calls(method.children(), backend)
    volumes = np.random.default_rng(0).random((3, 4, 36, 28)).astype(np.float16)
    sampler, streams, precise = SliceSampler(volumes, np.arange(3)), Streams(1), Precision(CPU)
    losses = []
    for phase in method.phases():
        for _ in range(min(2, phase.steps)):
            losses.append(float(step(method, phase, sampler, streams, precise)))
    with torch.no_grad():
        return losses, method.eval().final(torch.from_numpy(volumes[0]).float(), Streams(2))


def compiled_as_eager(name: str) -> None:
    (losses, scores), (expected, map_expected) = fitted(name, "aot_eager"), fitted(name, None)
    assert losses == pytest.approx(expected, rel=1e-5)
    torch.testing.assert_close(scores, map_expected, rtol=1e-4, atol=1e-5)


def test_a_compiled_method_trains_and_scores_as_an_eager_one():
    compiled_as_eager("vae")


@pytest.mark.slow
@pytest.mark.parametrize("name", registry.names())
def test_every_compiled_method_trains_and_scores_as_an_eager_one(name):
    compiled_as_eager(name)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_channels_are_last_where_that_is_accurate(device, monkeypatch):
    monkeypatch.setattr(nn.Module, "to", lambda module, *args, **kwargs: moved(module, kwargs))
    plain, normed = nn.Sequential(nn.Conv2d(2, 2, 3)), nn.Sequential(nn.Conv2d(2, 2, 3), nn.BatchNorm2d(2))
    for network in (plain, normed):
        networks.arrange(network, torch.device(device))
    assert plain[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert normed[0].weight.is_contiguous(memory_format=torch.channels_last) == (device == "cuda")


def moved(module: nn.Module, kwargs: dict) -> nn.Module:
    """`Module.to` without another device."""
    return module._apply(lambda values: values.contiguous(**kwargs) if values.ndim == 4 else values)


def test_batch_normalisation_of_an_arranged_network_is_accurate():
    images = torch.rand((32, 1, 128, 128), generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8))
    networks.arrange(network, CPU)
    with torch.no_grad():
        exact = F.batch_norm(network[0](images).double(), None, None, training=True)
        assert (network(images) - exact).abs().max() < 1e-5
