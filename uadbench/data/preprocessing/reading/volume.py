"""Reader of all volumes, which returns an array with its affine, or raises a one-line error with reason and remedy."""

import gzip
import re
import struct
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.fileholders import FileHolder
from nibabel.openers import ImageOpener

from uadbench.compute import memory
from uadbench.core.faults import passing, retried
from uadbench.core.volume_names import stem
from uadbench.data.grid import Grid

GZIP = b"\x1f\x8b"
GZIPPED = (".gz", ".mgz")
HEAD = 256  # bytes read to recognise formats
TAIL = 2**20  # bytes that may follow an image
EXTENSIONS = 2**26  # bytes that may precede one
#: float32 copies of a volume, beside the stored values, that its preprocessing needs at least
COPIES = 2
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
#: maximum plausible number of voxels of a head scan: 0.2 mm in every direction
MOST_VOXELS = 2**31


class BadScan(Exception):
    """An unusable file, which loses its subject but never the run; has the file, and reason and remedy as text."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(f"{file}: {reason}")
        self.file = file
        self.reason = reason


def unforeseen(error: Exception) -> str:
    """Reason and remedy of an exception that no check foresaw: ANTs and ITK raise any type for a bad scan."""
    what = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return f"{what}; look at the scan, and exclude the subject if it is damaged"


class Unreachable(BadScan):
    """A file that is not there, or may not be read now: no fault of its content."""


@retried
def read_volume(path: Path, last: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Values (I, J, K) of any real type, as stored, and the affine (4, 4) to scanner millimetres (RAS).

    Raises BadScan for a file that is empty, damaged anywhere, of another format, not one volume of real numbers,
    without a valid affine, or of more voxels than the file or the memory holds; Unreachable for one that is missing or
    may not be read; HarnessError for a disk that fails for long. last: whether a damage was met before.
    """
    try:
        _check_file(path)
        image: Any = load(path)
        shape = _check_header(path, image)
        _check_length(path, image)
        data = np.asanyarray(image.dataobj).reshape(shape)
    except (BadScan, MemoryError):
        raise
    except PermissionError as error:
        raise Unreachable(path, "may not be read; give yourself the right to (chmod u+r)") from error
    except FileNotFoundError as error:
        if passing(error):  # of nibabel, which asks for the file's status first
            raise
        raise Unreachable(path, "no such file; put it there, or correct the path where it is named") from error
    # nibabel, gzip and zlib raise exceptions of their own for files that are truncated or no images.
    except Exception as error:
        if passing(error):
            raise
        if not last:  # nibabel takes a disk that fails once for another format
            return read_volume(path, last=True)
        what = f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
        raise BadScan(path, f"cannot be read ({what}); copy or download it again") from error
    return data, np.asarray(image.affine, dtype=np.float64)


def read_grid(path: Path) -> Grid:
    """The grid of a volume by its header. Raises BadScan as `read_volume`, but reads no values."""
    try:
        image = load(path)
        return Grid(_check_header(path, image), np.asarray(image.affine, dtype=np.float64))
    except BadScan:
        raise
    except Exception as error:
        raise BadScan(path, f"its header cannot be read ({type(error).__name__}); copy or download it again") from error


def load(path: Path) -> Any:
    """The image of nibabel in a file, which it does not find by itself under a suffix such as .Nii."""
    suffix = path.name.removeprefix(stem(path.name) or path.name)
    if suffix in (suffix.lower(), suffix.upper()):
        return nibabel.load(path)
    with ImageOpener(str(path), "rb") as file:
        size = file.read(4)
    kind = nibabel.Nifti2Image if 540 in map(partial(int.from_bytes, size), ("little", "big")) else nibabel.Nifti1Image
    return kind.from_file_map({"image": FileHolder(str(path))})


def states_orientation(path: Path) -> bool:
    """Whether the header of a readable volume states its orientation: NIfTI with a qform or sform, or MGH."""
    header = retried(load, ImageFileError)(path).header
    if isinstance(header, nibabel.Nifti1Header):
        return bool(header["qform_code"] > 0 or header["sform_code"] > 0)
    return not isinstance(header, nibabel.AnalyzeHeader)


def foreign(first: bytes) -> tuple[str, str] | None:
    """The format of a file that nibabel does not read, and the remedy; None if its first bytes match none of KINDS."""
    for pattern, what, remedy in KINDS:
        if re.match(pattern, first):
            return what, remedy
    return None


def _head(path: Path, unpacked: bool) -> bytes:
    """The first bytes of a file, as stored or unpacked. Raises OSError, EOFError or zlib.error if they are damaged."""
    with gzip.open(path) if unpacked else path.open("rb") as file:
        return file.read(HEAD)


def _check_length(path: Path, image: Any) -> None:
    """Read a compressed image to its end, where its checksum is, which image readers do not reach.

    Raises BadScan, before memory is allocated, if the file or the memory holds fewer voxels than the header claims, or
    if much follows them; OSError, EOFError or zlib.error if it is damaged.
    """
    proxy, size = image.dataobj, 0
    voxels = int(np.prod(image.shape, dtype=float))
    needed = int(getattr(proxy, "offset", 0)) + voxels * np.dtype(proxy.dtype).itemsize
    name = str(image.file_map["image"].filename)
    lower = name.lower()
    if lower.endswith((".nii", ".img", ".mgh")):
        size = Path(name).stat().st_size
    else:
        with gzip.open(name) if lower.endswith(GZIPPED) else ImageOpener(name, "rb") as file:
            while size <= needed + TAIL and (block := file.read(min(2**22, needed + TAIL + 1 - size))):
                size += len(block)
        if size > needed + TAIL:
            raise BadScan(path, f"goes on for more than {TAIL} bytes after its image; convert the scan again")
    claim = f"claims to have {' × '.join(map(str, image.shape))} voxels"
    if size < needed:
        raise BadScan(path, f"{claim}, {needed} bytes, but holds {size}; copy or download it again")
    stored = 8 if (getattr(proxy, "slope", 1), getattr(proxy, "inter", 0)) != (1, 0) else np.dtype(proxy.dtype).itemsize
    if voxels * (stored + 4 * COPIES) > memory.most():
        raise BadScan(path, f"{claim}, more than the memory holds; resample it, or give this job more memory")


def _check_file(path: Path) -> None:
    """Raise BadScan for a missing or empty file, or one whose compression contradicts its name."""
    if not path.is_file():
        if path.is_dir():
            raise BadScan(path, "is a folder; give the scan itself")
        if path.is_symlink() and ".git/annex" in path.readlink().as_posix():
            raise BadScan(path, f"is a link of git-annex without its content; {DATALAD}")
        if path.is_symlink():
            raise Unreachable(path, "is a link to no file, or in a circle; make it lead to the scan")
        raise Unreachable(path, "no such file; put it there, or correct the path where it is named")
    suffix = path.suffix.lower()
    first = head = _head(path, unpacked=False)
    if suffix in GZIPPED and first.startswith(GZIP):
        head = _head(path, unpacked=True)
    if not first:
        raise BadScan(path, "is empty; copy or download it again")
    if suffix == ".nii" and first.startswith(GZIP):
        raise BadScan(path, "is compressed though its name ends in .nii; rename it to .nii.gz")
    if other := foreign(head):
        raise BadScan(path, f"{other[0]}, no NIfTI image; {other[1]}")
    if suffix == ".gz" and not first.startswith(GZIP):
        raise BadScan(
            path, "is not compressed though its name ends in .gz; copy it again, or call it .nii if it is one"
        )
    if _offset(head) > EXTENSIONS:
        raise BadScan(path, f"its header has the image behind {_offset(head):g} bytes; convert the scan again")


def _offset(head: bytes) -> float:
    """Bytes before the image, which nibabel reads at once, by the header of NIfTI-1 or NIfTI-2; 0 for others."""
    for order, start, (size, place, kind) in product("<>", [head[:4]], [(348, 108, "f"), (540, 168, "q")]):
        if start == struct.pack(order + "i", size) and len(head) >= place + 8:
            return float(struct.unpack_from(order + kind, head, place)[0])
    return 0.0


def _check_header(path: Path, image: Any) -> tuple[int, ...]:
    """The shape (I, J, K) stated by a header. Raises BadScan if implausible for a head scan."""
    shape = tuple(map(int, image.shape))  # MGH has numbers of numpy
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) != 3 or min(shape) < 2:
        raise BadScan(path, f"has shape {tuple(map(int, image.shape))}; give one volume of three dimensions")
    if np.prod(shape, dtype=float) > MOST_VOXELS:
        raise BadScan(path, f"claims to have {' × '.join(map(str, shape))} voxels; copy or download it again")
    if image.get_data_dtype().kind not in "biuf":
        raise BadScan(path, f"holds values of type {image.get_data_dtype()}; give grey values as real numbers")
    sizes = _pixdim(path, image)
    if sizes is not None and not (sizes > 0).all():
        found = " × ".join(f"{size:g}" for size in sizes)
        raise BadScan(path, f"its header has voxels of {found} mm; correct pixdim, or convert the scan again")
    affine = np.asarray(image.affine, dtype=float)
    spacing = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-3 * max(spacing.prod(), 1e-9):
        raise BadScan(path, "its affine is singular; correct sform and qform, or convert the scan again")
    if spacing.min() < 0.1 or spacing.max() > 20:
        found = " × ".join(f"{size:.3g}" for size in spacing)
        raise BadScan(path, f"voxels of {found} mm are not of a head scan; correct its affine, or leave it out")
    return shape


def _pixdim(path: Path, image: Any) -> np.ndarray | None:
    """The voxel sizes stored in a NIfTI header, (3,); None if the affine comes from sform instead.

    nibabel replaces 0 by 1 mm and drops signs when loading, so the header is read again.
    """
    if not isinstance(image, nibabel.Nifti1Image) or int(image.header["sform_code"]) > 0:
        return None
    with ImageOpener(str(path), "rb") as file:
        header = type(image.header).from_fileobj(file, check=False)
    return np.asarray(header["pixdim"][1:4], dtype=float)
