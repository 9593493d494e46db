"""Memory that a process may have: the smallest limit of its control group, of those above it, and of the machine."""

import pytest

from uadbench.compute import memory


@pytest.mark.parametrize(
    ("own", "limits", "expected"),
    [
        ("0::/jobs/cri-containerd:7", {"jobs/memory.max": "4096", "jobs/cri-containerd:7/memory.max": "max"}, 4096),
        ("0::/jobs/cri-containerd:7", {"jobs/memory.max": "max", "jobs/cri-containerd:7/memory.max": "2048"}, 2048),
        ("4:cpu:/a\n5:memory,pids:/a", {"memory/a/memory.limit_in_bytes": "1024", "a/memory.max": "512"}, 512),
        (
            "5:memory,pids:/a",
            {"memory/a/memory.limit_in_bytes": "1024", "a/memory.max": "512"},
            1024,
        ),  # version 1 alone
    ],
)
def test_the_smallest_limit_of_the_own_group_counts(tmp_path, monkeypatch, own, limits, expected):
    for name, text in limits.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "own").write_text(own)
    monkeypatch.setattr(memory, "CGROUPS", tmp_path)
    monkeypatch.setattr(memory, "OWN_CGROUP", tmp_path / "own")
    assert memory.most() == expected


def test_without_a_group_it_is_the_memory_of_the_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "OWN_CGROUP", tmp_path / "missing")
    assert 2**28 < memory.most() < 2**50
