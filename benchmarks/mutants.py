"""Measure of the tests: single faults put into the library, one after the other, and which of them the tests notice.

    python benchmarks/mutants.py --list                        the faults of the set, none of them tried
    python benchmarks/mutants.py --out before                  the whole set, resumes after an interruption
    python benchmarks/mutants.py --out after --set before      the same faults, in another state of the code
    python benchmarks/mutants.py --out more --only training --count 20 --seed 1

A fault changes one operator, constant, condition or argument order. It is put into a copy of the tree, at its place in
the text: nothing else of the file changes. Then those tests run that import its module, fastest first, until one
fails. OUT/faults.csv gets each outcome as it ends; the same command resumes. A test that fails without a fault, too,
counts nothing. A fault is known by module, function and changed text, not by its line, and its rank in the draw by a
hash of these: other code may move or change, and the set remains. Faults of messages are not drawn.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import csv
import queue
import sys
import tempfile
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import astuple, fields
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.mutants_faults import Fault, drawn, faults_of
from benchmarks.mutants_tests import Copy, Imports, Outcome

COLUMNS = ("put in", "noticed", "survived", "stopped", "equivalent")
#: faults that change nothing that a test could see, as str(fault), with the reason
EQUIVALENT: dict[str, str] = {
    "uadbench/conformance/cohort.py:write: brain = (z**2 + y**2 + x**2) < 0.9 → brain = (z**2 + y**3 + x**2) < 0.9": (
        "the shape of the brain of a cohort for tests: any serves"
    ),
    "uadbench/data/preprocessing/registration/ants_registration.py:_levels: return np.clip((values - low) / max(high - "
    "low, 1e-9), 0, 1) → return np.clip(0, (values - low) / max(high - low, 1e-9), 1)": (
        "np.clip(0, x, 1) is min(max(0, x), 1) as well"
    ),
    "uadbench/methods/anomalies/shapes.py:_lowest: 2), keepdim=True) < count → 2), keepdim=True) <= count": (
        "the count is pi r^2, which no number of voxels equals"
    ),
    "uadbench/paper/figures/figure2.py:_panel: max(single, default=0)) → max(single, default=1))": (
        "no published score is at t = 0 or 1"
    ),
    "uadbench/status/text.py:_row: widths = (16, 10, 11, 12, 17) → widths = (16, 10, 12, 12, 17)": (
        "a column that is a character wider"
    ),
}
FAULT, OUTCOME = ([field.name for field in fields(kind)] for kind in (Fault, Outcome))


def read(path: Path) -> dict[Fault, Outcome]:
    """Outcomes by fault of a CSV that `write` made; none without the file."""
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        Fault(nth=int(row["nth"]), **{name: row[name] for name in FAULT if name != "nth"}): Outcome(
            row["state"], row["by"], int(row["tests"]), float(row["seconds"])
        )
        for row in rows
    }


def write(path: Path, outcomes: dict[Fault, Outcome]) -> None:
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow([*FAULT, *OUTCOME])
        rows.writerows([*astuple(fault), *astuple(outcome)] for fault, outcome in outcomes.items())
    partial.replace(path)


def table(faults: Iterable[Fault], outcomes: dict[Fault, Outcome]) -> str:
    """Faults by room and outcome, then those that were not noticed."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    lines = []
    for fault in faults:
        state = "equivalent" if str(fault) in EQUIVALENT else outcomes[fault].state if fault in outcomes else "gone"
        for row in (fault.room, "all"):
            counts[row].update({"put in": state not in ("equivalent", "gone"), state: 1})
        if state != "noticed":
            why = EQUIVALENT.get(str(fault)) or (f"{outcomes[fault].tests} files of tests" if fault in outcomes else "")
            lines.append(f"{state}: {fault}  ({why})")
    rows = [*sorted(counts.keys() - {"all"}), *(["all"] if counts else [])]
    head = "| room | " + " | ".join(COLUMNS) + " |\n|---|" + "---:|" * len(COLUMNS)
    body = ["| " + " | ".join([row, *(str(counts[row][column]) for column in COLUMNS)]) + " |" for row in rows]
    return "\n".join([head, *body, "", *sorted(lines)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--tree", type=Path, default=Path(__file__).resolve().parent.parent, help="whose code and tests"
    )
    parser.add_argument("--out", type=Path, help="folder for faults.csv")
    parser.add_argument("--list", action="store_true", help="print the faults, try none")
    parser.add_argument(
        "--only", action="append", default=[], metavar="ROOM", help="a folder of uadbench/, or baselines"
    )
    parser.add_argument("--set", type=Path, metavar="OUT", help="the faults of this earlier run")
    parser.add_argument("--seed", type=int, default=0, help="of the draw (default: %(default)s)")
    parser.add_argument("--count", type=int, default=5, help="faults of each room (default: %(default)s)")
    parser.add_argument(
        "--limit", type=float, default=60, help="seconds of processor for a fault (default: %(default)s)"
    )
    parser.add_argument("--jobs", type=int, default=1, help="faults tried at once (default: %(default)s)")
    options = parser.parse_args()
    tree = options.tree.resolve()
    print(", ".join(f"{name}: {value}" for name, value in vars(options).items() if value not in (None, [])))
    if options.set:
        earlier = read(options.set / "faults.csv")
        faults = [fault for fault in earlier if not options.only or fault.room in options.only]
    else:
        faults = drawn(tree, options.seed, options.count, options.only)
    if options.list:
        print("\n".join(f"{fault.kind:10} {fault}" for fault in faults))
    elif not options.out:
        parser.error("name a folder: --out FOLDER, or --list")
    else:
        options.out.mkdir(parents=True, exist_ok=True)
        outcomes = tried(tree, faults, options.out, options.jobs, options.limit)
        print(table(faults, outcomes))


def tried(tree: Path, faults: list[Fault], out: Path, jobs: int, limit: float) -> dict[Fault, Outcome]:
    """Outcomes of the faults, which the CSV has after each."""
    path, unsound, one_at_a_time = out / "faults.csv", set[str](), threading.Lock()
    outcomes = read(path)
    with tempfile.TemporaryDirectory() as folder:
        copies: queue.Queue[Copy] = queue.Queue()
        for job in range(jobs):
            copies.put(Copy.of(tree, Path(folder, str(job)).resolve(), limit))
        first = copies.queue[0]
        imports = Imports(first.tree)
        texts = {module: faults_of(first.tree, module) for module in {fault.module for fault in faults}}
        there = [fault for fault in faults if fault in texts[fault.module] and str(fault) not in EQUIVALENT]

        def attempt(fault: Fault) -> None:
            copy = copies.get()
            try:
                found = copy.outcome(fault, texts[fault.module][fault], imports, unsound)
            finally:
                copies.put(copy)
            with one_at_a_time:
                outcomes[fault] = found
                write(path, outcomes)
                print(f"{found.state:9} {found.seconds:6.1f} s  {fault}", flush=True)

        failed = {""}
        while failed:
            rest = [fault for fault in there if fault not in outcomes]
            with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
                list(pool.map(attempt, rest))
            # A test that noticed a fault has to pass without one.
            by = sorted({outcome.by for outcome in outcomes.values() if outcome.by.startswith("tests/")})
            failed = set(first.pytest(*by, limit=60 * limit)[1]) if by else set()
            unsound |= failed
            for fault in [fault for fault, outcome in outcomes.items() if outcome.by in failed]:
                print(f"again, since {outcomes.pop(fault).by} fails without the fault: {fault}")
    return outcomes


if __name__ == "__main__":
    main()
