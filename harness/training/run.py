"""A trained run as a folder: `run.json` (what it is), `weights/` (its networks) and `history.csv` (how it went)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from harness import registry, settings
from harness.errors import HarnessError
from harness.files import atomic, read_json, write_json
from harness.method import Context, Method


def build(name: str, params: dict[str, Any], context: Context) -> Method:
    """Make a method from its name and the values of its `Params`."""
    module = registry.load(name)
    return module.Baseline(settings.build(module.Params, params, f"params.{name}"), context)


def save_weights(method: Method, folder: Path) -> None:
    """Save each network of a method under its attribute name, diffusers models in the format of diffusers."""
    with atomic(folder) as partial:
        partial.mkdir()
        for name, module in method.named_children():
            save = getattr(module, "save_pretrained", None)
            if save is not None:
                save(partial / name, safe_serialization=True)
            else:
                state = {key: value.contiguous() for key, value in module.state_dict().items()}
                save_file(state, partial / f"{name}.safetensors")


def load_weights(method: Method, folder: Path) -> None:
    """Load what `save_weights` saved. Raises HarnessError for missing or other weights."""
    for name, module in method.named_children():
        try:
            if (folder / name).is_dir():
                state = load_file(folder / name / "diffusion_pytorch_model.safetensors")
            else:
                state = load_file(folder / f"{name}.safetensors")
            module.load_state_dict(state)
        except (FileNotFoundError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise HarnessError(f"{folder}: weights of {name} do not fit ({reason}); train this run again") from None


def write(folder: Path, method: Method, facts: dict[str, Any]) -> None:
    """Write weights and `run.json`; the latter last, so that its presence means that the run is complete."""
    save_weights(method, folder / "weights")
    write_json(folder / "run.json", facts)


def facts(name: str, params: dict[str, Any], context: Context, seed: int) -> dict[str, Any]:
    """What identifies a run and rebuilds its method."""
    about = registry.describe(name)
    return {
        "method": name,
        "title": about.title + settings.mark(params),
        "family": about.family,
        "revision": about.revision,
        "seed": seed,
        "modality": context.modality,
        "spacing": context.spacing,
        "params": params,
    }


def load(
    folder: Path,
    device: torch.device | str = "cpu",
    overrides: dict[str, Any] | None = None,
    required: Path | None = None,
) -> tuple[Method, dict[str, Any]]:
    """Load a trained method in evaluation mode and its `run.json`.

    overrides: hyper-parameters of scoring that differ from those of training; required: the run it builds on.
    Raises HarnessError where the folder holds no complete run.
    """
    try:
        about = read_json(folder / "run.json")
    except FileNotFoundError:
        raise HarnessError(f"{folder}: no run.json; name the folder of a finished training run") from None
    parent = load(required, device)[0] if required else None
    context = Context(about["modality"], about["spacing"], freeze(parent) if parent else None)
    method = build(about["method"], {**about["params"], **(overrides or {})}, context)
    load_weights(method, folder / "weights")
    return freeze(method).to(device), about  # type: ignore[return-value]


def freeze(module: nn.Module) -> Any:
    """Put a module into evaluation mode and stop its gradients."""
    return module.eval().requires_grad_(False)
