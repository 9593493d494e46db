"""The tables of open data sets: what they state, and what a table may not say."""

import gzip
import re

import pytest

from uadbench.core.errors import HarnessError
from uadbench.data.download import selection, tables
from uadbench.data.index import release

#: subjects, T1, T2, FLAIR, masks, and bytes in GB, as the publishers' records count them
PUBLISHED = {
    "ds001226": (36, 36, 0, 0, 25, 0.74),
    "ds002748": (72, 72, 0, 0, 0, 0.24),
    "ds004199": (170, 170, 0, 170, 85, 4.15),
    "ds004856": (464, 464, 0, 464, 0, 7.18),
    "ds004884": (230, 229, 229, 138, 228, 5.02),
    "ds004889": (1715, 1715, 0, 1715, 1455, 70.39),
}
HEAD = [f"# {key}: x" for key in tables.KEYS] + ["path\tbytes\tdigest\tvalue\tversion"]
ROW = ("a/b.txt", "3", "md5", 32 * "0", "")


def test_every_table_is_of_a_data_set_here():
    assert tables.names() == sorted(PUBLISHED)
    assert tables.every()[len(PUBLISHED) :] == ["btc", "depression", "bonn", "dlbs", "arc", "soop"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_table_holds_what_is_published(name):
    data = tables.load(name)
    numbers = selection.counts(data.files)
    found = [len(selection.subjects(data.files)), *(numbers.get(kind, 0) for kind in ("t1", "t2", "flair", "masks"))]
    assert (*found, round(sum(file.bytes for file in data.files) / 1e9, 2)) == PUBLISHED[name]
    assert data.counts == {key: found[place] for key, place in zip(tables.COUNTS, (0, 1, 2, 4), strict=True)}
    assert "participants.tsv" in {file.path for file in data.files}
    assert data.source == f"https://openneuro.org/datasets/{name}/versions/{data.version}"
    assert re.search(r"\d{4}, doi:10\.\d{4}/", data.reference)


def test_a_release_is_known_by_both_names():
    assert release.find("ds004884") == release.find("arc")
    about = release.find("arc")
    assert (about.subjects, about.t1, about.t2, about.masks, about.licence) == (230, 229, 229, 228, "CC0")
    assert "arc" in release.releases()
    assert sorted(release.by_hand()) == ["atlas", "brats", "camcan", "ixi", "ljubljana"]
    with pytest.raises(HarnessError, match=r"^ds4884: no such open data set; did you mean ds004884"):
        tables.load("ds4884")


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Writes a table, and reads its files."""
    monkeypatch.setenv(tables.VARIABLE, str(tmp_path))

    def read(*rows, head=HEAD, packed=False):
        text = "".join(f"{line}\n" for line in [*head, *("\t".join(row) for row in rows)]).encode()
        path = tmp_path / ("own.tsv.gz" if packed else "own.tsv")
        path.write_bytes(gzip.compress(text)[:-9] if packed else text)
        return tables.load("own").files

    return read


def test_a_table_of_ones_own_is_one_file(own):
    assert own(ROW) == (tables.File("a/b.txt", 3, "md5", 32 * "0"),)
    assert "own" in tables.names()


@pytest.mark.parametrize(
    "path",
    [
        r"/etc/passwd",
        r"../a",
        r"a/../../b",
        r"a//b",
        r".",
        r"a/./b",
        r"a/~/..",
        r"C:/a",
        r"C:a",
        r"a\b",
        r".ssh/a",
        r"a/.b",
        r"a:b",
        r"a*b",
        r"a|b",
        r"a<b",
        "",
        " a",
        "a\x00b",
        'a"b',
        "a/b\x1b[2J",
    ],
)
def test_no_path_leaves_the_folder_of_its_data_set(path, own):
    with pytest.raises(HarnessError, match=r"own\.tsv, line 10: .* is no path inside the folder of the data set"):
        own((path, *ROW[1:]))


@pytest.mark.parametrize(
    ("cells", "line"),
    [
        (("a", "-3", *ROW[2:]), "'-3' is no number of bytes"),
        (("a", "3", "crc", "0", ""), "'0' is no checksum of the kinds md5, sha1, sha256, sha512"),
        (("a", "3", "sha256", 32 * "0", ""), "is no checksum"),
        (("a", "3"), "2 cells"),
        (("A/b.TXT", *ROW[1:]), "A/b.TXT stands there twice"),
    ],
)
def test_a_row_is_of_its_columns(cells, line, own):
    with pytest.raises(HarnessError, match=line):
        own(ROW, cells)


def test_a_table_is_whole(own, tmp_path):
    with pytest.raises(HarnessError, match=r"own\.tsv: no line `# licence: …` above its table"):
        own(ROW, head=[line for line in HEAD if "licence" not in line])
    with pytest.raises(HarnessError, match=r"its columns must be path, bytes, digest, value, version, between tabs"):
        own(ROW, head=HEAD[:-1])
    (tmp_path / "own.tsv").unlink()
    with pytest.raises(HarnessError, match=r"own\.tsv\.gz: damaged \(.*\); correct the table, or install"):
        own(ROW, packed=True)
