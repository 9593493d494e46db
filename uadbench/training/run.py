"""Folder of a trained run: `run.json` (metadata), `weights/` (networks), `history.csv`, `code.patch` (changed code)."""

from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn.modules.module import (
    register_module_buffer_registration_hook,
    register_module_parameter_registration_hook,
)

from uadbench.core import validation
from uadbench.core.errors import HarnessError
from uadbench.core.faults import retried
from uadbench.core.files import atomic, disk_faults_named, sha256, verify, write_json
from uadbench.core.study_folder import RUN, WEIGHTS
from uadbench.methods import registry
from uadbench.methods import settings as method_settings
from uadbench.methods.base import Context, Method
from uadbench.methods.settings import Settings
from uadbench.training.record import record

SLACK = 4  # what networks of a run take at most, by the size of its weights


def build(name: str, params: Any, context: Context) -> Method:
    """Build a method from its name and its `Params`, or their values."""
    module = registry.load(name)
    if not isinstance(params, module.Params):
        values = params if isinstance(params, dict) else asdict(params)
        params = validation.build(module.Params, values, f"params.{name}")
    return module.Baseline(params, context)


def save_weights(method: Method, folder: Path) -> None:
    """Save each network of a method under its attribute name, diffusers models in the format of diffusers."""
    with disk_faults_named(folder), atomic(folder) as partial:
        partial.mkdir()
        for name, module in method.named_children():
            save = getattr(module, "save_pretrained", None)
            if save is not None:
                save(partial / name, safe_serialization=True)
            else:
                state = {key: value.contiguous() for key, value in module.state_dict().items()}
                save_file(state, partial / f"{name}.safetensors")


def load_weights(method: Method, folder: Path, listed: Container[str]) -> None:
    """Load weights of `save_weights`. Raises HarnessError for missing, other, or additional weights.

    listed: files whose checksums were compared; no other is loaded.
    """
    for name, module in method.named_children():
        file = f"{name}/diffusion_pytorch_model.safetensors" if (folder / name).is_dir() else f"{name}.safetensors"
        try:
            if file not in listed:
                raise RuntimeError(f"{RUN} does not list {file}")
            state = retried(load_file)(folder / file)
            # Compared here: torch ignores weights of a sub-module that is None, such as an attention left out.
            other = sorted(state.keys() ^ module.state_dict().keys())
            if other:
                raise RuntimeError(f"{len(other)} missing or unexpected, the first: {other[0]}")
            module.load_state_dict(state)
        except (FileNotFoundError, RuntimeError, SafetensorError) as error:
            reason = str(error).splitlines()[0]
            raise HarnessError(f"{folder}: weights of {name} do not fit ({reason}); train this run again") from None


def write(folder: Path, method: Method, facts: dict[str, Any]) -> None:
    """Write weights and then `run.json`, whose presence marks the run as complete."""
    weights = folder / WEIGHTS
    save_weights(method, weights)
    files = sorted(path for path in weights.rglob("*") if path.is_file())
    digests = {path.relative_to(weights).as_posix(): sha256(path) for path in files}
    write_json(folder / RUN, {**facts, "weights": digests})


def load(
    folder: Path,
    device: torch.device | str = "cpu",
    settings: Settings | dict[str, Any] | None = None,
    required: Path | None = None,
    name: str | None = None,
) -> tuple[Method, dict[str, Any]]:
    """Load a trained method in evaluation mode and its `run.json`, with method, title, parameters and post-processing
    as scored.

    name: the scored variant of the run's method; settings: see `methods.settings.of_run`; required: the run it builds
    on. Raises HarnessError where the folder holds no complete run, or one of another method.
    """
    about = record(folder)
    # Further files beside the weights do not matter: Snakemake and file managers leave theirs in folders.
    verify(folder / WEIGHTS, about["weights"], "copy the run again, or remove its folder and train it again")
    registry.load(about["method"])
    scored = method_settings.of_run(folder, about, name, settings)
    parent = load_required(scored.method, required, device)
    context = Context(about["modality"], about["spacing"], parent, scored.postprocessing)
    with no_larger_than([folder / WEIGHTS / weights for weights in about["weights"]], folder / RUN):
        method = build(scored.method, scored.params, context)
    load_weights(method, folder / WEIGHTS, about["weights"])
    about |= {"method": scored.method, "title": scored.title, "params": scored.values}
    about["postprocessing"] = scored.filters
    return freeze(method).to(device), about  # type: ignore[return-value]


@contextmanager
def no_larger_than(weights: list[Path], record: Path) -> Iterator[None]:
    """Raise HarnessError where networks built within, as a record states, are much larger than files of weights.

    Others would fill the memory, or take hours, before the weights turn out not to fit.
    """
    room = SLACK * (2**22 + sum(path.stat().st_size for path in weights))

    def count(module: nn.Module, name: str, values: torch.Tensor | None) -> None:
        nonlocal room
        room -= 0 if values is None else values.numel() * values.element_size()
        if room < 0:
            raise MemoryError("its networks are larger than its weights")

    hooks = [
        hook(count) for hook in (register_module_parameter_registration_hook, register_module_buffer_registration_hook)
    ]
    try:
        yield
    except (ArithmeticError, MemoryError, RuntimeError, TypeError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise HarnessError(
            f"{record}: params describe no network that fits ({reason}); copy or train it again"
        ) from error
    finally:
        for hook in hooks:
            hook.remove()


def load_required(name: str, required: Path | None, device: torch.device | str) -> Method | None:
    """The trained method that another one builds on; None where it builds on none.

    Raises HarnessError where its run is not given, or is one of another method.
    """
    wanted = registry.describe(registry.base(name)).requires
    if wanted is None:
        return None
    if required is None:
        raise HarnessError(f"{name} builds on a run of {wanted}; name it with --required")
    parent, about = load(required, device)
    if registry.base(about["method"]) != wanted:
        raise HarnessError(
            f"{required}: is a run of {about['method']}; {name} needs one of {wanted}: pass it with --required"
        )
    return parent


def freeze(module: nn.Module) -> Any:
    return module.eval().requires_grad_(False)
