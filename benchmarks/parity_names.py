"""Names of our tensors in the networks of UPD_study, which parity_upd.py and steps_upd.py fill with our weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

Tensors = Mapping[str, torch.Tensor]

#: names of our tensors to theirs
BLOCK = [(r"norm(\d)", r"bn\1"), (r"shortcut\.weight", "skip.skip_conv.weight")]
RULES: dict[str, list[tuple[str, Any]]] = {
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
    "am_cons_encoder": [
        (r"^attended\.0\.", "backbone.input."),
        (r"^attended\.1\.", "backbone.resnet.0."),
        (r"^rest\.(\d)\.", lambda m: f"backbone.resnet.{int(m[1]) + 1}."),
        (r"body\.0\.", "conv1."),
        (r"body\.1\.", "bn1."),
        (r"body\.3\.", "conv2."),
        (r"body\.4\.", "bn2."),
        (r"shortcut\.", "downsample."),
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


def rename(name: str, ours: Tensors) -> dict[str, torch.Tensor]:
    """Our tensors under their names, by the rules of a network."""
    found = {}
    for key, value in ours.items():
        for pattern, replacement in RULES[name]:
            key = re.sub(pattern, replacement, key)
        found[key] = value
    return found


def in_order(ours: Tensors, made: nn.Module) -> dict[str, torch.Tensor]:
    """Our tensors under the names of a network that defines its layers in the same order."""
    state, values = (
        {key: value for key, value in each.items() if "num_batches" not in key} for each in (made.state_dict(), ours)
    )
    return dict(zip(state, values.values(), strict=True))


def unet(ours: Tensors, depth: int) -> dict[str, torch.Tensor]:
    """DAE's U-Net; theirs pads by layers of its own."""
    layers = {"0": "1", "2": "3", "3": "5", "5": "7"}
    found = {}
    for key, value in rename("dae", ours).items():
        key = re.sub(r"^grow\.(\d)\.", lambda m: f"up_path.{depth - 2 - int(m[1])}.up.", key)
        key = re.sub(r"^up\.(\d)\.", lambda m: f"up_path.{depth - 2 - int(m[1])}.conv_block.", key)
        key = re.sub(r"(down_path\.\d|conv_block)\.(\d)\.", lambda m: f"{m[1]}.block.{layers[m[2]]}.", key)
        found[key] = value
    return found


def encoder(ours: Tensors) -> dict[str, torch.Tensor]:
    """AMCons' encoder."""
    found = rename("am_cons_encoder", ours)
    for kind in ("weight", "bias"):
        found[f"mu.{kind}"], found[f"log_var.{kind}"] = found.pop(f"out.{kind}").chunk(2)
    return found


def decoder(ours: Tensors) -> dict[str, torch.Tensor]:
    """AMCons' decoder after its dense layer."""
    found = {}
    for key, value in rename("am_cons_decoder", ours).items():
        first, _, rest = key.partition(".body.")
        if rest:  # a block that enlarges has one layer more
            place, _, kind = rest.partition(".")
            layers = {"2": "bn1", "4": "conv2", "5": "bn2"} if key.split(".")[2] == "0" else {}
            layers = layers or {"1": "bn1", "3": "conv2", "4": "bn2"}
            key = f"{first}.{layers[place]}.{kind}"
        elif ".conv1." in key:
            key = key.replace("body.0.", "")
        found[key] = value
    return found


def student(ours: Tensors) -> dict[str, torch.Tensor]:
    """RD's bottleneck and decoder."""
    places = {"first.0": "1", "first.1": "2", "second": "3"}
    found = {}
    for key, value in ours.items():
        for ours_, number in places.items():
            key = re.sub(rf"^{re.escape(ours_)}\.0\.", f"bottleneck.conv{number}.", key)
            key = re.sub(rf"^{re.escape(ours_)}\.1\.", f"bottleneck.bn{number}.", key)
        key = re.sub(r"^bottleneck\.(\d)\.", r"bottleneck.bn_layer.\1.", key)
        if key.startswith("steps."):
            key = re.sub(r"^steps\.(\d)\.", lambda m: f"decoder.layer{int(m[1]) + 1}.", key)
            key = key.replace("downsample", "upsample")
        found[key] = value
    return found


def anogan(kind: str, ours: Tensors) -> dict[str, torch.Tensor]:
    """f-AnoGAN's `generator`, `encoder`, or the features of its `critic`."""
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
            found[{"generator": "ln1", "critic": "conv1", "encoder": "conv_in"}[kind] + f".{rest}"] = value
        elif kind == "generator":
            found[{7: "bn", 9: "conv1"}[int(number)] + f".{rest}"] = value
        else:
            found[f"fc.{rest}"] = value
    return found
