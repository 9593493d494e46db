"""Device memory: placement of training data, and one-line errors for shortages."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from uadbench.core.errors import HarnessError
from uadbench.training.sampler import SliceSampler

#: steps of a phase before data move to the device: networks are compiled and optimisers have their state by then
MEASURED = 3
MARGIN = 0.1  # fraction of the total memory that stays free for validation, fragments and other programs
SHORTAGES = ("out of memory", "can't allocate memory", "ALLOC_FAILED")


class Memory:
    """The memory of a CUDA card, in bytes."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def release(self) -> None:
        """Return torch's cached blocks to the driver."""
        torch.cuda.empty_cache()

    def free(self) -> int:
        """Memory held neither by this process, including its cache, nor by another."""
        return torch.cuda.mem_get_info(self.device)[0]

    def total(self) -> int:
        return torch.cuda.mem_get_info(self.device)[1]

    def restart(self) -> None:
        """Forget the peak so far, that of compilation and of other steps."""
        torch.cuda.reset_peak_memory_stats(self.device)


def of(device: torch.device) -> Memory | None:
    """Device memory that data share with training steps; None on a CPU, where the page cache serves them."""
    return Memory(device) if device.type == "cuda" else None


def stream(samplers: Sequence[SliceSampler | None], memory: Memory | None) -> None:
    """Remove all data from the device, so that the memory of the following steps alone can be measured."""
    if memory is None:
        return
    for sampler in samplers:
        if sampler is not None:
            sampler.release()
    memory.release()


def place(samplers: Sequence[SliceSampler | None], memory: Memory | None) -> None:
    """Move to the device, in order, the data that fit beside the measured steps; reports those that do not.

    torch keeps the peak memory of a step reserved, so that memory free afterwards is not needed by steps.
    """
    if memory is None:
        return
    for sampler in samplers:
        if sampler is None:
            continue
        room = memory.free() - round(MARGIN * memory.total())
        if sampler.nbytes <= room:
            sampler.hold()
        else:
            print(
                f"data of {_gib(sampler.nbytes)} stay on the host: steps leave {_gib(max(room, 0))} of the device",
                file=sys.stderr,
                flush=True,
            )


@contextmanager
def enough_memory(task: str, remedy: str) -> Iterator[None]:
    """Raise HarnessError, one line with a remedy, where a device or the host runs out of memory within.

    task: the running task ("training disyre"); remedy: the change to suggest ("set …").
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not short_of_memory(error):
            raise
        lines = str(error).splitlines()
        reason = f" ({lines[0][:160]})" if lines else ""
        raise HarnessError(
            f"{task}: out of memory{reason}; {remedy}, or stop other programs that hold memory of this device"
        ) from None


def short_of_memory(error: BaseException) -> bool:
    """Whether an error is an out-of-memory error, of CUDA (and its libraries) or of the host."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in SHORTAGES)


def _gib(count: int) -> str:
    return f"{count / 2**30:.1f} GiB"
