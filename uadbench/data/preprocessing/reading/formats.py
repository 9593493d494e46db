"""File formats other than NIfTI, recognised by their first bytes, each with the remedy."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

from nibabel.openers import ImageOpener

GZIPPED = (".gz", ".mgz")
HEAD = 256  # bytes read to recognise formats
DATALAD = "fetch it: datalad get, or git annex get"
#: pattern of the first bytes, description of the format, remedy
KINDS = (
    (rb"version https://git-lfs", "is a pointer of Git LFS without its content", "fetch it: git lfs pull"),
    (rb"(?s).{0,128}(/annex/objects/|\.git/annex/)", "is a pointer of git-annex without its content", DATALAD),
    (rb"\x1f\x8b", "is compressed twice", "decompress it once (gunzip)"),
    (rb"NRRD000\d", "is NRRD", "convert it to NIfTI, for example with 3D Slicer or SimpleITK"),
    (rb"(ObjectType|NDims|Comment)\s*=", "is MetaImage", "convert it to NIfTI, for example with ITK-SNAP or SimpleITK"),
    (rb"(?s).{128}DICM", "is DICOM", "convert its series to NIfTI with dcm2niix"),
    (rb"PK\x03\x04", "is a ZIP archive", "unpack it"),
    (rb"MATLAB ", "is a MATLAB file", "save its volume as NIfTI"),
    (rb"\x93NUMPY", "is a NumPy array without a place in space", "save it as NIfTI with its affine"),
    (rb"(?i)\s*<(!doctype|html|\?xml)", "is a web page or XML", "download the file itself"),
)


def foreign(path: Path) -> tuple[str, str] | None:
    """The format of a file that nibabel does not read, and the remedy; None if its first bytes match none of KINDS.

    Raises OSError, EOFError or zlib.error if it is compressed and damaged in its first bytes.
    """
    with path.open("rb") as file:
        first = file.read(HEAD)
    if path.suffix in GZIPPED and first.startswith(b"\x1f\x8b"):
        with gzip.open(path) as file:
            first = file.read(HEAD)
    for pattern, what, remedy in KINDS:
        if re.match(pattern, first):
            return what, remedy
    return None


def read_to_the_end(path: Path) -> None:
    """Read all of a compressed file, to verify its checksum at the end, which image readers do not reach.

    Raises OSError, EOFError or zlib.error if it is damaged.
    """
    if path.suffix in (".nii", ".img", ".hdr", ".mgh"):
        return
    with gzip.open(path) if path.suffix in GZIPPED else ImageOpener(str(path), "rb") as file:
        while file.read(2**22):
            pass
