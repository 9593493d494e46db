"""Extras of the package: what a command needs beyond `pip install .`, and the command that installs it."""

import contextlib
from collections.abc import Iterator

from uadbench.core.errors import HarnessError

#: imported modules that are missing without an extra of pyproject.toml; a test compares the two
MODULES = {
    "train": ("diffusers", "safetensors", "torch"),
    "preprocess": ("ants",),
    "share": ("huggingface_hub",),
    "tensorboard": ("tensorboard",),
}


def remedy(module: str) -> str | None:
    """The line that says how to install a missing module, given its dotted name; None for one of no extra."""
    package = module.partition(".")[0]
    for extra, modules in MODULES.items():
        if package in modules:
            return f'{package} is not installed; in a clone of the project run: pip install ".[{extra}]"'
    return None


@contextlib.contextmanager
def named(by: str) -> Iterator[None]:
    """Raise HarnessError, `by` first, where a module of an extra is missing within."""
    try:
        yield
    except ModuleNotFoundError as error:
        if found := remedy(error.name or ""):
            raise HarnessError(f"{by}: {found}") from error
        raise
