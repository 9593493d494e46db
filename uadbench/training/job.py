"""Training job of the command `train`: from packed data to a finished run folder."""

import hashlib
import json
import time
from pathlib import Path

import torch

from uadbench.compute import device
from uadbench.compute.precision import Precision
from uadbench.core import folder_lock
from uadbench.core.study_folder import STATE
from uadbench.data.packing.store import Store
from uadbench.methods.base import Context
from uadbench.methods.seeds import seed_everything
from uadbench.methods.settings import Settings
from uadbench.training import facts, run
from uadbench.training.loop import LoopConfig, train
from uadbench.training.memory import enough_memory
from uadbench.training.sampler import SliceSampler
from uadbench.training.state import aside

REMEDY = "in its params set accumulate: 2 (the same batch in two parts, half the memory) or a smaller batch"


def train_run(
    settings: Settings,
    seed: int,
    data: Path,
    out: Path,
    chosen: torch.device,
    required: Path | None = None,
    config: LoopConfig | None = None,
) -> None:
    """Train a method by its settings on the training subjects of a packed cohort and write its run to `out`.

    Raises HarnessError for wrong hyper-parameters, missing data, a scan twice or a lesion in the cohort, a loss that is
    not finite, too little memory, or if another process trains this run, such as one left behind by a killed workflow.
    """
    method, modality = settings.method, settings.modality
    with folder_lock.held(out):
        store = Store.open(data)
        cohort = facts.of_cohort(store, modality)
        training, validation = (store.rows(modality, split) for split in ("train", "validation"))
        seed_everything(seed)
        # Like `use_deterministic_algorithms`, but without the import of the compiler, which takes seconds.
        torch.set_deterministic_debug_mode("error" if chosen.type == "cpu" else "default")
        context = Context(modality, store.spacing, run.load_required(method, required, chosen))
        about = facts.of_method(settings, store.spacing, seed) | cohort
        environment = facts.write_environment(out)
        started = time.monotonic()
        images = store.images(modality)
        with enough_memory(f"training {method} on {chosen}", REMEDY):
            built = run.build(method, settings.params, context)
            held_out = SliceSampler(images, validation, chosen) if len(validation) > 1 else None
            sampler = SliceSampler(images, training, chosen)
            # What must match for a training to resume from a saved state.
            content = json.dumps([{**about, "params": settings.training}, store.index], sort_keys=True, default=str)
            fingerprint = hashlib.sha256(content.encode()).hexdigest()
            history = train(built, sampler, held_out, seed, out, fingerprint, config)
        about |= {
            "seconds": round(time.monotonic() - started, 1),
            "device": device.describe(chosen),
            "precision": Precision(chosen, built.float16).name,
            "final": history[-1] if history else None,
        }
        run.write(out, built, about | facts.of_end(settings, store, environment))
        state = out / STATE
        for path in (state, aside(state)):
            path.unlink(missing_ok=True)
