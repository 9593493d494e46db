"""Page faults and seconds of a training step on a CPU, with glibc's own thresholds and with the workflow's.

python benchmarks/allocation.py    # DISYRE at the demo's size, one thread
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORKFLOW = {"MALLOC_MMAP_THRESHOLD_": str(32 * 2**20), "MALLOC_TRIM_THRESHOLD_": str(2**30)}
SETTINGS = {"glibc": {}, "workflow": WORKFLOW}


def measure(steps: int) -> None:
    """Print faults and seconds of a step in this process."""
    sys.path.insert(0, str(ROOT))
    import torch

    from uadbench.methods.networks.unet import apply_unet, unet
    from uadbench.methods.params import UNetParams

    torch.set_num_threads(1)
    params = UNetParams(widths=(16, 32, 64), layers=1, groups=8, attention_from=9, unshuffle=2, residual=True)
    network = unet(params).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    images, times = torch.rand(16, 1, 48, 48), torch.randint(1, 101, (16,))
    optimizer = torch.optim.AdamW(network.parameters())

    def step() -> None:
        optimizer.zero_grad()
        (apply_unet(network, images, times, params) - images).square().mean().backward()
        optimizer.step()

    for _ in range(2):
        step()
    before, started = resource.getrusage(resource.RUSAGE_SELF), time.process_time()
    for _ in range(steps):
        step()
    after = resource.getrusage(resource.RUSAGE_SELF)
    faults = (after.ru_minflt - before.ru_minflt) / steps
    print(f"{faults:.0f} page faults, {(time.process_time() - started) / steps:.3f} s of one core")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3, help="of both settings in turn")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        measure(given.steps)
        sys.exit()
    print(f"a training step of DISYRE, 16 slices of 48 x 48, mean of {given.steps}; one thread")
    plain = {name: value for name, value in os.environ.items() if name not in WORKFLOW}
    for _ in range(given.repeats):
        for label, added in SETTINGS.items():
            command = [sys.executable, __file__, "--inside", "--steps", str(given.steps)]
            found = subprocess.run(command, env={**plain, **added}, capture_output=True, text=True, check=True)
            print(f"{label:9}", found.stdout.strip())
