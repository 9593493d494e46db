"""Choosing a device: one for each process, a readable line for what is wrong, no silent training on the CPU."""

import os
import select
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from tests.commands import ROOT
from uadbench.compute import device, device_lock
from uadbench.core.errors import HarnessError

HOLD = """
import sys, time
from uadbench.compute import device_lock
print(*device_lock.take(sys.argv[1:]), flush=True)
time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The temporary directory of this test and of the processes that it starts; nothing is held yet."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(device_lock, "_held", {})
    return tmp_path


@pytest.fixture
def launch(folder):
    """Starts a process that takes a device, prints its index and the number of sharers, and holds it."""
    started: list[subprocess.Popen] = []

    def start(*devices: str) -> subprocess.Popen:
        environment = {**os.environ, "TMPDIR": str(folder)}
        command = [sys.executable, "-c", HOLD, *(devices or "abcd")]
        started.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for job in started:
        job.kill()
        job.communicate()


@pytest.fixture
def jobs(launch):
    """Starts such a process and waits for its answer; returns it with index and number of sharers."""

    def start(*devices: str) -> tuple[subprocess.Popen, int, int]:
        job = launch(*devices)
        index, others = job.stdout.readline().split()
        return job, int(index), int(others)

    return start


def test_each_process_has_a_device_of_its_own_until_it_ends(jobs):
    running = [jobs() for _ in range(4)]
    assert sorted(index for _, index, _ in running) == [0, 1, 2, 3]
    assert [others for _, _, others in running] == [0] * 4
    _, fifth, others = jobs()
    assert others == 1
    victim, freed, _ = next(job for job in running if job[1] != fifth)
    victim.kill()  # SIGKILL: nothing of the process can tidy up
    victim.wait()
    assert jobs()[1:] == (freed, 0)
    # The device of the fifth is held twice, the others once: the seventh goes to one of those.
    _, seventh, others = jobs()
    assert (seventh != fifth, others) == (True, 1)


def test_processes_that_start_at_once_choose_one_after_the_other(folder, launch):
    choosing = device_lock._folder() / "choosing.lock"
    handle = device_lock._lock(choosing)
    together = [launch() for _ in range(4)]
    outputs = [job.stdout for job in together]
    assert select.select(outputs, [], [], 1.0)[0] == [], "a process did not wait for the one that is choosing"
    os.close(handle)
    assert sorted(output.readline() for output in outputs) == ["0 0\n", "1 0\n", "2 0\n", "3 0\n"]


def test_the_order_of_visible_devices_does_not_matter(jobs):
    """Two jobs with other CUDA_VISIBLE_DEVICES call the same device by another number."""
    assert jobs("a", "b")[1:] == (0, 0)
    assert jobs("b", "a")[1:] == (0, 0)
    assert jobs("a", "c")[1:] == (1, 0)


def test_most_free_memory_goes_first_and_a_second_question_has_the_same_answer(folder):
    assert device_lock.take("abcd", {"a": 5, "b": 70, "c": 80, "d": 3}) == (2, 0)
    assert device_lock.take("abcd", {"a": 99}) == (2, 0)
    assert device_lock.take("dc") == (1, 0)


def test_folders_of_others_are_left_alone(folder):
    mine = folder / f"uadbench-{os.getuid()}"
    target = folder / "somewhere"
    target.mkdir()
    mine.symlink_to(target)
    with pytest.raises(HarnessError, match="is not a folder of yours"):
        device_lock.take("ab")
    assert not list(target.iterdir())
    (folder / f"uadbench-{os.getuid() + 1}").write_text("of another user")
    mine.unlink()
    assert device_lock.take("ab") == (0, 0)
    assert mine.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_somebody_else_made_under_our_name_is_refused(folder, monkeypatch):
    (folder / "uadbench-4711").mkdir()
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    with pytest.raises(HarnessError, match="is not a folder of yours"):
        device_lock.take("ab")


def cuda(monkeypatch, count: int) -> list[int]:
    """Pretends `count` CUDA devices; returns the list of those that are made the current one."""
    chosen: list[int] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: SimpleNamespace(uuid=f"uuid-{index}"))
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    return chosen


def smi(folder: Path, monkeypatch, script: str) -> None:
    """Puts a `nvidia-smi` on PATH."""
    (folder / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


@pytest.mark.parametrize("name", ["auto", "cuda"])
def test_a_free_device_is_taken(name, folder, monkeypatch, jobs, capsys):
    current = cuda(monkeypatch, 3)
    smi(folder, monkeypatch, "echo GPU-uuid-0, 100; echo GPU-uuid-1, 900; echo GPU-uuid-2, 500")
    assert jobs("uuid-1")[2] == 0
    assert device.choose(name) == torch.device("cuda", 2)
    assert current == [2]
    assert capsys.readouterr().err == ""


def test_sharing_is_said(folder, monkeypatch, jobs, capsys):
    cuda(monkeypatch, 2)
    smi(folder, monkeypatch, "exit 9")
    jobs("uuid-0", "uuid-1")
    jobs("uuid-0", "uuid-1")
    assert device.choose("cuda") == torch.device("cuda", 0)
    assert "all 2 CUDA devices are taken; cuda:0 is shared with 1 more" in capsys.readouterr().err


def test_one_visible_device_needs_no_lock(folder, monkeypatch):
    current = cuda(monkeypatch, 1)
    assert device.choose("auto") == torch.device("cuda", 0)
    assert current == [0]
    assert not list(folder.iterdir())


def test_without_locks_the_first_device_is_taken_with_a_warning(folder, monkeypatch, capsys):
    cuda(monkeypatch, 2)
    monkeypatch.setattr("tempfile.tempdir", str(folder / "missing"))
    assert device.choose("auto") == torch.device("cuda", 0)
    warning = capsys.readouterr().err
    assert warning.startswith("warning: cuda:0 is taken without asking")
    assert warning.count("\n") == 1

    def no_locks(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setattr(device_lock.fcntl, "flock", no_locks)
    assert device.choose("auto") == torch.device("cuda", 0)
    assert "Function not implemented" in capsys.readouterr().err


def test_a_numbered_device_is_that_one(monkeypatch):
    current = cuda(monkeypatch, 2)
    assert device.choose("cuda:1") == torch.device("cuda", 1)
    assert current == [1]
    with pytest.raises(HarnessError, match="device cuda:2: torch sees 2"):
        device.choose("cuda:2")


@pytest.mark.parametrize(
    ("cuda_version", "reason"),
    [
        (None, "is built without CUDA; install torch from PyPI"),
        ("13.0", "needs driver 580 or newer; update the driver"),
        ("12.4", "see that nvidia-smi and CUDA_VISIBLE_DEVICES agree"),  # whose driver is new enough
    ],
)
def test_a_gpu_that_torch_cannot_use_is_not_passed_over_in_silence(cuda_version, reason, folder, monkeypatch, capsys):
    cuda(monkeypatch, 0)
    monkeypatch.setattr(torch.version, "cuda", cuda_version)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    smi(folder, monkeypatch, "echo NVIDIA A100-SXM4-40GB, 535.54.03")
    assert device.choose("auto") == torch.device("cpu")
    warning = capsys.readouterr().err
    assert warning.startswith("warning: training and scoring run on the CPU: NVIDIA A100-SXM4-40GB with driver 535.54")
    assert reason in warning
    assert warning.count("\n") == 1
    with pytest.raises(HarnessError, match=f"device cuda: NVIDIA A100.*{reason}"):
        device.choose("cuda")
    # Who hides the GPUs, or has none, means it.
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert device.choose("auto") == torch.device("cpu")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    smi(folder, monkeypatch, "echo No devices were found; exit 6")
    assert device.choose("auto") == torch.device("cpu")
    assert capsys.readouterr().err == ""
    with pytest.raises(HarnessError, match="device cuda: no CUDA device is visible; give the job one, or use"):
        device.choose("cuda")


@pytest.mark.parametrize("name", ["tpu", "meta", "cuda:x", "GPU", "cpu\n"])
def test_unknown_names_are_refused(name):
    with pytest.raises(HarnessError, match="there is no such device; there are auto, cpu, cuda"):
        device.choose(name)


@pytest.mark.parametrize("threads", ["auto", "2,1", "0", "-1"])
def test_unreadable_numbers_of_threads_are_refused(threads, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    with pytest.raises(HarnessError, match="OMP_NUM_THREADS"):
        device.choose("cpu")


def test_threads_are_set(monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert device.choose("cpu") == torch.device("cpu")
    assert device.describe(torch.device("cpu")).endswith(f"CPU, 1 threads, torch {torch.__version__}")
    torch.set_num_threads(before)


def test_float32_on_cuda_is_float32(folder, monkeypatch):
    """torch computes convolutions of float32 numbers in TF32 unless told otherwise."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    cuda(monkeypatch, 1)
    try:
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
        device.choose("cuda")
        assert not torch.backends.cudnn.allow_tf32
        assert not torch.backends.cuda.matmul.allow_tf32
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before
