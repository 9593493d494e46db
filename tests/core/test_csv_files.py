"""CSV files of the study: each fault of one is a line that names file and remedy; a failed write leaves the former."""

import csv

import pandas as pd
import pytest

from uadbench.core import csv_files
from uadbench.core.errors import HarnessError
from uadbench.paper.results import read_rows, write_rows


def test_rows_come_back_as_written(tmp_path):
    rows = [{"a": 'x, "y"', "b": "é\nline"}, {"a": "", "b": "2"}]
    csv_files.write(tmp_path / "t.csv", ("a", "b"), rows)
    assert csv_files.read(tmp_path / "t.csv", ("b",), "remedy") == rows
    assert (tmp_path / "t.csv").read_bytes().startswith(b"a,b\n")


def test_a_mark_of_byte_order_is_no_part_of_the_first_column(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbfa,b\n1,2\n")
    assert csv_files.read(tmp_path / "t.csv", ("a",), "remedy") == [{"a": "1", "b": "2"}]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "no such file"),
        (b"", "the file is empty"),
        (b"b,c\n1,2\n", "no column 'a'; the columns are b, c"),
        (b"a,b\n1,2\n3", "row 2: more or fewer cells than the 2 columns"),  # cut off
        (b"a,b\n1,2,3\n", "row 1: more or fewer cells"),
        (b"a,b\n\xff,2\n", "), save it as UTF-8; make it again"),
        (b"a;b\n1;2\n", "no column 'a'; the columns are a;b; separate the columns by commas; "),
    ],
)
def test_a_fault_is_one_line_with_its_remedy(tmp_path, content, reason):
    path = tmp_path / "t.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(HarnessError) as error:
        csv_files.read(path, ("a",), "make it again")
    assert str(error.value).startswith(f"{path}")
    assert reason in str(error.value)
    assert str(error.value).endswith("; make it again")
    assert "\n" not in str(error.value)


def test_a_failed_write_leaves_the_former_file(tmp_path):
    csv_files.write(tmp_path / "t.csv", ("a",), [{"a": 1}])
    with pytest.raises(ValueError, match="dict contains fields not in fieldnames"):
        csv_files.write(tmp_path / "t.csv", ("a",), [{"a": 2}, {"b": 3}])
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]
    assert (tmp_path / "t.csv").read_text() == "a\n1\n"


CELLS = ["=1+1", "+a", "-a", "@a", "\ta", "'=a", "''-a", "'a", "-0.5", "+5", "-inf", "1e-5", "a=b", "a\nb", "-", "'"]


def test_formulas_are_written_as_texts_and_come_back(tmp_path):
    rows = [{"a": cell} for cell in CELLS]
    csv_files.write(tmp_path / "t.csv", ("a",), rows)
    assert csv_files.read(tmp_path / "t.csv", ("a",), "remedy") == rows
    write_rows(tmp_path / "p.csv", pd.DataFrame(rows).assign(number=-0.5))
    found = read_rows(tmp_path / "p.csv", ("a",), ("number",), "remedy")
    assert found["a"].tolist() == CELLS
    assert (found["number"] == -0.5).all()
    csv_files.write(tmp_path / "r.csv", ("a",), [{"a": "\r=1"}, {"a": "b"}])
    assert csv_files.read(tmp_path / "r.csv", ("a",), "remedy") == [{"a": "\n=1"}, {"a": "b"}]
    for path in (tmp_path / "t.csv", tmp_path / "p.csv"):
        cells = [row["a"] for row in csv.DictReader(path.open(newline=""))]
        assert [cell for cell in cells if cell[0] in "=+-@\t\r"] == ["-0.5", "+5", "-inf"]  # numbers
