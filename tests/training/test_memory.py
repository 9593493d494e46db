"""Where training data lie, what running out of memory says, and states that are damaged or find no room."""

import errno
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.trainings import killed_at, trained
from uadbench.core.errors import HarnessError
from uadbench.methods.seeds import Streams
from uadbench.training import memory as memories
from uadbench.training import state as states
from uadbench.training.sampler import SliceSampler

GIB = 2**30


class Fake:
    """A card of 16 GiB of which `left` bytes are free after the first steps."""

    def __init__(self, left: int) -> None:
        self.left, self.released = left, 0

    def release(self) -> None:
        self.released += 1

    def free(self) -> int:
        return self.left

    def total(self) -> int:
        return 16 * GIB


@pytest.fixture
def samplers(monkeypatch) -> list[SliceSampler]:
    volumes = np.random.default_rng(0).random((4, 5, 16, 16)).astype(np.float16)
    return [SliceSampler(volumes, np.array(rows)) for rows in ([0, 1, 2], [3])]


def test_data_move_to_the_device_if_steps_leave_room_for_them(samplers, capsys):
    margin = round(memories.MARGIN * 16 * GIB)
    moved = []
    for sampler in samplers:
        sampler.hold = lambda sampler=sampler: moved.append(sampler)
    memories.place(samplers, Fake(margin + samplers[0].nbytes))
    assert moved == samplers
    moved.clear()
    memories.place(samplers, Fake(margin + samplers[0].nbytes - 1))
    assert moved == samplers[1:]  # the smaller set alone
    assert "stay on the host" in capsys.readouterr().err


def test_steps_are_measured_without_the_data(samplers):
    memory = Fake(0)
    memories.stream([*samplers, None], memory)
    assert memory.released == 1
    memories.stream(samplers, None)  # a CPU has one memory


@pytest.mark.parametrize("resize", [False, True])
def test_batches_are_the_same_wherever_data_lie(samplers, resize):
    sampler = samplers[0]
    sampler.release()
    from_host = sampler.draw(16, Streams(4)["batches"], patch=8, resize=resize)
    sampler.hold()
    from_device = sampler.draw(16, Streams(4)["batches"], patch=8, resize=resize)
    assert torch.equal(from_host[0], from_device[0])
    assert torch.equal(from_host[1], from_device[1])


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
)
def test_running_out_of_memory_is_one_line_with_a_remedy(error):
    with (
        pytest.raises(HarnessError, match="set a smaller batch") as caught,
        memories.enough_memory("training x", "set a smaller batch"),
    ):
        raise error
    assert "\n" not in str(caught.value)
    with pytest.raises(RuntimeError, match="shapes"), memories.enough_memory("training x", "set a smaller batch"):
        raise RuntimeError("shapes cannot be multiplied")


def weights(run: Path) -> bytes:
    return next((run / "weights").rglob("*.safetensors")).read_bytes()


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize("damage", [lambda c: c[: len(c) // 2], flipped, lambda _: b""], ids=["half", "bit", "empty"])
def test_a_damaged_state_is_set_aside_and_the_training_starts_anew(tiny_cohort, tmp_path, capsys, damage):
    run, state = tmp_path / "run", tmp_path / "run" / "state.pt"
    with killed_at(3):
        trained("disyre", tiny_cohort, run, save=0)
    state.write_bytes(damage(state.read_bytes()))
    trained("disyre", tiny_cohort, run)
    assert "starts anew" in capsys.readouterr().err
    assert weights(run) == weights(trained("disyre", tiny_cohort, tmp_path / "undisturbed"))


def test_a_state_that_finds_no_room_does_not_end_the_training(tiny_cohort, tmp_path, monkeypatch, capsys):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(states.torch, "save", full)
    assert weights(trained("disyre", tiny_cohort, tmp_path / "run", save=0))
    assert "make room" in capsys.readouterr().err
