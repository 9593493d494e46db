"""Device placement of jobs that train or score, decided once for all hosts. Imports no torch."""

import os
from shutil import which

GPUS = "UADBENCH_GPUS"


def wants_gpu(device: str, elsewhere: bool) -> bool:
    """Whether such jobs request a GPU, with the config's `device`; `elsewhere`: jobs run on other hosts than this one.

    The login node of a cluster has no GPU, unlike its compute nodes. So `auto` requests a GPU where jobs run on other
    hosts, and on one machine where `nvidia-smi` is installed. The environment variable UADBENCH_GPUS (0 or 1) overrides
    both. This function sets it, and the Snakemake of every job inherits it.
    """
    if device != "auto":
        return device.startswith("cuda")
    if GPUS not in os.environ:
        os.environ[GPUS] = str(int(elsewhere or which("nvidia-smi") is not None))
    return os.environ[GPUS] != "0"


def job_device(device: str, gpu: bool) -> str:
    """The `--device` of a job; `gpu`: whether a cluster allocated a GPU to it.

    With a GPU `auto` becomes `cuda`, so that a job without working CUDA fails instead of silently training on the CPU.
    The environment variable UADBENCH_DEVICE overrides `auto`.
    """
    if device != "auto":
        return device
    return os.environ.get("UADBENCH_DEVICE", "cuda" if gpu else device)
