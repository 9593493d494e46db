"""The tests of benchmarks/mutants.py: which of them import a module, and a copy of the tree to run them in."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

from benchmarks.mutants_faults import Fault

#: folders whose files are found by name: a string with the name is an import
BY_NAME = {"baselines", "layouts", "tables", "figures", "commands"}
#: tests of every baseline, of which those of the changed one run
OF_EVERY_BASELINE = ("tests/test_conformance.py", "tests/parity/test_parity.py", "tests/parity/test_steps.py")
MEMORY = 8 << 30  # bytes of address space: a fault may ask for more than there is
OF_RULES = "tests/test_workflow.py"  # tests of what the workflow's rules alone import


@dataclass(frozen=True)
class Outcome:
    state: str  # noticed, survived, or stopped at the limit before a test failed
    by: str  # the test that failed
    tests: int  # files of tests that import the module
    seconds: float  # wall time


class Imports:
    """Which tests import a module, by the imports and, for files found by name, by the strings of the tests."""

    def __init__(self, tree: Path) -> None:
        self.tree = tree
        self.tests = [path.relative_to(tree).as_posix() for path in sorted((tree / "tests").rglob("test_*.py"))]
        self.seconds: dict[str, float] = {}  # of each file of tests, as measured so far

    @cache  # noqa: B019
    def own(self, path: str) -> frozenset[str]:
        """Files of the tree that a file imports, anywhere in it."""
        found = set()
        for node in ast.walk(ast.parse((self.tree / path).read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            files = (name.replace("uadbench.baselines.", "baselines.").replace(".", "/") + ".py" for name in names)
            found |= {file for file in files if (self.tree / file).is_file()}
        return frozenset(found)

    @cache  # noqa: B019
    def of(self, path: str) -> frozenset[str]:
        """The same with the imports of its helpers and of the conftest.py beside it, except the one of all tests."""
        helpers = {file for file in self.own(path) if file.startswith("tests/")} - {path}
        around = PurePosixPath(path).parent / "conftest.py"
        if PurePosixPath(path).name.startswith("test_") and len(around.parts) > 2 and (self.tree / around).is_file():
            helpers.add(str(around))
        return self.own(path).union(*map(self.of, helpers))

    @cache  # noqa: B019
    def strings(self, path: str) -> frozenset[str]:
        nodes = ast.walk(ast.parse((self.tree / path).read_text(encoding="utf-8")))
        return frozenset(n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str))

    def testing(self, module: str) -> list[str]:
        """Files of tests that import a module; without any, those that import a module that imports it, and so on.

        First the file named after the module, then the others that import it themselves, the fastest first.
        """
        path, wanted, found = PurePosixPath(module), {module}, set[str]()
        library = [file.relative_to(self.tree).as_posix() for file in (self.tree / "uadbench").rglob("*.py")]
        while not found:
            names = {PurePosixPath(file).stem for file in wanted if PurePosixPath(file).parent.name in BY_NAME}
            found = {test for test in self.tests if wanted & self.of(test) or names & self.strings(test)}
            if path.parts[0] == "baselines":
                found |= {test for test in OF_EVERY_BASELINE if test in self.tests}
            larger = wanted | {file for file in library if wanted & self.of(file)}
            if larger == wanted:
                found = found or {OF_RULES}
            wanted = larger

        def late(test: str) -> tuple[bool, bool, float, int]:
            size = (self.tree / test).stat().st_size
            return path.stem not in test, module not in self.own(test), self.seconds.get(test, 0), size

        return sorted(found, key=late)


@dataclass
class Copy:
    """A copy of the tree, in which faults are put."""

    tree: Path
    limit: float  # seconds
    python: str = sys.executable
    process: subprocess.Popen[str] | None = None

    @classmethod
    def of(cls, tree: Path, folder: Path, limit: float) -> Copy:
        command = ["git", "-C", str(tree), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        for name in subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0"):
            if name and (tree / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(tree / name, folder / name)
        made = cls(folder, limit)
        # Bytecode that is checked by content: a fault may have its file's old size and time.
        compiling = ["-m", "compileall", "-q", "--invalidation-mode", "checked-hash", "uadbench", "baselines"]
        subprocess.run([made.python, *compiling], cwd=folder, check=True)
        where = subprocess.run(
            [made.python, "-c", "import uadbench; print(uadbench.__file__)"],
            cwd=folder,
            env=made.environment(),
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        if not where.startswith(str(folder)):
            raise SystemExit(
                f"{made.python} imports {where.strip()}, not the copy in {folder}; use another interpreter"
            )
        return made

    def environment(self) -> dict[str, str]:
        own = {"PYTHONPATH": str(self.tree), "PYTHONDONTWRITEBYTECODE": "", "OMP_NUM_THREADS": "1"}
        return {**os.environ, **own, "PYTHONHASHSEED": "0"}

    def pytest(self, *arguments: str, limit: float) -> tuple[int | None, list[str], dict[str, float]]:
        """Return code (None: stopped at the limit), failed tests, and seconds of each file of tests.

        limit: seconds of processor, which count the same on a busy machine; for processes that wait, ten times as many.
        """
        times, output = self.tree / "times.xml", self.tree / "output.txt"
        for path in (times, output):
            path.unlink(missing_ok=True)
        given = ["-q", "-rfE", "--tb=no", "-p", "no:cacheprovider", "-n0", f"--junitxml={times}"]
        given += ["-o", "junit_family=xunit1", *arguments]
        job = {"arguments": given, "output": str(output), "seconds": limit, "memory": MEMORY}
        runner = self.runner()
        print(json.dumps(job), file=runner.stdin, flush=True)
        answer = runner.stdout.readline().strip()  # type: ignore[union-attr]
        if answer == "stopped":
            return None, [], {}
        code, text = int(answer), output.read_text(encoding="utf-8", errors="replace")
        seconds: dict[str, float] = defaultdict(float)
        for case in ET.parse(times).iter("testcase") if times.exists() else ():
            seconds[case.get("file", "")] += float(case.get("time", 0))
        failed = re.findall(r"^(?:FAILED|ERROR) (tests/.*?)(?: - .*)?$", text, flags=re.MULTILINE)
        if code < 0:
            failed = [f"killed by signal {-code}"]
        elif code not in (0, 1, 2, 5) or (code in (1, 2) and not failed):
            raise SystemExit(f"pytest ended with {code}:\n{text[-2000:]}")
        return code, failed, seconds

    def runner(self) -> subprocess.Popen[str]:
        """The process that runs pytest for this copy."""
        if self.process is None or self.process.poll() is not None:
            script = Path(__file__).with_name("mutants_runner.py")
            self.process = subprocess.Popen(
                [self.python, str(script)],
                cwd=self.tree,
                env=self.environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        return self.process

    def outcome(self, fault: Fault, text: str, imports: Imports, unsound: Iterable[str]) -> Outcome:
        """Put a fault in, run the tests that import its module, and restore the file.

        The first file runs alone, then three, then the rest: one run for all would import all before the first test.
        """
        path, files, start = self.tree / fault.module, imports.testing(fault.module), time.monotonic()
        whole = path.read_text(encoding="utf-8")
        others = " or ".join(PurePosixPath(file).stem for file in OF_EVERY_BASELINE)
        chosen = f"not ({others}) or {path.stem}" if fault.module.startswith("baselines/") else ""
        options = ["-x", *(f"--deselect={test}" for test in unsound), "-k", chosen]
        state, by = "survived", ""
        path.write_text(text, encoding="utf-8")
        try:
            for part in (files[:1], files[1:4], files[4:]):
                code, failed, seconds = self.pytest(*options, *part, limit=self.limit) if part else (0, [], {})
                if failed:
                    state, by = "noticed", failed[0]
                    break
                imports.seconds |= seconds
                state = "stopped" if code is None else state
        finally:
            path.write_text(whole, encoding="utf-8")
        return Outcome(state, by, len(files), round(time.monotonic() - start, 1))
