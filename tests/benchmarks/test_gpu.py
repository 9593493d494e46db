"""The benchmark of a GPU on a CPU, small: its steps, its numbers that must hold, and faults that these find."""

import ast
import json
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import gpu
from benchmarks.on_gpu import check
from benchmarks.on_gpu.host_numbers import host_numbers
from benchmarks.on_gpu.report import Report
from tests.commands import ROOT
from uadbench.evaluation.voxels import tensors
from uadbench.methods.seeds import Streams

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("gpu")


def run(
    out: Path, *only: str, methods: tuple[str, ...] = ("vae",), minutes: float = 600
) -> tuple[int, dict[str, dict]]:
    options = ["--out", str(out), "--device", "cpu", "--tiny", "--minutes", str(minutes)]
    status = gpu.main([*options, "--methods", *methods, "--only", *only])
    lines = [json.loads(line) for line in (out / "gpu.jsonl").read_text().splitlines()]
    return status, {line["step"]: line for line in lines}


def test_steps_hold_and_are_written(out):
    only = ("environment", "check", "paper/dae/eager", "paper/dae/corruption", "paper/dae/volume", "real")
    status, found = run(out, *only, methods=("vae", "padim", "random"))
    assert status == 0
    assert list(found) == [
        "environment",
        *("check/vae", "check/padim", "check/random"),
        *("paper/dae/eager", "paper/dae/eager, channels first", "paper/dae/corruption", "paper/dae/volume"),
        "real",
    ]
    assert {one["status"] for one in found.values()} == {"done"}
    assert all(all(one["must"].values()) for one in found.values() if "must" in one)
    assert found["check/vae"]["must"].keys() >= {"equal histograms", "equal AP"}
    assert found["check/vae"]["numbers"]["map"] == 0
    assert found["paper/dae/eager"]["numbers"]["images_per_second"] > 0
    assert found["real"]["numbers"]["ap"] > 0
    assert (out / "history.csv").read_text().startswith("phase,step")


def packages(path: Path, seen: set[Path]) -> set[str]:
    """Packages that a file and those of the project which it imports need to be imported."""
    if path in seen or not path.is_file():
        return set()
    seen.add(path)
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    found = {name.split(".")[0] for name in names} - {"uadbench", "benchmarks"}
    for name in names:
        place = ROOT.joinpath(*name.split("."))
        found |= packages(place.with_suffix(".py"), seen) | packages(place / "__init__.py", seen)
    return found


def test_a_machine_that_only_trains_has_all_that_is_imported():
    seen = set()
    needed = packages(ROOT / "benchmarks" / "gpu.py", seen)
    for path in (ROOT / "baselines").glob("*.py"):
        needed |= packages(path, seen)
    assert ROOT / "uadbench" / "training" / "loop.py" in seen
    assert needed - sys.stdlib_module_names == {
        *("numpy", "safetensors", "scipy", "torch", "tqdm", "yaml"),
        *("diffusers", "pydantic"),  # docs/performance.md says how to carry them
    }


def shifted(scores: torch.Tensor, plain=tensors.encode) -> torch.Tensor:
    return plain(scores) + 2**12


@pytest.mark.parametrize(
    ("owner", "name", "fault", "unmet"),
    [
        (tensors, "encode", shifted, {"equal histograms"}),
        (
            check,
            "moved",
            lambda method, device, plain=check.moved: noisy(plain(method, device)),
            {"score maps within 0.0001"},
        ),
        (check.state, "resume", lambda *_: None, {"resumed step within 1e-06"}),
        (check, "AP", -1.0, {"AP in bfloat16 within -1.0"}),
    ],
    ids=["counts", "map", "resumed", "bfloat16"],
)
def test_a_fault_is_found(out, monkeypatch, owner, name, fault, unmet):
    monkeypatch.setattr(owner, name, fault)
    status, found = run(out, "check")
    assert status == 1
    assert {what for what, holds in found["check/vae"]["must"].items() if not holds} == unmet


def noisy(method):
    """A method whose maps are another's on this device, by a thousandth."""
    plain = method.score
    method.score = lambda volume, rng: {"final": 1.001 * plain(volume, rng)["final"]}
    method.final = lambda volume, rng: method.score(volume, rng)["final"]
    return method


def test_a_step_that_fails_is_a_line_and_the_next_one_runs(out, monkeypatch, capsys):
    monkeypatch.setattr(gpu.speed, "product", lambda *_: 1 / 0)
    status, found = run(out, "environment", "check")
    assert status == 1
    assert found["environment"]["status"] == "failed"
    assert found["environment"]["error"] == "ZeroDivisionError: division by zero"
    assert found["check/vae"]["status"] == "done"
    assert "environment: ZeroDivisionError" in capsys.readouterr().out


def test_time_ends_a_step_and_leaves_the_others_unreached(tmp_path):
    report = Report(tmp_path, 3.3)

    def endless():
        while True:
            pass

    report.run("one", endless, 0.1)
    report.run("two", lambda: {"numbers": {"infinite": float("inf"), "tiny": 1.23456e-7}}, 0.1)
    report.end = 0
    report.run("three", endless, 0.1)
    lines = [json.loads(line) for line in report.path.read_text().splitlines()]
    assert [line["status"] for line in lines] == ["out of time", "done", "not reached"]
    assert lines[1]["numbers"] == {"infinite": "inf", "tiny": 1.235e-7}
    assert report.finish() == 1


def test_numbers_of_the_host_are_the_same_and_stay_on_their_device():
    plain = torch.rand(5, generator=Streams(3)["noise"])
    with host_numbers():
        made = Streams(3)["noise"]
        assert torch.equal(torch.rand(5, generator=made, device=made.device), plain)
        made.device = torch.device("meta")
        assert torch.rand(5, generator=made, device="meta").device.type == "meta"
        with pytest.raises(RuntimeError, match="a generator on meta for numbers on cpu"):
            torch.rand(5, generator=made)
        dropped = torch.nn.functional.dropout2d(torch.ones(50, 20, 3, 3), 0.5)
    assert set(dropped.flatten().tolist()) == {0.0, 2.0}
    assert torch.equal(dropped.amax((2, 3)), dropped.amin((2, 3)))
    assert torch.equal(torch.rand(5, generator=Streams(3)["noise"]), plain)
