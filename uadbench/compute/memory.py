"""Memory that this process may have at most, whatever other processes use now."""

import contextlib
import os
from pathlib import Path

try:
    import resource
except ImportError:  # not on Windows
    resource = None  # type: ignore[assignment]

CGROUPS, OWN_CGROUP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def most() -> float:
    """Bytes: those of the machine, or of a smaller limit of the process, its container or its cluster job."""
    found = [float("inf")]
    with contextlib.suppress(AttributeError, ValueError, OSError):  # not on Windows
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    if resource is not None:
        limits = (resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA))
        found += [limit for limit in limits if limit != resource.RLIM_INFINITY]
    with contextlib.suppress(OSError):
        groups = [line.split(":", 2) for line in OWN_CGROUP.read_text().splitlines()]
        for _, kind, name in groups:
            old = kind.split(",").count("memory")  # of the first version of cgroups
            top, file = (CGROUPS / "memory", "memory.limit_in_bytes") if old else (CGROUPS, "memory.max")
            group = top / name.strip("/")
            found += [_number(folder / file) for folder in (group, *group.parents) if folder.is_relative_to(top)]
    return min(found)


def _number(path: Path) -> float:
    """The number in a file; infinite without one, as where it says `max`."""
    with contextlib.suppress(OSError, ValueError):
        return float(int(path.read_text()))
    return float("inf")
