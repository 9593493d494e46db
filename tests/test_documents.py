"""Documents that say what the code says: they are compared with it, or what they tell to type is run."""

import re
from pathlib import Path

import pytest

from tests.blocks import WRITTEN
from tests.commands import ROOT, call, snakemake
from uadbench.cli import COMMANDS
from uadbench.methods import registry
from uadbench.study.checks import experiment as checked
from uadbench.study.config_files import read


def calls(page: Path) -> list[str]:
    """Calls of the command line in a document, in its blocks of commands and in its text, without `uadbench`."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    spans = re.findall(r"`(uadbench\s[^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    spans = [" ".join(span.split()) for span in spans]
    lines = [line.partition("#")[0] for line in "\n".join([*blocks, *spans]).splitlines()]
    found = re.findall(r"(?:^|\s)uadbench (?:--baselines \S+ )?([a-z].*)", "\n".join(lines), re.MULTILINE)
    return [re.split(r"[|;&]", call)[0].strip() for call in found]


def test_the_table_of_methods_is_what_list_prints():
    assert call("list", "--markdown").output in (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")


def test_every_method_has_a_paragraph():
    text = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    headings = [line.removeprefix("### ") for line in text.splitlines() if line.startswith("### ")]
    assert sorted(headings) == registry.names()
    for name in registry.names():
        about = registry.describe(name)
        assert about.summary, f"baselines/{name}.py: its docstring should begin with NAME: what it does"


def test_the_readme_names_every_method():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    listed = text.split("| family |")[1].split("\n\n")[0]
    for name in registry.names():
        assert re.search(rf"\b{re.escape(registry.describe(name).title)}\b", listed), name


@pytest.mark.parametrize("page", [page for page in WRITTEN if calls(page)], ids=lambda page: page.stem)
def test_every_command_in_a_document_exists(page):
    for line in calls(page):
        name, *words = line.split()
        assert name in COMMANDS.names(), line
        known = {option for param in COMMANDS.load(name).command.params for option in param.opts} | {"--help"}
        assert {word for word in words if word.startswith("--")} <= known, line


def test_no_text_installs_the_package_from_an_index():
    """The index has no such name: who registers it there runs code on the machines of readers."""
    texts = [*WRITTEN, ROOT / "CHANGELOG.md", ROOT / "pyproject.toml", *(ROOT / "docs").rglob("*.md")]
    for path in [*texts, *(ROOT / "uadbench").rglob("*.py"), *(ROOT / "uadbench").rglob("*.j2")]:
        assert not re.search(r"pip install[^`\n#]*\buadbench\b", path.read_text(encoding="utf-8")), path


def test_the_picture_of_the_data_flow_is_the_graph_of_the_rules():
    done = snakemake("--rulegraph", "mermaid-js", "--cores", 1, "--quiet", "all")
    experiment = checked(read(ROOT / "config.yaml"))
    collapsed = dict.fromkeys(experiment.figures, "figures") | dict.fromkeys(experiment.tables, "tables")
    collapsed |= {f"figure_{name}": "figures" for name in experiment.figures}
    rules = dict(re.findall(r"(id\d+)\[(\w+)\]", done.stdout))
    named = {number: collapsed.get(name, name) for number, name in rules.items()}
    edges = re.findall(r"(id\d+) --> (id\d+)", done.stdout)
    arrows = {(named[a], named[b]) for a, b in edges if named[b] != "all"}
    waiting = {rules[b] for a, b in edges if rules[a] == "synthesis"}
    assert waiting == {"figure1"}, "no other figure needs it, and it may fail"
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawn = page.split("```mermaid\n")[1].split("```")[0]
    assert set(re.findall(r"(\w+) --> (\w+)", drawn)) == arrows
