"""Archives: what was saved comes back, older files are read, and each damage is a line with file and remedy."""

from pathlib import Path

import numpy as np
import pytest

from uadbench.core.archive import HEADER, Kind
from uadbench.core.errors import HarnessError

KIND = Kind("measured things", "measure again", format=2)
ARRAYS = {"a": np.arange(5000, dtype=np.float32), "name": np.array("⌈ä⌉")}


def test_arrays_and_facts_come_back_by_the_same_bytes(tmp_path):
    for name in ("one.npz", "two.npz"):
        KIND.save(tmp_path / name, ARRAYS, title="⌈ä⌉", many=[1, 2])
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    with KIND.opened(tmp_path / "one.npz") as (header, arrays):
        assert header == {"kind": "measured things", "format": 2, "title": "⌈ä⌉", "many": [1, 2]}
        np.testing.assert_array_equal(arrays["a"], ARRAYS["a"])
    found = KIND.load(tmp_path / "one.npz", "a")
    assert found.keys() == ARRAYS.keys()
    assert (found["a"].dtype, str(found["name"])) == (np.float32, "⌈ä⌉")


@pytest.mark.parametrize("header", [{}, {HEADER: np.frombuffer(b'{"format": 1}', np.uint8)}])
def test_older_files_of_the_first_format_are_read(tmp_path, header):
    np.savez(tmp_path / "old.npz", **ARRAYS, **header)
    assert Kind("things", "again").load(tmp_path / "old.npz", "a").keys() == ARRAYS.keys()
    with pytest.raises(HarnessError, match="measured things of format 1, not 2; measure again"):
        KIND.load(tmp_path / "old.npz")


def saved(path: Path, kind: Kind = KIND) -> bytes:
    kind.save(path, ARRAYS)
    return path.read_bytes()


def array(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, ARRAYS["a"])


def flipped(path: Path) -> None:
    content = bytearray(saved(path))
    content[200] ^= 0x80
    path.write_bytes(content)


FAULTS = {
    "missing": (lambda path: None, "no such file"),
    "another kind": (lambda path: saved(path, Kind("other things", "")), "holds other things, not measured things"),
    "another format": (lambda path: saved(path, Kind("measured things", "", 3)), "of format 3, not 2"),
    "empty": (Path.touch, "not a whole file of measured things"),
    "text": (lambda path: path.write_text("no zip"), "not a whole file of measured things"),
    "array": (array, "not a whole file of measured things"),
    "cut off": (lambda path: path.write_bytes(saved(path)[:-300]), "not a whole file of measured things"),
    "one bit": (flipped, "not a whole file of measured things"),
    "no array": (saved, "no array 'b'"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_line_with_its_remedy(tmp_path, fault):
    path = tmp_path / "things.npz"
    make, reason = FAULTS[fault]
    make(path)
    with pytest.raises(HarnessError) as error:
        KIND.load(path, "a", "b")
    assert str(error.value).startswith(f"{path}: ")
    assert reason in str(error.value)
    assert str(error.value).endswith("; measure again")
    assert "\n" not in str(error.value)
