"""Whether jobs that train or score get a GPU, and which device; decided once for all hosts. Imports no torch."""

from __future__ import annotations

import os
from shutil import which

GPUS = "HARNESS_GPUS"


def wants_gpu(device: str, elsewhere: bool) -> bool:
    """Whether such jobs ask for a GPU, with the config's `device`; `elsewhere`: jobs run on other hosts than this one.

    Hosts differ: the login node of a cluster has no GPU, its nodes have. So `auto` asks for one where jobs go
    elsewhere, and on one machine where the program of the driver is found. The environment variable HARNESS_GPUS
    (0 or 1) decides before both; it is set here, and the Snakemake of every job inherits it.
    """
    if device != "auto":
        return device.startswith("cuda")
    if GPUS not in os.environ:
        os.environ[GPUS] = str(int(elsewhere or which("nvidia-smi") is not None))
    return os.environ[GPUS] != "0"


def job_device(device: str, gpu: bool) -> str:
    """The device that a job is told, where `gpu` says that a cluster gave it one.

    With a GPU `auto` becomes `cuda`: a job must fail where CUDA is missing, not train on the CPU in silence. The
    environment variable HARNESS_DEVICE decides before `auto`.
    """
    if device != "auto":
        return device
    return os.environ.get("HARNESS_DEVICE", "cuda" if gpu else device)
