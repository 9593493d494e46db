"""Placement of jobs: who gets a GPU, decided once for all hosts, and the environment of their commands."""

import os
import shlex
import sys
from pathlib import Path
from shutil import which

GPUS = "UADBENCH_GPUS"
#: In a job's shell: what a killed process cannot say itself, and a full disk keeps from the log, goes to the terminal.
SPOKESMAN = """exec 3>&2; export UADBENCH_TERMINAL=3; python() { local code=0; command python "$@" || code=$?
if [ $code -gt 128 ]; then local why="the system or somebody stopped it"
case $code in 137) why="perhaps for memory: give fewer --cores or a smaller batch, or ask for more memory";;
135) why="perhaps by a disk or mount that failed: run the same command again";; esac
local line="error: killed (signal $((code - 128))), $why"; echo "$line" >&2 2>/dev/null || echo "$line" >&3; fi
return $code; }"""
#: glibc returns the memory of every larger tensor to the system at once, and each training step on a CPU then waits for
#: page faults. Here the process retains blocks below 32 MiB (benchmarks/allocation.py).
ALLOCATION = {"MALLOC_MMAP_THRESHOLD_": 32 * 2**20, "MALLOC_TRIM_THRESHOLD_": 2**30}


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


def assignments(library: str, deployed: bool, device: str, gpu: bool) -> str:
    """Shell assignments of every job's command: paths of library and interpreter, memory allocation and device.

    deployed: packages come from an environment of their own, else from that of this interpreter; gpu: see `job_device`.
    The device is no option of a command, since a change of it must never retrain anything.
    """
    folders = {"PYTHONPATH": library} | ({} if deployed else {"PATH": str(Path(sys.executable).parent)})
    found = [f'{name}={shlex.quote(folder)}:"${name}"' for name, folder in folders.items()]
    found += [f"{name}=${{{name}:-{size}}}" for name, size in ALLOCATION.items()]
    return " ".join([*found, f"UADBENCH_DEVICE={shlex.quote(job_device(device, gpu))}"])
