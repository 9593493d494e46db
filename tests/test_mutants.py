"""Faults that benchmarks/mutants.py puts in: one change of the text each, known however lines move."""

import ast

import pytest

from benchmarks.mutants_faults import drawn, faults_of
from benchmarks.mutants_tests import Imports

SOURCE = '''
"""A module."""

LIMIT = 4  # a comment, which stays


def share(counts: list[int], whole: int = 1) -> float:
    """Docstring."""
    if not counts:
        raise ValueError(f"no counts of {whole + 1}")
    top = min(counts, whole)  # ünicode before the operator
    return (top - LIMIT) / (
        whole  # on a line of its own
        * 2
    )
'''
CHANGES = {
    "share: if not counts: → if bool(counts):",
    ": LIMIT = 4 → LIMIT = 5",
    "share: whole: int = 1) -> float: → whole: int = 2) -> float:",
    "share: top = min(counts, whole) → top = max(counts, whole)",
    "share: return (top - LIMIT) / ( whole * 2 ) → return (top - LIMIT) * ( whole * 2 )",
    "share: return (top - LIMIT) / ( whole * 2 ) → return (top + LIMIT) / ( whole * 2 )",
    "share: - LIMIT) / ( whole * 2 ) → - LIMIT) / ( whole / 2 )",
    "share: - LIMIT) / ( whole * 2 ) → - LIMIT) / ( whole * 3 )",
}


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "uadbench" / "training").mkdir(parents=True)
    (tmp_path / "uadbench" / "training" / "share.py").write_text(SOURCE, encoding="utf-8")
    return tmp_path


def test_faults_are_single_changes_of_the_text_and_spare_messages_and_comments(tree):
    found = faults_of(tree, "uadbench/training/share.py")
    assert {str(fault).partition(":")[2] for fault in found} == CHANGES
    for text in found.values():
        ast.parse(text)
        changed = [(a, b) for a, b in zip(SOURCE.splitlines(), text.splitlines(), strict=True) if a != b]
        assert len(changed) == 1
        assert changed[0][0].partition("#")[2] == changed[0][1].partition("#")[2]


def test_the_set_remains_when_lines_move_and_other_code_comes(tree):
    path = tree / "uadbench" / "training" / "share.py"
    before = drawn(tree, 0, 3, [])
    path.write_text(SOURCE.replace("LIMIT = 4", "# moved\n\nLIMIT = 4"), encoding="utf-8")
    faults_of.cache_clear()
    assert drawn(tree, 0, 3, []) == before
    assert drawn(tree, 1, 3, []) != before


def test_tests_are_found_by_imports_of_helpers_and_by_names(root):
    imports = Imports(root)
    assert imports.testing("uadbench/methods/optimisers.py")[0] == "tests/baselines/test_disyre_public.py"
    assert "tests/baselines/test_padim.py" in imports.testing("baselines/padim.py")  # by name
    assert "tests/training/test_run.py" in imports.testing("uadbench/training/job.py")  # imported by tests/trainings.py
    assert imports.testing("uadbench/for_a_rule_alone.py") == ["tests/test_workflow.py"]
