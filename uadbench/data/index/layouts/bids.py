"""BIDS data sets with lesion masks in their derivatives (OpenNeuro ds004884, ARC, and ds004889, SOOP).

pybids lists files by their entities; the choice of session, scan and mask that belong together, most of this file,
would remain.
"""

import contextlib
import csv
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uadbench.core.files import read_json
from uadbench.core.sorting import natural
from uadbench.core.volume_names import NIFTI
from uadbench.data.index import layout

SCAN = re.compile(r"sub-[^\W_]+(?:_[^\W_]+(?:-[^\W_]+)?)*_(?P<suffix>[^\W_]+)" + NIFTI, re.ASCII)
#: names of whole-lesion masks in ARC and SOOP (`_desc-lesion_mask`), fMRIPrep (`_label-lesion_roi`), ISLES (`_msk`) and
#: ivadomed (`_lesion-manual`); excludes partial ones such as `desc-lesionAcute`
MASK = re.compile(
    r"sub-[^\W_]+_(?:.*_)?(?:(?:label|desc)-(?:T1|T2)?lesion(?:_[a-z]+-[A-Za-z0-9]+)*_(?:mask|roi|dseg|msk)"
    r"|lesion-(?:manual|msk)|lesion(?:_?mask|_roi|_msk)?|msk)" + NIFTI,
    re.ASCII,
)
#: BIDS entities that link a mask to its scan
DRAWN = ("acq", "ce", "rec", "run", "echo", "part")
#: usual spelling of suffixes that some releases, such as ISLES 2022, write in small letters
SPELLING = {"t1w": "T1w", "t2w": "T2w", "flair": "FLAIR"}
LOCALIZER = re.compile(r"localizer|scout|survey|^loc|loc$", re.IGNORECASE)


@dataclass(frozen=True)
class Found:
    """One file: its path below the root, the entities in its name, and its kind of scan in mask names."""

    path: Path
    entities: dict[str, str]
    kind: str

    @property
    def session(self) -> str:
        return self.entities.get("ses", "")

    @property
    def order(self) -> list[Any]:
        return natural(self.path.as_posix())

    @property
    def last(self) -> int:
        """Number of reasons to prefer any other scan."""
        entities = self.entities
        return sum((
            "ce" in entities,
            entities.get("part") == "phase",
            bool(LOCALIZER.search(entities.get("acq", ""))),
            "space" in entities,
        ))  # fmt: skip


class Layout(layout.Layout):
    """`sub-*/[ses-*/]anat/*_T1w.nii.gz`, `*_T2w.nii.gz`, `*_FLAIR.nii.gz`, `*_ce-*_T1w.nii.gz`, and masks anywhere,
    usually below `derivatives/`.

    The mask selects the scans: the T2 and the FLAIR of its session, and the T1 of the same or the nearest session. A
    further scan of its session is `drawn_on` where it alone has the mask's voxel grid, such as a diffusion image.
    Without a mask the first session with a T1 is used. Among several scans of a kind the entities in the mask's name
    (`acq`, `rec`, `run`, …) select one, else the first is used; runs and sessions sort as numbers; scans with a
    contrast agent, of phases, of another space and localizers come last. The mask's name states its scan
    (`space-TRACE`, `_T2w_desc-lesion`).
    `entities` take precedence: if any scans of a kind have them, only these are used.
    """

    has_entities = True

    expected = "sub-*/[ses-*/]anat/sub-*_T1w.nii.gz (masks: derivatives/**/sub-*_desc-lesion_mask.nii.gz)"

    def subjects(self, root: Path) -> list[layout.Files]:
        scans: dict[str, list[Found]] = defaultdict(list)
        masks: dict[str, list[Found]] = defaultdict(list)
        for path in layout.walk(root, skip=("sourcedata", "code")):
            entities = _entities(path.name)
            if MASK.fullmatch(path.name):
                masks[entities["sub"]].append(Found(path, entities, _drawn_on(path.name)))
            elif (match := SCAN.fullmatch(path.name)) and path.parts[0] != "derivatives":
                scans[entities["sub"]].append(Found(path, entities, _kind(match["suffix"], entities)))
        chosen = (_files(root, f"sub-{name}", self._wanted(scans[name]), masks.get(name, [])) for name in sorted(scans))
        return [files for files in chosen if files.scans]

    def labels(self, root: Path) -> dict[int, str]:
        """Those of a table `…lesion…_dseg.tsv` (columns index and name) or of LabelMap in a sidecar of lesion masks.

        Both at the top of a derivative, where BIDS has what holds for all of its files.
        """
        for path in (
            path for place in ("", "derivatives/", "derivatives/*/") for path in sorted(root.glob(f"{place}*"))
        ):
            with contextlib.suppress(OSError, ValueError, AttributeError, LookupError, TypeError):
                if re.fullmatch(r".*lesion.*_dseg\.tsv", path.name):
                    rows = csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines(), delimiter="\t")
                    pairs: Iterable[tuple[Any, Any]] = [(row.get("index"), row.get("name")) for row in rows]
                elif re.fullmatch(r".*lesion.*\.json", path.name):
                    pairs = read_json(path)["LabelMap"].items()
                else:
                    continue
                if found := _numbered(pairs):
                    return found
        return {}

    def _wanted(self, scans: list[Found]) -> list[Found]:
        """The scans of a subject that match the requested entities best among those of their kind."""

        def misses(scan: Found) -> int:
            return sum(_value(scan.entities.get(key, "")) != _value(value) for key, value in self.entities.items())

        least = {kind: min(misses(scan) for scan in scans if scan.kind == kind) for kind in {s.kind for s in scans}}
        return [scan for scan in scans if misses(scan) == least[scan.kind]]


def _files(root: Path, subject: str, scans: list[Found], masks: list[Found]) -> layout.Files:
    """Files of one subject, and the kinds with several candidates."""
    kinds = {"", *(scan.kind for scan in scans)}
    # A mask in template space does not have the voxel grid of a scan.
    mask = min(masks, key=lambda found: (found.entities.get("space", "") not in kinds, found.order), default=None)
    several = set()

    def best(kind: str, sessions: list[str], contrast: bool = False) -> Found | None:
        """The scan of a kind in the first of `sessions` that has one; `contrast`: with a contrast agent."""
        for session in sessions:
            found = [scan for scan in scans if scan.kind == kind and scan.session == session]
            if contrast:
                found = [scan for scan in found if "ce" in scan.entities]
            if len({scan.path.name.split(".")[0] for scan in found}) > 1:
                several.add(kind)
            if found:
                return min(found, key=lambda scan: (_unlike(mask, scan), scan.last, scan.order))
        return None

    sessions = sorted({scan.session for scan in scans}, key=natural)
    if mask is None:
        t1 = best("T1w", sessions)
        t2 = best("T2w", [t1.session] if t1 else sessions)
        drawn_on = None
    else:
        near = sorted(sessions, key=lambda session: _apart(session, mask.session))
        t1, t2 = best("T1w", near), best("T2w", [mask.session])
        drawn_on = best(mask.kind, [mask.session])
        if drawn_on is None and t1 and t1.session != mask.session:
            drawn_on = t2  # of the two visits only this scan can have the mask's voxel grid
    if drawn_on is t1:
        drawn_on = None
    visit = [mask.session] if mask else [t1.session] if t1 else sessions
    enhanced = best("T1w", visit, contrast=True)
    found = {
        **{"t1": t1, "t2": t2, "flair": best("FLAIR", visit), "t1c": None if enhanced is t1 else enhanced},
        **{"mask": mask, "drawn_on": drawn_on},
    }
    if mask and not drawn_on:
        beside = [scan for scan in scans if scan.session == mask.session and scan not in found.values()]
        used = [scan for kind, scan in found.items() if scan and kind != "mask"]
        found["drawn_on"] = _of_grid(root, mask, used, sorted(beside, key=lambda s: (s.kind != "dwi", s.last, s.order)))
    paths: dict[str, Any] = {name: scan.path for name, scan in found.items() if scan}
    return layout.Files(subject, **paths, several=tuple(sorted(several)))


def _of_grid(root: Path, mask: Found, used: list[Found], others: list[Found]) -> Found | None:
    """The first of `others` on the grid of the mask where none of the `used` scans is; by their headers."""
    if not others:
        return None
    from uadbench.data.preprocessing.reading.scan import same_grid

    fitting = (scan for scan in [*used, *others] if same_grid(root / mask.path, root / scan.path))
    found = next(fitting, None)
    return found if found in others else None


def _unlike(mask: Found | None, scan: Found) -> int:
    """Number of entities in the mask's name that differ from the scan's; 0 for a scan of another kind."""
    if mask is None or mask.kind not in ("", scan.kind):
        return 0
    return sum(mask.entities[name] != scan.entities.get(name) for name in DRAWN if name in mask.entities)


def _apart(session: str, other: str) -> tuple[float, list[Any]]:
    """Distance of one session from another: by number where both have one; the same session first."""
    if session == other:
        return -1.0, []
    numbers = [re.fullmatch(r"\D*(\d+)", name) for name in (session, other)]
    found = [int(match[1]) for match in numbers if match]
    return (abs(found[0] - found[1]) if len(found) == 2 else float("inf")), natural(session)


def _drawn_on(name: str) -> str:
    """The kind of scan that a mask's name states as its reference; "" without one."""
    match = re.search(r"_space-(\w+?)_|_(T1w|T2w|FLAIR)_(?:desc|label|lesion)", name)
    return (match[1] or match[2]) if match else ""


def _kind(suffix: str, entities: dict[str, str]) -> str:
    """Kind of a scan in mask names: its suffix, or the reconstruction of a diffusion image (`rec-TRACE_dwi`)."""
    return entities.get("rec", suffix) if suffix == "dwi" else SPELLING.get(suffix.lower(), suffix)


def _numbered(pairs: Iterable[tuple[Any, Any]]) -> dict[int, str]:
    """Names by value above 0, of pairs in either order."""
    ordered = ((value, name) if str(value).isdecimal() else (name, value) for value, name in pairs)
    return {int(value): str(name) for value, name in ordered if str(value).isdecimal() and int(value)}


def _value(value: str) -> str:
    """Value of an entity, with numbers stripped of leading zeros: run-02 is run 2."""
    return str(int(value)) if value.isdecimal() else value


def _entities(name: str) -> dict[str, str]:
    pairs = (part.partition("-") for part in name.split(".")[0].split("_"))
    return {key: value for key, dash, value in pairs if dash}
