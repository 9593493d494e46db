"""Conformance of every baseline and variant; a new file in `baselines/` is checked here without being named."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.blocks import baseline_files
from tests.commands import ended
from uadbench import baselines
from uadbench.conformance.suite import CHECKS, Candidate
from uadbench.core.errors import HarnessError
from uadbench.methods import registry


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("candidates")


@pytest.fixture(scope="module", params=registry.every())
def candidate(request: pytest.FixtureRequest, folder: Path) -> Candidate:
    return Candidate(request.param, folder)


@pytest.mark.parametrize("check", CHECKS)
def test_a_baseline_passes(candidate, check):
    CHECKS[check](candidate)


SOUND = """
"Mine: a convolution that learns to remove noise."
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from uadbench.methods.base import Phase, SliceMethod, Update
from uadbench.methods.params import TrainingParams

REVISION = 1
PAPER = "nowhere"
SMALL = {"steps": 4, "batch": 2, "patch": 16}
OWN = torch.Generator().manual_seed(0)

@dataclass(frozen=True)
class Params(TrainingParams):
    pass

class Baseline(SliceMethod):
    slices = "tiled"
    calls = 0

    def __init__(self, params, context):
        super().__init__(params, context)
        self.network = torch.nn.Conv2d(1, 1, 3, padding=1)

    def phases(self):
        optimizer = torch.optim.Adam(self.network.parameters(), lr=self.params.learning_rate)
        return [Phase(self.params.steps, self.params.batch, self.params.patch, [Update(self.loss, optimizer)])]

    def loss(self, batch):
        self.calls += 1
        noise = torch.rand(batch.images.shape, generator=batch.rng["noise"])
        return F.mse_loss(self.network(batch.images + noise), batch.images)

    def score_slices(self, images, rng):
        return (images - self.network(images)).abs()

    def restore_slices(self, images, rng):
        return self.network(images).clamp(0, 1) * (images > 0)
""".lstrip()
IN_PLACE = "score = lambda self, volume, rng: super(Baseline, self).score(volume.mul_(0.5), rng)"
FAULTS = {
    "declarations": [('SMALL = {"steps": 4, "batch": 2, "patch": 16}\n', "")],
    "short documented file": [('"Mine: a convolution that learns to remove noise."\n', "")],
    "finite losses": [("return F.mse_loss(", "return batch.images.mean() * float('inf') + F.mse_loss(")],
    "reproducible weights": [('batch.rng["noise"]', "OWN")],
    "weights of the seed": [
        ("self.params.learning_rate", "0.0"),
        ("__init__(params", "__init__(torch.manual_seed(0) and params"),
    ],
    "exact resumption": [("self.network(batch.images + noise)", "self.calls * self.network(batch.images + noise)")],
    "valid score maps": [(".abs()", " * float('nan')")],
    "reproducible scores": [("(images - self", "(images - torch.rand(1, generator=OWN) * self")],
    "volumes of any shape and brightness": [("    slices =", f"    {IN_PLACE}\n    slices =")],
    "valid restoration": [("    slices =", "    restore = lambda self, volume, rng: volume + 1\n    slices =")],
}


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a baseline to a folder of its own, and forget it after the test."""
    monkeypatch.setattr(baselines, "__path__", list(baselines.__path__))
    monkeypatch.setenv(baselines.VARIABLE, "")

    def written(text: str, name: str = "mine"):
        monkeypatch.delitem(sys.modules, f"{baselines.__name__}.{name}", raising=False)
        (tmp_path / f"{name}.py").write_text(text.replace('"Mine', '"""Mine').replace('noise."\n', 'noise."""\n'))
        return tmp_path / f"{name}.py"

    return written


def test_a_baseline_outside_of_the_project_conforms(write):
    done = ended("conformance", write(SOUND))
    assert done.exit_code == 0, done.output
    assert done.output.count(": passed") == len(CHECKS)


@pytest.mark.parametrize("page", ["README.md", "docs/add-a-baseline.md"])
def test_the_baselines_of_the_documents_conform(write, root, page):
    documented = baseline_files(root / page)
    assert documented
    assert documented[0].count("\n") <= 40
    for number, block in enumerate(documented):
        done = ended("conformance", write(block, f"example{number}"))
        assert done.exit_code == 0, done.output
        assert done.output.count(": passed") == len(CHECKS)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("missing", "no folder"), ("taken", "the method dae exists already"), ("not:one", "which separates folders")],
)
@pytest.mark.parametrize("by", ["variable", "option"])
def test_a_wrong_folder_of_baselines_is_one_line(tmp_path, root, name, reason, by):
    for folder in ("taken", "good", "not:one"):
        (tmp_path / folder).mkdir()
    (tmp_path / "taken" / "dae.py").touch()
    folders = [str(tmp_path / "good"), str(tmp_path / name)]
    if by == "variable" and ":" in name:
        reason = "no folder"  # read as two
    options = [] if by == "variable" else [part for folder in folders for part in ("--baselines", folder)]
    named = {baselines.VARIABLE: ":".join(folders)} if by == "variable" else {}
    command = [sys.executable, "-m", "uadbench", *options, "list"]
    done = subprocess.run(command, cwd=root, env={**os.environ, **named}, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_variant_is_checked_alone(write):
    baselines.add_file(write(SOUND + 'VARIANTS = {"fast": {"title": "Faster", "params": {"learning_rate": 0.01}}}\n'))
    for name, methods in (("mine", {"mine", "mine-fast"}), ("mine-fast", {"mine-fast"})):
        done = ended("conformance", name)
        assert done.exit_code == 0, done.output
        assert {line.partition(":")[0] for line in done.output.splitlines() if "passed" in line} == methods


def test_an_error_inside_of_torch_is_placed_in_the_baseline(write):
    path = write(SOUND.replace("self.network(batch.images + noise)", "self.network(batch.images[0, 0, 0])"))
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if "batch.images[0, 0, 0]" in text)
    done = ended("conformance", path)
    assert f"mine: finite losses: FAILED: RuntimeError in {path}, line {line}: " in done.output


#: contents of files that are no baselines, and what is said of each
NO_BASELINES = {
    "notes.md": (b"", "no Python file; name a file NAME.py"),
    "missing.py": (None, "no such file; name a file NAME.py"),
    "empty.py": (b"", "no baseline, since it has neither REVISION nor class Baseline; add both, or begin"),
    "unnumbered.py": (b"class Baseline: pass", "no REVISION; add a line such as REVISION = 1"),
    "broken.py": (b"REVISION = 1\nclass Baseline(\n", "line 2 is not valid Python"),
    "null.py": (b"REVISION = 1\n\0", "is not valid Python"),
    "latin.py": ("# \xfc\nREVISION = 1".encode("latin-1"), "is not encoded in UTF-8"),
    "folder": (None, "a folder; name its files, such as folder/*.py"),
    "folder/disyre": (None, "no Python file"),
    "of_one.py": (None, "a folder; name its files"),
    "_own.py": (b"REVISION = 1", "names of methods have small letters, digits and _ alone"),
    "My-Own.py": (b"REVISION = 1", "names of methods have small letters, digits and _ alone"),
    "dae.py": (b"REVISION = 1", "the method dae exists already in "),
    "family.py": (b"REVISION = 1\nFAMILY = 'IS'", "FAMILY 'IS' is unknown; there are IR, "),
    "disyr": (None, "did you mean disyre?"),
    "dae-updd": (None, "did you mean upd?"),
}


@pytest.fixture
def no_baselines(tmp_path, monkeypatch, write):
    monkeypatch.chdir(tmp_path)
    for folder in ("folder", "of_one.py"):
        (tmp_path / folder).mkdir()
    for name, (content, _) in NO_BASELINES.items():
        if content is not None:
            Path(name).write_bytes(content)


@pytest.mark.parametrize("name", NO_BASELINES)
def test_what_is_no_baseline_is_one_line_with_the_path_as_given(no_baselines, tmp_path, name):
    done = ended("conformance", name)
    assert isinstance(done.exception, HarnessError)
    said = str(done.exception)
    assert NO_BASELINES[name][1] in said
    assert str(tmp_path) not in said
    assert name in said
    assert not done.output
    assert "\n" not in said


def test_of_several_files_the_faulty_ones_keep_no_other_from_its_checks(no_baselines, write):
    sound = write('"""Mine: a file."""\nREVISION = 1\nPAPER = \'none\'\nclass Params: pass\n').name
    done = ended("conformance", "empty.py", sound, "disyr")
    lines = done.output.splitlines()
    assert lines[0].startswith("empty.py: FAILED: no baseline")
    assert lines[1].startswith("mine: declarations: FAILED: mine.py, line 4: Params is no dataclass; put ")
    assert lines[2].startswith("disyr: FAILED: method 'disyr' is unknown")
    assert len(lines) == 3
    assert str(done.exception) == "3 of the checks failed, see above; the first: empty.py"


def test_helpers_among_several_files_are_skipped(no_baselines, write):
    sound = write('"""Mine: a file."""\nREVISION = 1\n').name
    done = ended("conformance", "_own.py", sound)
    assert done.output.splitlines() == [
        "_own.py: skipped, since a file whose name begins with _ is a helper of baselines",
        "mine: declarations: FAILED: no PAPER; name the publication of the method",
    ]
    assert "no such file" in ended("conformance", "_missing.py", sound).output


def test_choices_leave_out_files_that_can_be_no_methods(no_baselines, write):
    baselines.add_file(write("REVISION = 1\n"))
    said = str(ended("conformance", "disyr").exception)
    assert ", mine, " in said
    assert "My-Own" not in said


UNTRAINED = """
\"\"\"Mine: a file.\"\"\"
from uadbench.methods.base import SliceMethod

REVISION = 1
PAPER = "nowhere"

class Baseline(SliceMethod):
    def score_slices(self, images, rng):
        return images.sqrt()
""".lstrip()


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("images.sqrt()", "images - 0.005", "volumes of any shape and brightness: FAILED: mine: map final has values"),
        ("images.sqrt()", "images.sqrt()[..., 1:]", "mine.py, score_slices: final has shape (8, 1, 40, 31), not that"),
        (
            'PAPER = "',
            'SMALL = {"steps": 4}\nPAPER = "',
            "declarations: FAILED: SMALL has hyper-parameters, but there is",
        ),
    ],
)
def test_faults_that_bright_slices_padding_and_defaults_hide(write, old, new, reason):
    assert reason in ended("conformance", write(UNTRAINED.replace(old, new))).output


def test_a_file_is_not_taken_for_its_namesake_in_another_folder(no_baselines):
    for folder, name in (("one", "mine"), ("two", "yours"), ("two", "mine")):
        Path(folder).mkdir(exist_ok=True)
        Path(folder, f"{name}.py").touch()
    lines = ended("conformance", "one/mine.py", "two/yours.py", "two/mine.py").output.splitlines()
    assert "two/mine.py: FAILED: the method mine exists already in " in lines[2]


def test_a_reason_of_several_checks_is_named_once(write):
    done = ended("conformance", write(SOUND.replace("import torch\n", "import torch, nowhere\n", 1)))
    assert done.output.count("nowhere") == 1
    first, same = [line for line in done.output.splitlines() if "FAILED" in line]
    assert first.startswith("mine: finite losses: FAILED: ModuleNotFoundError in ")
    names, _, reason = same.partition(": FAILED: ")
    assert reason == "for the same reason as finite losses"
    assert names == f"mine: {', '.join(list(CHECKS)[3:])}"


@pytest.mark.parametrize("check", FAULTS)
def test_each_check_finds_its_fault(write, check):
    text = SOUND
    for old, new in FAULTS[check]:
        assert old in text
        text = text.replace(old, new)
    done = ended("conformance", write(text))
    assert f"mine: {check}: FAILED" in done.output
    assert "broken images" not in done.output  # since those of the cohort are sound
    assert isinstance(done.exception, HarnessError)
