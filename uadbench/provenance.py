"""Software that a result was made with: commit, versions of Python and packages, times. Imports no torch."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

#: packages whose version may change a number
PACKAGES = (
    "antspyx",
    "diffusers",
    "nibabel",
    "nilearn",
    "numpy",
    "pandas",
    "pillow",
    "safetensors",
    "scipy",
    "torch",
)
#: parts of a checkout that decide results
CODE = ("uadbench", "baselines", "workflow", "Snakefile", "envs")
ROOT = Path(__file__).resolve().parent.parent
SECONDS = 20.0  # limit of one git command, for file systems that hang


def environment() -> dict[str, Any]:
    """Commit, versions and start time, as JSON values.

    `commit` is None outside of a checkout, as in an installed package. `modified`: whether its code differs from the
    commit, new files included. `packages`: versions of the installed ones of PACKAGES. `started`: see `now`.
    """
    return {**commit(), "python": platform.python_version(), "packages": packages(), "started": now()}


def commit(root: Path = ROOT) -> dict[str, Any]:
    """`commit` and `modified` of the checkout in `root`; None for both where it is none or git is missing."""
    top, head = _git(root, "rev-parse", "--show-toplevel"), _git(root, "rev-parse", "HEAD")
    # An installed package may lie in the repository of another project.
    if not top or not head or Path(top).resolve() != root.resolve() or not _git(root, "ls-files", "--", CODE[0]):
        return {"commit": None, "modified": None}
    changes = _git(root, "status", "--porcelain", "--", *CODE)
    return {"commit": head, "modified": None if changes is None else bool(changes)}


def packages() -> dict[str, str]:
    """Versions of the installed packages of PACKAGES."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def now() -> str:
    """Time in UTC to the second, such as 2024-05-27T09:30:00+00:00."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _git(root: Path, *arguments: str) -> str | None:
    """What git prints, without space at the ends; None where it is missing or fails."""
    command = ["git", "--no-optional-locks", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return os.fsdecode(done.stdout).strip() if done.returncode == 0 else None
