"""Proof on a GPU, in one command: every method on it against the CPU, paper-size speed, and a training on real scans.

python benchmarks/gpu.py --out FOLDER [--minutes 8] [--data PACKED]
python benchmarks/gpu.py --out FOLDER --device cpu --tiny    # the same steps, small, without a GPU

Each step appends a line to FOLDER/gpu.jsonl as it ends, with its numbers and, under `must`, whether those hold that
must; a step that fails or runs out of time is a line as well, and the next one begins. Exit status 1 where one failed
or a number does not hold. Steps, in this order:

environment      versions, device, compiler, TF32, a large matrix product
check/METHOD     small trainings, a resumed step, score maps, device against CPU with the CPU's random numbers; counts
paper/METHOD/…   batch 96 of 128 x 128, 602 volumes on the device: eager, compiled, channels last, corruption, a volume
paper/naive      batches made image by image on the host, and an eager network
real             DISYRE on packed scans of --data for the time left, and its score maps

The machine needs no network, nibabel or pandas. docs/performance.md says how to carry packages and packed scans to it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.on_gpu import check, real, speed  # noqa: E402
from benchmarks.on_gpu.report import Report, Step  # noqa: E402
from uadbench.compute import device as devices  # noqa: E402
from uadbench.methods import registry  # noqa: E402


def steps(given: argparse.Namespace, report: Report) -> Iterator[Step]:
    """The steps in order: the name, what it does, and the seconds that it may take at most."""
    device = devices.choose(given.device)
    yield "environment", partial(speed.environment, device, given.tiny), 60
    for name in given.methods:
        yield f"check/{name}", partial(check.method, name, device, given.out, given.tiny), 60
    paper = speed.Paper(device, given.tiny)
    for name in speed.METHODS:
        for mode in speed.MODES:
            yield f"paper/{name}/{mode}", partial(paper.trained, name, mode), 150
        yield f"paper/{name}/corruption", partial(paper.corruption, name), 30
        yield f"paper/{name}/volume", partial(paper.volume, name), 120
        if name == speed.METHODS[0]:
            yield "paper/naive", partial(paper.naive, name), 45
            yield "paper/profile", partial(paper.profile, name), 60
    if given.data or given.tiny:
        yield "real", partial(real.trained, given.data, device, given.out, given.tiny, report), 3600


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for gpu.jsonl and the history of the training")
    parser.add_argument("--minutes", type=float, default=8.0, help="the time that all steps together may take")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1, cpu, …")
    parser.add_argument("--tiny", action="store_true", help="sizes that take seconds on a CPU")
    parser.add_argument("--data", type=Path, help="packed cohort to train on; its test subjects are scored")
    parser.add_argument("--methods", nargs="*", default=registry.every(), help="of the steps check; default: all")
    parser.add_argument("--only", nargs="*", default=[""], help="beginnings of the names of steps; default: all")
    given = parser.parse_args(arguments)
    report = Report(given.out, 60 * given.minutes)
    for name, work, seconds in steps(given, report):
        if name.startswith(tuple(given.only)):
            report.run(name, work, report.left if given.tiny else seconds)  # a busy CPU may take long
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
