"""Checksums of a study: noted by every writer, compared by every reader."""

import pytest

from uadbench.core import checksums
from uadbench.core.errors import HarnessError
from uadbench.core.files import atomic, read_json, sha256, write_json


def test_a_study_notes_files_and_readers_compare_them(tmp_path):
    checksums.begin(tmp_path)
    path = tmp_path / "data" / "a.json"
    for number in (1, 2):
        write_json(path, {"value": number})
        assert read_json(path) == {"value": number}
    path.write_text(path.read_text().replace("2", "3"))
    with pytest.raises(HarnessError, match=r"a\.json: damaged or edited"):
        read_json(path)
    path.unlink()
    with pytest.raises(HarnessError, match=r"a\.json: missing, though it was written"):
        checksums.there(path)


def test_a_folder_has_one_text_and_an_empty_one_none(tmp_path):
    checksums.begin(tmp_path)
    with atomic(tmp_path / "run") as partial:
        partial.mkdir()
        (partial / "w").write_text("weights")
    assert checksums.noted(tmp_path / "run" / "w") == {sha256(tmp_path / "run" / "w")}
    with atomic(tmp_path / "none") as partial:
        partial.mkdir()
    assert [text.name for text, _ in checksums.every(tmp_path)] == ["run.sha256"]


def test_elsewhere_nothing_is_noted(tmp_path):
    write_json(tmp_path / "a.json", 1)
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
