"""Parity with public code: write docs/parity.md from the stored outputs, or record these anew with --upd FOLDER.

python benchmarks/parity.py
python benchmarks/parity.py --upd UPD_study    # imports its folder `models`; only numbers are stored
"""

from __future__ import annotations

import argparse
import re
import sys
from argparse import Namespace
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch import nn

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.anomalies.test_simplex import stored_points  # noqa: E402
from tests.parity.cases import CASES, RECORDS, Pyramid, thinned  # noqa: E402

#: names of our tensors to theirs
BLOCK = [(r"norm(\d)", r"bn\1"), (r"shortcut\.weight", "skip.skip_conv.weight")]
RULES: dict[str, list[tuple[str, str]]] = {
    "pii": [
        (r"^layers\.0\.", "encoder.0."),
        (r"^layers\.([1-4])\.", r"encoder.\1.layer_0."),
        (r"^layers\.5\.", "decoder.0.layer_0."),
        (r"^layers\.6\.", "decoder.1.layer_0."),
        (r"^layers\.7\.", "decoder.2.layer_0."),
        *BLOCK,
    ],
    "dae": [
        (r"^down\.", "down_path."),
        (r"^out\.", "last."),
    ],
    "am_cons_decoder": [
        (r"^([0-3])\.", r"blocks.\1."),
        (r"^4\.", "out."),
        (r"body\.0\.", "conv1."),
        (r"shortcut\.0\.", "downsample_layer_conv.0."),
        (r"shortcut\.2\.", "downsample_layer_bn."),
    ],
}
ANOGAN = [(r"norm_in", "bn1"), (r"norm_out", "bn2")]


def theirs(name: str, models: Path) -> nn.Module:
    """The public network of a case, with our weights."""
    ours = CASES[name].network().state_dict()
    made, renamed = NETWORKS.get(name, anogan)(name, ours, models)
    state = made.state_dict()
    zeros = {key for key in state if key.endswith(".bias") and key not in renamed}  # biases before a normalisation
    missing = state.keys() - renamed.keys() - zeros
    missing = {key for key in missing if not re.search(r"num_batches|^fc\.|dense_layer", key)}
    assert not missing, sorted(missing)
    made.load_state_dict({**state, **{key: torch.zeros_like(state[key]) for key in zeros}, **renamed})
    return made.eval().double()


def rename(name: str, ours: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Our tensors under their names."""
    found = {}
    for key, value in ours.items():
        for pattern, replacement in RULES[name]:
            key = re.sub(pattern, replacement, key)
        found[key] = value
    return found


def grey(weight: torch.Tensor) -> torch.Tensor:
    """A kernel for three equal channels that does what this one does for one."""
    return weight.repeat(1, 3, 1, 1) / 3


def pii(name: str, ours: dict[str, torch.Tensor], models: Path) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    sys.path.insert(0, str(models / "PII"))
    from PIImodel import WideResNetAE

    found = rename(name, ours)
    found["encoder.0.weight"] = grey(found["encoder.0.weight"])
    made = WideResNetAE(Namespace())
    made.forward = lambda x: made.decoder(made.encoder(x.repeat(1, 3, 1, 1)))  # logits
    return made, found


def dae(name: str, ours: dict[str, torch.Tensor], models: Path) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    sys.path[:0] = [str(models / "DAE"), str(models.parent.parent)]
    from unet import UNet

    made = UNet(in_channels=1, n_classes=1, depth=4, wf=6)

    class First(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x[:, :1]

    layers = {"0": "1", "2": "3", "3": "5", "5": "7"}  # theirs pad by layers of their own
    inner = {}
    for key, value in rename(name, ours).items():
        key = re.sub(r"^grow\.(\d)\.", lambda m: f"up_path.{2 - int(m[1])}.up.", key)
        key = re.sub(r"^up\.(\d)\.", lambda m: f"up_path.{2 - int(m[1])}.conv_block.", key)
        key = re.sub(r"(down_path\.\d|conv_block)\.(\d)\.", lambda m: f"{m[1]}.block.{layers[m[2]]}.", key)
        inner[key] = value
    made.load_state_dict({**made.state_dict(), **inner})
    made.down_path[0] = nn.Sequential(First(), made.down_path[0])
    return made, {key.replace("down_path.0.", "down_path.0.1."): value for key, value in inner.items()}


def decoder(name: str, ours: dict[str, torch.Tensor], models: Path) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    sys.path.insert(0, str(models / "AMCons"))
    sys.modules.setdefault("torchvision", ModuleType("torchvision"))  # it is imported for another network
    import models as modules

    found = {}
    for key, value in rename(name, ours).items():
        first, _, rest = key.partition(".body.")
        if rest:  # a block that enlarges has one layer more
            place, _, kind = rest.partition(".")
            layers = {"2": "bn1", "4": "conv2", "5": "bn2"} if key.split(".")[2] == "0" else {}
            layers = layers or {"1": "bn1", "3": "conv2", "4": "bn2"}
            key = f"{first}.{layers[place]}.{kind}"
        elif ".conv1." in key:
            key = key.replace("body.0.", "")
        found[key] = value
    made = modules.Decoder(fin=32, nf0=256, n_channels=1, dense=True, n_blocks=4, spatial_dim=8)
    made.dense = True
    made.dense_layer = nn.Flatten()  # what is put in comes out again where it unflattens
    return made, found


def in_order(ours: dict[str, torch.Tensor], made: nn.Module) -> dict[str, torch.Tensor]:
    """Our tensors under the names of a network that defines its layers in the same order."""
    state = made.state_dict()
    assert len(state) == len(ours), (len(state), len(ours))
    return dict(zip(state, ours.values(), strict=True))


def vae(name: str, ours: dict[str, torch.Tensor], models: Path) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    sys.path.insert(0, str(models / "VAE"))
    from VAEmodel import VAE

    sizes = {"kernel_size": 3, "padding": 1, "num_layers": 6, "image_size": 128, "img_channels": 1, "width": 32}
    made = VAE(Namespace(**sizes, conv1x1=64, latent_dim=512, dropout=0.0, kl_weight=1e-4))
    found = in_order(ours, made)
    found["encoder.0.0.weight"] = grey(found["encoder.0.0.weight"])

    def reconstruction(x: torch.Tensor) -> torch.Tensor:
        mean = made.bottleneck(made.encoder(x.repeat(1, 3, 1, 1))).chunk(2, 1)[0]
        return made.decoder(made.decoder_input(mean))

    made.forward = reconstruction
    return made, found


def fae(name: str, ours: dict[str, torch.Tensor], models: Path) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    sys.path[:0] = [str(models / "FAE"), str(models.parent.parent)]
    for stub in ("torchvision", "torchvision.models"):  # imported for the backbone
        sys.modules.setdefault(stub, ModuleType(stub))
    from FAEmodel import FeatureAutoencoder

    made = FeatureAutoencoder(Namespace(in_channels=32, hidden_dims=[100, 150, 200, 300], dropout=0.1))
    return made, in_order(ours, made)


def rd(name: str, ours: dict[str, torch.Tensor], models: Path) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    sys.path.insert(0, str(models / "RD"))
    from de_resnet import de_resnet18
    from resnet import BasicBlock, BN_layer

    made = nn.Module()
    made.bottleneck, made.decoder = BN_layer(BasicBlock, 2), de_resnet18()
    made.forward = lambda features: made.decoder(made.bottleneck(features))
    places = {"first.0": "1", "first.1": "2", "second": "3"}
    found = {}
    for key, value in ours.items():
        key = key.removeprefix("inner.")
        for ours_, number in places.items():
            key = re.sub(rf"^{re.escape(ours_)}\.0\.", f"bottleneck.conv{number}.", key)
            key = re.sub(rf"^{re.escape(ours_)}\.1\.", f"bottleneck.bn{number}.", key)
        key = re.sub(r"^bottleneck\.(\d)\.", r"bottleneck.bn_layer.\1.", key)
        if key.startswith("steps."):
            key = re.sub(r"^steps\.(\d)\.", lambda m: f"decoder.layer{int(m[1]) + 1}.", key)
            key = key.replace("downsample", "upsample")
        found[f"inner.{key}"] = value
    unused = {f"inner.{key}": value for key, value in made.state_dict().items() if re.search(r"\.(conv|bn)4\.", key)}
    return Pyramid(made), {**unused, **found}


def anogan(name: str, ours: dict[str, torch.Tensor], models: Path) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    sys.path.insert(0, str(models / "fAnoGAN"))
    import GANmodel

    kind = name.rpartition("_")[2]
    made: nn.Module = {
        "generator": GANmodel.Generator, "critic": GANmodel.Discriminator, "encoder": GANmodel.Encoder,
    }[kind](Namespace(img_size=128, img_channels=1, latent_dim=128, dim=64))  # fmt: skip
    first = {"generator": 2, "critic": 1, "encoder": 1}[kind]
    layer = "res" if kind == "encoder" else "rb"
    found = {}
    for key, value in ours.items():
        number, _, rest = key.partition(".")
        block = int(number) - first + 1
        if 1 <= block <= 5:
            for pattern, replacement in ANOGAN:
                rest = re.sub(pattern, replacement, rest)
            inner = ".conv" if kind == "generator" else ""
            rest = rest.replace("conv_in.", f"conv1{inner}.")
            rest = rest.replace("conv_out.", "conv2." if kind == "generator" else "conv2.0.")
            rest = rest.replace("shortcut.", "shortcut.conv." if kind == "generator" else "shortcut.1.")
            found[f"{layer}{block}.{rest}"] = value
        elif int(number) == 0:
            name_of = {"generator": "ln1", "critic": "conv1", "encoder": "conv_in"}[kind]
            found[f"{name_of}.{rest}"] = grey(value) if kind == "encoder" and rest == "weight" else value
        elif kind == "generator":
            found[{7: "bn", 9: "conv1"}[int(number)] + f".{rest}"] = value
        else:
            found[f"fc.{rest}"] = value
    if kind == "critic":
        found |= {key: value for key, value in made.state_dict().items() if key.startswith("ln1.")}
        made.forward = made.extract_feature  # type: ignore[method-assign]
    return made, found


NETWORKS = {"pii": pii, "dae": dae, "am_cons_decoder": decoder, "vae": vae, "fae": fae, "rd": rd}


def output(name: str, network: nn.Module) -> np.ndarray:
    """What is compared of a network's output."""
    with torch.no_grad():
        found = network(CASES[name].inputs())
    found = found[0] if isinstance(found, tuple) else found
    return thinned(found)


def page() -> str:
    """docs/parity.md."""
    lines = [
        "# Parity with public code",
        "",
        "Networks of Table 2 beside the public code: the same weights and inputs, made from a seed, through both.",
        "Their outputs were recorded once; a test compares ours with them. The difference is the largest one in",
        "float64, divided by the largest output.",
        "",
        "```bash",
        "python benchmarks/parity.py",
        "```",
        "",
        "writes this page from `tests/parity/records`.",
        "",
        "| method | compared | public code | difference |",
        "|---|---|---|--:|",
    ]
    for name, case in CASES.items():
        record = np.load(RECORDS / f"{name}.npy")
        with torch.no_grad():
            ours = thinned(case.network()(case.inputs()))
        difference = abs(ours - record).max() / abs(record).max()
        lines.append(
            f"| {case.method} | {case.what} | {case.source} | {difference:.0e} |".replace("| 0e+00 |", "| 0 |")
        )
    return "\n".join([*lines, simplex_row()]) + "\n"


def simplex_row() -> str:
    """The line of AnoDDPM's noise, whose values at 80 points are stored with its test."""
    ours, values = stored_points()
    source = "AnoDDPM (Julian-Wyatt/AnoDDPM, 3052f04)"
    return f"| AnoDDPM | OpenSimplex noise at 80 points, ours in float32 | {source} | {abs(ours - values).max():.0e} |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upd", type=Path, help="a checkout of UPD_study")
    folder = parser.parse_args().upd
    if folder:
        RECORDS.mkdir(exist_ok=True)
        for case_name in CASES:
            np.save(RECORDS / f"{case_name}.npy", output(case_name, theirs(case_name, folder / "models")))
    (ROOT / "docs" / "parity.md").write_text(page(), encoding="utf-8")
