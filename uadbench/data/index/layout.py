"""Data-set layouts and their discovery by file name: `layouts/atlas.py` is the layout `atlas`."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from uadbench.core import patients
from uadbench.core.errors import HarnessError
from uadbench.core.faults import DISK, passing
from uadbench.core.modalities import NAMES
from uadbench.core.plugins import Plugins
from uadbench.core.volume_names import NIFTI, stem
from uadbench.data.index import participants

LAYOUTS = Plugins("layout", "uadbench.data.index.layouts")
#: files of a subject; `drawn_on` is the scan with the mask's voxel grid, if none of the others
KINDS = (*NAMES, "mask", "drawn_on", "brain")


class Note(NamedTuple):
    """What a layout decided about the files of a subject: `text` follows a number of subjects, `detail` is of one."""

    text: str
    detail: str


@dataclass(frozen=True)
class Files:
    """Files of one subject, relative to the root of the data set; None for missing ones."""

    subject: str
    t1: Path | None = None
    t2: Path | None = None
    mask: Path | None = None
    #: the scan with the mask's voxel grid, if neither the T1 nor the T2
    drawn_on: Path | None = None
    #: reason why the subject cannot be used, if known from its file names
    problem: str = ""
    #: kinds of scan with several candidates
    several: tuple[str, ...] = ()
    flair: Path | None = None
    t1c: Path | None = None
    #: brain mask, on the grid of the scan that is registered to the template: the first available of NAMES
    brain: Path | None = None
    #: as the data set states it; "" for that of the name
    stated_patient: str = ""
    notes: tuple[Note, ...] = field(default=(), compare=False)

    @property
    def patient(self) -> str:
        """The patient, who may have several scans, each with a name of its own."""
        return self.stated_patient or patients.of_name(self.subject)

    @property
    def scans(self) -> dict[str, Path]:
        """Available scans, by modality, in the order of NAMES."""
        found = {name: getattr(self, name) for name in NAMES}
        return {name: path for name, path in found.items() if path is not None}


class Layout:
    """File naming of one public data set. A new layout is one file with `class Layout(layout.Layout)`.

    It defines `names`, or `subjects` where names of files do not suffice.
    """

    #: expected path of a scan below the root, for error messages
    expected: ClassVar[str]
    #: for each of KINDS a regular expression of the whole file name but .nii or .nii.gz; its first group the subject.
    #: A second one is the visit: where a patient has several, they are subjects of their own, see `group`.
    names: ClassVar[Mapping[str, str]] = {}
    #: folders to skip
    skip: ClassVar[tuple[str, ...]] = ()
    #: whether every subject must come with a mask of its lesions
    has_mask: ClassVar[bool] = False
    #: whether files have names of BIDS, by which `entities`, `masks` and `contrast` choose
    is_bids: ClassVar[bool] = False
    #: whether the root of a data set is a file, not a folder
    reads_file: ClassVar[bool] = False

    def __init__(
        self, entities: Mapping[str, str] | None = None, masks: str | None = None, contrast: str | None = None
    ) -> None:
        """entities: of the scans to take; masks: pattern of the paths of masks; contrast: one of contrast.EVIDENCE."""
        self.entities, self.masks, self.contrast = dict(entities or {}), masks, contrast

    def complete(self) -> list[str]:
        """Names of all subjects of the release if they are known in advance, else an empty list."""
        return []

    def subjects(self, root: Path) -> list[Files]:
        """Subjects below `root`, sorted by name; an empty list if no file matches the layout."""
        return group(root, self.names, self.skip)

    def participants(self, root: Path) -> participants.Participants:
        """What the data set states of its subjects."""
        return participants.read(root)

    def maybe_masks(self, root: Path) -> str:
        """End of a message on a data set without masks: files that may be some; "" without such."""
        return ""

    def labels(self, root: Path) -> dict[int, str]:
        """Label values above 0 and their names, where files of the data set state them; else an empty dict.

        A value that is to be ignored is named IGNORE.
        """
        return {}


IGNORE = "ignore"


def load(
    name: str, entities: Mapping[str, str] | None = None, masks: str | None = None, contrast: str | None = None
) -> Layout:
    """The layout called `name`, which takes scans of these BIDS entities, and masks and contrast as `Layout` says.

    Raises HarnessError for an unknown layout, or a choice that the layout does not support.
    """
    layout: Layout = LAYOUTS.load(name).Layout(entities, masks, contrast)
    chosen = {"entities": entities, "masks": masks, "contrast": contrast}
    if (key := next((key for key, value in chosen.items() if value), None)) and not layout.is_bids:
        raise HarnessError(f"layout {name!r}: its names have no entities of BIDS to choose by; leave `{key}` out")
    return layout


def entities(pairs: Iterable[str]) -> dict[str, str]:
    """Parse entities of the form KEY=VALUE. Raises HarnessError for any other form."""
    found = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not (re.fullmatch("[a-z]+", key) and equals and re.fullmatch("[A-Za-z0-9]+", value)):
            raise HarnessError(f"--entity: {pair!r} is not like run=2 or acq=highres")
        found[key] = value
    return found


def walk(root: Path, skip: tuple[str, ...] = ()) -> Iterator[Path]:
    """Every file below `root` relative to it, in sorted order; linked folders are followed, each at most once.

    Skips hidden folders and those named in `skip`. Raises HarnessError for a folder that cannot be listed, since the
    study would otherwise silently lack its subjects.
    """

    def refuse(error: OSError) -> None:
        remedy = DISK if passing(error) else "give read access, or move it out of the data set"
        raise HarnessError(f"{error.filename}: cannot be listed ({error.strerror}); {remedy}") from error

    seen: set[str] = set()
    for folder, subfolders, files in os.walk(root, onerror=refuse, followlinks=True):
        subfolders[:] = sorted(name for name in subfolders if name not in skip and not name.startswith("."))
        real = os.path.realpath(folder)
        if real in seen:
            subfolders.clear()
            continue
        seen.add(real)
        yield from (Path(folder, name).relative_to(root) for name in sorted(files) if not name.startswith("."))


def group(root: Path, names: Mapping[str, str], skip: tuple[str, ...] = ()) -> list[Files]:
    """The subjects below `root`, sorted by name; `names` as in a layout.

    Of `.nii` and `.nii.gz` in one folder the first in sorted order is used; a subject with two files of the same scan
    has a `problem`. Of several visits each is a subject NAME_VISIT.
    """
    patterns = {kind: re.compile(f"(?:{name}){NIFTI}") for kind, name in names.items()}
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    problems: dict[tuple[str, ...], str] = {}
    for path in walk(root, skip):
        for kind, pattern in patterns.items():
            match = pattern.fullmatch(path.name)
            if match is None:
                continue
            first = found.setdefault(match.groups(), {}).setdefault(kind, path)
            if (first.parent, stem(first.name)) != (path.parent, stem(path.name)):
                problems[match.groups()] = f"the same scan lies at {first} and {path}; keep one of them"
    visits = Counter(subject for subject, *_ in found)
    return [
        Files("_".join(key) if visits[key[0]] > 1 else key[0], **files, problem=problems.get(key, ""))
        for key, files in sorted(found.items())
    ]
