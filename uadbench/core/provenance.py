"""Software that a result was made with: commit, versions of Python and packages, times. Imports no torch."""

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
    "numpy",
    "pandas",
    "pillow",
    "safetensors",
    "scipy",
    "torch",
)
#: parts of a checkout that decide results
CODE = ("uadbench", "baselines", "workflow", "Snakefile", "envs")
ROOT = Path(__file__).resolve().parents[2]
SECONDS = 20.0  # limit of one git command, for file systems that hang
PATCH_LIMIT = 2**20  # bytes of a patch
#: options of `git diff` that outweigh a user's settings, so that `git apply` reads the patch everywhere
PLAIN = (
    *("--binary", "--unified=3", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames"),
    *("--src-prefix=a/", "--dst-prefix=b/"),
)


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


def patch(root: Path = ROOT) -> tuple[bytes, int]:
    """Changes of the checkout's code since its commit, new files included, for `git apply`; number of files left out.

    Leaves out large files, and those whose changes exceed the rest of PATCH_LIMIT; the first lines, which `git apply`
    skips, name them.
    """
    new = _names(root, "ls-files", "--others", "--exclude-standard")
    changes, left_out = b"", b""
    for name in [*_names(root, "diff", "--no-renames", "--name-only", "HEAD"), *new]:
        sides = ["--no-index", "--", "/dev/null", name] if name in new else ["HEAD", "--", name]
        part = None if _large(root / name) else _output(root, "diff", *PLAIN, *sides)
        if part is None or len(changes) + len(part) > PATCH_LIMIT:
            left_out += b"left out: " + os.fsencode(name) + b"\n"
        else:
            changes += part
    return left_out + changes, left_out.count(b"\n")


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


def _names(root: Path, *arguments: str) -> list[str]:
    """Files of CODE that a git command lists."""
    listed = _output(root, *arguments, "-z", "--", *CODE) or b""
    return [os.fsdecode(name) for name in listed.split(b"\0") if name]


def _large(path: Path) -> bool:
    try:
        return path.lstat().st_size > PATCH_LIMIT
    except OSError:  # deleted
        return False


def _git(root: Path, *arguments: str) -> str | None:
    """What git prints, without space at the ends; None where it is missing or fails."""
    output = _output(root, *arguments)
    return None if output is None else os.fsdecode(output).strip()


def _output(root: Path, *arguments: str) -> bytes | None:
    command = ["git", "--no-optional-locks", "--literal-pathspecs", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return None
    # `diff --no-index` ends with 1 where files differ, a failed command with 128.
    return done.stdout if done.returncode in (0, 1) else None
