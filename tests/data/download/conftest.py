"""A data set of a few files, its table, and a server that publishes it."""

import os
import random
from pathlib import Path

import pytest

from tests.data.download.server import Server, publish
from uadbench.data.download import tables

NAME = "own"


def contents() -> dict[str, bytes]:
    """Six subjects, four of them with a mask; scans have several blocks."""
    draw, found = random.Random(0), {"participants.tsv": b"participant_id\tage\n", "empty file.txt": b""}
    for number in range(1, 7):
        stem = f"sub-{number:02}/anat/sub-{number:02}"
        found |= {f"{stem}_{kind}.nii.gz": draw.randbytes(200_000) for kind in ("T1w", "T2w", "FLAIR")}
        found[f"{stem}_T1w.json"] = draw.randbytes(50)
        if number < 5:
            found[f"derivatives/lesion_masks/{stem}_T2w_desc-lesion_mask.nii.gz"] = draw.randbytes(1000)
    return found


@pytest.fixture(scope="session")
def content() -> dict[str, bytes]:
    return contents()


@pytest.fixture
def server(content, tmp_path, monkeypatch):
    """Publishes the data set `own`, whose table lies beside those of the package."""
    served = Server()
    served.files = {f"{NAME}/{path}": data for path, data in content.items()}
    publish(tmp_path / "tables", NAME, content, f"{served.url}/{NAME}")
    monkeypatch.setenv(tables.VARIABLE, str(tmp_path / "tables"))
    for variable in [name for name in os.environ if name.lower().endswith("_proxy")] + ["UADBENCH_MIRROR"]:
        monkeypatch.delenv(variable, raising=False)
    yield served
    served.stop()


def right(folder: Path, content: dict[str, bytes]) -> list[str]:
    """Paths of the files in a folder, hidden ones aside, each of which has the published content."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    shown = {name: path for name, path in found.items() if not path.name.startswith(".")}
    assert [name for name, path in shown.items() if path.read_bytes() != content[name]] == []
    return sorted(shown)
