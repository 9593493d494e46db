"""What `run.json` says of a run besides its weights: method, data and software. Imports no torch."""

from pathlib import Path
from typing import Any

from uadbench.core import checksums, provenance
from uadbench.core.errors import HarnessError
from uadbench.core.files import atomic, sha256
from uadbench.core.study_folder import INDEX, PATCH
from uadbench.core.version import VERSION
from uadbench.data.packing import premises
from uadbench.data.packing.store import Store
from uadbench.methods import registry
from uadbench.methods.settings import Settings

UNUSED = "none"  # device and precision of a run that nothing was computed for


def of_method(settings: Settings, spacing: float, seed: int) -> dict[str, Any]:
    """Metadata that identify a run and suffice to rebuild its method; spacing in mm."""
    return {
        "method": settings.method,
        "title": settings.title,
        "family": registry.describe(registry.base(settings.method)).family,
        "revision": settings.revision,
        "seed": seed,
        "modality": settings.modality,
        "spacing": spacing,
        "params": settings.values,
    }


def of_cohort(store: Store, modality: str) -> dict[str, Any]:
    """Training cohort of a run. Raises HarnessError for a scan twice, a lesion, or no subject with the modality."""
    premises.check_healthy(store)
    training, validation = (len(store.rows(modality, split)) for split in ("train", "validation"))
    if not training:
        raise HarnessError(
            f"{store.folder}: no training subject has {modality}; check the subject sheet and the reports"
        )
    return {
        "dataset": store.dataset,
        "simulated": store.simulated,
        "preprocessing": store.index["preprocessing"],
        "subjects": training,
        "validation_subjects": validation,
    }


def of_end(settings: Settings, store: Store, environment: dict[str, Any]) -> dict[str, Any]:
    """The data and the code that a run ends with, and when; environment: that of its start."""
    return {
        "postprocessing": settings.filters,
        "harness": VERSION,
        "data": sha256(store.folder / INDEX),
        "code": sha256(registry.BASELINES.path(registry.base(settings.method))),
        "environment": environment | {"finished": provenance.now()},
    }


def write_environment(folder: Path) -> dict[str, Any]:
    """The software of this process for `run.json`; where its code is not that of the commit, also writes `code.patch`.

    `patch_left_out`: number of changed files that are too large for the patch, which names them.
    """
    environment, path = provenance.environment(), folder / PATCH
    if not environment["modified"]:
        checksums.forget(path)
        path.unlink(missing_ok=True)  # of an earlier training in this folder
        return environment
    content, left_out = provenance.patch()
    with atomic(path) as partial:
        partial.write_bytes(content)
    return environment | {"patch_left_out": left_out}
