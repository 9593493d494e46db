"""Selection of the device that networks run on, and its name in reports."""

import os
import platform
import re
import subprocess
import sys
import warnings

import torch

from uadbench.compute import device_lock
from uadbench.core.errors import HarnessError

NAMES = re.compile(r"auto|cpu|mps|cuda(:\d+)?")
#: values of CUDA_VISIBLE_DEVICES by which a user or a scheduler hides every GPU
HIDDEN = ("", "-1", "NoDevFiles")
#: the oldest driver that runs a major version of CUDA
DRIVERS = {"11": "450", "12": "525", "13": "580"}


def choose(name: str = "auto") -> torch.device:
    """The device of a name: `auto`, `cpu`, `mps`, `cuda`, or a numbered one such as `cuda:1`.

    `cuda` selects a visible device, among several one that no other process of this user has locked. `auto` selects
    likewise, or the CPU where no GPU is visible. Sets the CPU threads from OMP_NUM_THREADS. Switches TF32 off, so that
    float32 on CUDA is float32: torch's convolutions would use 10 of 23 bits of their factors.
    Raises HarnessError where the name is unknown or the device missing.
    """
    _set_threads()
    if not NAMES.fullmatch(name):
        raise HarnessError(f"device {name}: there is no such device; there are auto, cpu, cuda, cuda:1, …, mps")
    if name == "cpu":
        return torch.device("cpu")
    if name == "mps":
        if not torch.backends.mps.is_available():
            raise HarnessError("device mps: torch finds no Apple GPU; use device: cpu")
        return torch.device("mps")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # `_unusable` reports an old driver, with the remedy
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not count:
        reason = _unusable()
        if name != "auto":
            raise HarnessError(
                f"device {name}: {reason or 'no CUDA device is visible; give the job one'}, or use device: cpu"
            )
        if reason:
            _warn(f"training and scoring run on the CPU: {reason}")
        return torch.device("cpu")
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    index = _numbered(name, count) if ":" in name else _own(count)
    torch.cuda.set_device(index)
    return torch.device("cuda", index)


def describe(device: torch.device) -> str:
    """The device in words, with the version of torch."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}"
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads, torch {torch.__version__}"


def _set_threads() -> None:
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if not wanted:
        return
    if not wanted.strip().isdecimal() or int(wanted) < 1:
        raise HarnessError(f"OMP_NUM_THREADS: {wanted!r} is no number of threads; set it to one, such as 2")
    torch.set_num_threads(int(wanted))


def _numbered(name: str, count: int) -> int:
    index = int(name.partition(":")[2])
    if index >= count:
        raise HarnessError(f"device {name}: torch sees {count} CUDA devices, counted from 0; take another")
    return index


def _own(count: int) -> int:
    """Index of the device that the fewest other processes of this user have locked."""
    if count == 1:  # a scheduler gives each job a device of its own, always with index 0
        return 0
    names = [str(torch.cuda.get_device_properties(index).uuid) for index in range(count)]
    try:
        # A query by torch would allocate memory on each.
        free = {uuid.removeprefix("GPU-"): float(mib) for uuid, mib in _smi("uuid", "memory.free") if mib.isdecimal()}
        index, others = device_lock.take(names, free)
    except HarnessError as error:
        _warn(f"cuda:0 is taken without asking whether another job has it: {error}; name one with --device cuda:1")
        return 0
    if others:
        _warn(f"all {count} CUDA devices are taken; cuda:{index} is shared with {others} more; run fewer jobs at once")
    return index


def _unusable() -> str:
    """Reason why torch cannot use the GPUs that the driver lists, with the remedy; empty without such GPUs."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in HIDDEN:
        return ""
    rows = _smi("name", "driver_version")
    if not rows:
        return ""
    gpu, driver = rows[0]
    here = f"{gpu} with driver {driver} is not used"
    if torch.version.cuda is None:
        return f"{here}, since torch {torch.__version__} is built without CUDA; install torch from PyPI"
    needed = DRIVERS.get(torch.version.cuda.partition(".")[0])
    major = driver.partition(".")[0]
    if needed and major.isdecimal() and int(major) < int(needed):
        return (
            f"{here}, since CUDA {torch.version.cuda} of torch {torch.__version__} needs driver {needed} or newer; "
            "update the driver, or install torch for an older CUDA: https://pytorch.org/get-started/locally"
        )
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as error:
        return f"{here} ({str(error).splitlines()[0]}); see that nvidia-smi and CUDA_VISIBLE_DEVICES agree"
    return f"{here} by torch {torch.__version__}; see that nvidia-smi and CUDA_VISIBLE_DEVICES agree"


def _smi(*fields: str) -> list[list[str]]:
    """Fields that nvidia-smi prints for each GPU; an empty list if it is missing or fails."""
    command = ["nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return []
    rows = [[cell.strip() for cell in line.split(",")] for line in done.stdout.splitlines()]
    return [row for row in rows if len(row) == len(fields)] if done.returncode == 0 else []


def _warn(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr, flush=True)
