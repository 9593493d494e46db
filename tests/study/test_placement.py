"""Who gets a GPU: decided once, handed down to other hosts, and overridable."""

import os
import shutil
import subprocess
import sys

import pytest

from uadbench.study import placement

BASH = shutil.which("bash")


@pytest.fixture(autouse=True)
def host(monkeypatch, tmp_path):
    """A host without the program of a GPU's driver; the folder is its PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("UADBENCH_GPUS", "")  # restored after the test, whatever it sets
    monkeypatch.delenv("UADBENCH_GPUS")
    monkeypatch.delenv("UADBENCH_DEVICE", raising=False)
    return tmp_path


def test_a_login_node_asks_for_gpus_and_every_host_hears_the_same(host):
    assert placement.wants_gpu("auto", elsewhere=True)
    assert os.environ["UADBENCH_GPUS"] == "1"
    assert placement.wants_gpu("auto", elsewhere=False)


def test_one_machine_asks_for_a_gpu_where_the_driver_is(host):
    assert not placement.wants_gpu("auto", elsewhere=False)
    assert os.environ.pop("UADBENCH_GPUS") == "0"
    (host / "nvidia-smi").write_text("#!/bin/sh\n")
    (host / "nvidia-smi").chmod(0o755)
    assert placement.wants_gpu("auto", elsewhere=False)


def test_the_reader_decides_first(monkeypatch):
    monkeypatch.setenv("UADBENCH_GPUS", "0")
    assert not placement.wants_gpu("auto", elsewhere=True)
    assert placement.wants_gpu("cuda:1", elsewhere=False)
    monkeypatch.setenv("UADBENCH_GPUS", "1")
    assert not placement.wants_gpu("cpu", elsewhere=True)


def test_a_job_with_a_gpu_never_falls_back_to_the_cpu(monkeypatch):
    assert placement.job_device("auto", gpu=True) == "cuda"
    assert placement.job_device("auto", gpu=False) == "auto"
    assert placement.job_device("cpu", gpu=True) == "cpu"
    monkeypatch.setenv("UADBENCH_DEVICE", "cpu")
    assert placement.job_device("auto", gpu=True) == "cpu"
    assert placement.job_device("cuda", gpu=True) == "cuda"


@pytest.mark.parametrize("full", [False, True])
def test_a_killed_job_says_so_in_its_log_or_on_the_terminal(tmp_path, full):
    log = "/dev/full" if full else tmp_path / "log"
    os.environ["PATH"] = os.path.dirname(sys.executable)  # undone by `host`
    job = f'python -c "import os; os.kill(os.getpid(), 9)" > {log} 2>&1'
    done = subprocess.run([BASH, "-c", f"{placement.SPOKESMAN}; {job}"], capture_output=True, text=True)
    said = done.stderr if full else log.read_text()
    assert done.returncode == 137
    assert "error: killed (signal 9), perhaps for memory: give fewer --cores" in said
