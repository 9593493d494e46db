"""Choosing the device that networks run on, and what it is called in reports."""

from __future__ import annotations

import os
import platform

import torch

from harness.errors import HarnessError


def choose(name: str = "auto") -> torch.device:
    """The device of a name; `auto` takes CUDA if there is some. Sets the CPU threads from OMP_NUM_THREADS.

    Raises HarnessError where the named device is missing.
    """
    if "OMP_NUM_THREADS" in os.environ:
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise HarnessError(
            f"device {name}: no CUDA device is visible; use device: cpu, or install a CUDA build of torch"
        )
    return device


def describe(device: torch.device) -> str:
    """The device in words, with the version of torch."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}"
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads, torch {torch.__version__}"
