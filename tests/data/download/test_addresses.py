"""Lists for other programs, which fetch what `download` then finds right."""

import shutil
import subprocess

import pytest

from tests.commands import call


@pytest.fixture
def listed(server, tmp_path, monkeypatch):
    """The list of a form, as a file."""
    monkeypatch.chdir(tmp_path)

    def make(form):
        done = call("download", "own", "ixi", "--to", "da ta", "--list", form)
        assert not (tmp_path / "da ta").exists()
        assert "ixi: IXI" in done.stderr
        (tmp_path / form).write_text(done.stdout)
        return done.stdout.splitlines()

    return make


def test_a_table_of_addresses_paths_and_checksums(listed, server, content):
    head, *rows = listed("tsv")
    assert head.split("\t") == ["address", "path", "digest", "value"]
    assert len(rows) == len(content)
    address, path, kind, value = rows[2].split("\t")
    assert address == f"{server.url}/own/sub-01/anat/sub-01_T1w.nii.gz?versionId=v.2"
    assert (path, kind, len(value)) == ("da ta/own/sub-01/anat/sub-01_T1w.nii.gz", "sha256", 64)


def test_aria2c(listed, server):
    lines = listed("aria2c")
    at = lines.index(f"{server.url}/own/sub-01/anat/sub-01_T1w.nii.gz?versionId=v.2")
    assert lines[at + 1] == "  out=da ta/own/sub-01/anat/sub-01_T1w.nii.gz"
    assert lines[at + 2].startswith("  checksum=sha-256=")
    assert any(line.startswith("  checksum=md5=") for line in lines)


@pytest.mark.parametrize(("form", "command"), [("curl", ["curl", "--silent", "--config"]), ("wget", ["sh"])])
def test_other_programs_fetch_the_list(form, command, listed, server, content, tmp_path):
    lines = listed(form)
    assert sum(server.url in line for line in lines) == len(content)
    if shutil.which(form) is None:
        pytest.skip(f"{form} is not installed")
    subprocess.run([*command, form], cwd=tmp_path, check=True, capture_output=True, timeout=60)
    server.asked.clear()
    assert call("download", "own", "--to", "da ta").stdout.endswith("are right, 0 of them new\n")
    assert server.asked == []
