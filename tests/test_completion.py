"""Completion by the tab key: the names that exist, found without the packages that take long to import."""

import json

from click.shell_completion import ShellComplete

from tests.commands import python_without
from uadbench.cli import COMMANDS, uadbench
from uadbench.core.errors import HarnessError
from uadbench.data.download import tables
from uadbench.data.index import layout
from uadbench.evaluation.protocols.protocols import PROTOCOLS
from uadbench.methods import registry
from uadbench.paper import catalogue

COMPLETE = """
import json
from click.shell_completion import ShellComplete
from uadbench.cli import uadbench
shell = ShellComplete(uadbench, {}, "uadbench", "")
cases = [([*words], incomplete) for *words, incomplete in json.loads(sys.argv[1])]
print(json.dumps([[(item.value, item.type) for item in shell.get_completions(*case)] for case in cases]))
"""
HEAVY = ("torch", "pandas", "numpy", "scipy", "matplotlib", "nibabel", "ants", "diffusers")
RUN = "results/demo/training/dae/t1/seed-1"
CASES = {
    "train --method ": registry.every(),
    "test --method disyre-": ["disyre-public", "disyre-mood22_abdomen"],
    "conformance dae": ["dae", "dae-upd"],
    "conformance ./own": [("./own", "file")],
    "evaluate --protocol ": list(PROTOCOLS),
    "download ds00": [name for name in tables.names() if name.startswith("ds00")],
    "download ix": ["ixi"],
    "index --layout ": layout.LAYOUTS.names(),
    "table ": catalogue.names("tables"),
    "figure fig": ["figure1", "figure2", "figure3"],
    "score --run res": [RUN],
    "share ": [RUN],
    "train --required elsewhere/": [("elsewhere/", "dir")],
    "status ": ["results/demo", "results/other"],
    "report results/o": ["results/other"],
    "tab": ["table"],
}


def test_names_are_completed(tmp_path):
    for folder in ("demo/logs", "other/logs", "demo/training/dae/t1/seed-2"):
        (tmp_path / "results" / folder).mkdir(parents=True)
    (tmp_path / RUN).mkdir(parents=True)
    (tmp_path / RUN / "run.json").touch()
    done = python_without(HEAVY, COMPLETE, json.dumps([case.split(" ") for case in CASES]), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for (case, expected), found in zip(CASES.items(), json.loads(done.stdout), strict=True):
        assert [tuple(item) for item in found] == [
            (one, "plain") if isinstance(one, str) else one for one in expected
        ], case


def test_a_broken_baseline_completes_nothing(monkeypatch):
    def broken():
        raise HarnessError("own.py: no REVISION")

    monkeypatch.setattr(registry, "every", broken)
    assert ShellComplete(uadbench, {}, "uadbench", "").get_completions(["train", "--method"], "") == []


def test_shared_options_are_no_command():
    assert not [name for name in COMMANDS.names() if name.startswith("_")]
