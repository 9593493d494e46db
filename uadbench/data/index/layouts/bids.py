"""BIDS data sets with lesion masks beside the scans or in derivatives, such as ds004884 (ARC) of OpenNeuro.

pybids lists files by their entities; the choice of session, scan and mask that belong together, most of this file,
would remain.
"""

import re
from collections import defaultdict
from dataclasses import dataclass
from fnmatch import translate
from pathlib import Path
from typing import Any

from uadbench.core.modalities import NAMES
from uadbench.core.sorting import natural
from uadbench.core.volume_names import NIFTI, stem
from uadbench.data.index import contrast, layout, mask_names

SCAN = re.compile(r"sub-[^\W_]+(?:_[^\W_]+(?:-[^\W_]+)?)*_(?P<suffix>[^\W_]+)" + NIFTI, re.ASCII)
#: BIDS entities that link a mask to its scan
DRAWN = ("acq", "ce", "rec", "run", "echo", "part")
LOCALIZER = re.compile(r"localizer|scout|survey|^loc|loc$", re.IGNORECASE)


@dataclass(frozen=True)
class Found:
    """One file: its path below the root, the entities in its name, and its kind of scan in mask names.

    note: why its contrast is another one than that of its name.
    """

    path: Path
    entities: dict[str, str]
    kind: str
    note: layout.Note | None = None

    @property
    def session(self) -> str:
        folders = (part.partition("-")[2] for part in self.path.parts if part.startswith("ses-"))
        return self.entities.get("ses") or next(folders, "")

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
    usually below `derivatives/`: `mask_names` has their names, or `masks` is a pattern of theirs.

    The contrast of a scan is that of its sidecar and of `acq` where they contradict its suffix; with `contrast`
    "suffix" it is not.
    The mask selects the scans: each of the session of the mask, else of the nearest. A further scan of the mask's
    session is `drawn_on` where it alone has the mask's voxel grid, such as a diffusion image. Without a mask the first
    session with a T1 takes its place. Among several scans of a kind the entities in the mask's name (`acq`, `rec`,
    `run`, …) select one, else the first is used; runs and sessions sort as numbers; scans with a contrast agent, of
    phases, of another space and localizers come last. The mask's name states its scan (`space-TRACE`,
    `_T2w_desc-lesion`). A mask in the space of a template is used where a scan is in this space.
    `entities` take precedence: if any scans of a kind have them, only these are used.
    """

    is_bids = True

    expected = "sub-*/[ses-*/]anat/sub-*_T1w.nii.gz (masks: derivatives/**/sub-*_desc-lesion_mask.nii.gz)"

    def subjects(self, root: Path) -> list[layout.Files]:
        scans, masks = self._sorted(root)
        every = [self._files(root, f"sub-{name}", own, masks.get(name, [])) for name, own in scans.items()]
        return [files for files in every if files.scans]

    def visits(self, root: Path) -> list[layout.Files]:
        """Every session of every subject by itself, as sub-NAME_ses-SESSION, with the masks that were drawn for it.

        A mask that states no session, or one without scans, is of the session that `subjects` takes for it.
        """
        scans, masks = self._sorted(root)
        every = []
        for name, own in scans.items():
            drawn = [(mask, _sessions(own, mask)[0]) for mask in masks.get(name, [])]
            for session in sorted({scan.session for scan in own}, key=natural):
                subject = f"sub-{name}_ses-{session}" if session else f"sub-{name}"
                here = [scan for scan in own if scan.session == session]
                every.append(self._files(root, subject, here, [mask for mask, of in drawn if of == session]))
        return [files for files in every if files.scans]

    def _sorted(self, root: Path) -> tuple[dict[str, list[Found]], dict[str, list[Found]]]:
        """Scans of the wanted entities, and masks, by the names of the subjects."""
        scans: dict[str, list[Path]] = defaultdict(list)
        masks: dict[str, list[Found]] = defaultdict(list)
        paths = list(layout.walk(root, skip=("sourcedata", "code")))
        wanted = re.compile(translate(self.masks or ""), re.IGNORECASE)
        for path in paths:
            if stem(path.name) is None:
                continue
            entities, plain = mask_names.parts(path.name)
            chosen = wanted.match(path.as_posix()) if self.masks else mask_names.is_mask(path.name)
            if chosen and (name := entities.get("sub") or _folder_of_subject(path)):
                masks[name].append(Found(path, entities, mask_names.drawn_on(path.name)))
            elif SCAN.fullmatch(path.name) and path.parts[0] != "derivatives" and plain[-1] not in mask_names.SUFFIXES:
                scans[entities["sub"]].append(path)
        if self.masks and not masks:
            mask_names.refuse_none(self.masks, (path.as_posix() for path in paths))
        sidecars = contrast.Sidecars(root, (path for path in paths if path.suffix.lower() == ".json"))
        return {
            name: self._wanted([self._scan(path, sidecars) for path in scans[name]]) for name in sorted(scans)
        }, masks

    def maybe_masks(self, root: Path) -> str:
        return mask_names.candidates(path.as_posix() for path in layout.walk(root, skip=("sourcedata", "code")))

    def _scan(self, path: Path, sidecars: contrast.Sidecars) -> Found:
        """A scan with its kind."""
        entities, plain = mask_names.parts(path.name)
        kind = mask_names.kind(plain[-1], entities)
        if self.contrast == "suffix" or kind not in contrast.SUFFIXES:
            return Found(path, entities, kind)
        timing = sidecars.timing(path)
        judged, reason = contrast.contrast(kind, entities, timing)
        if not reason:
            return Found(path, entities, kind)
        text = f"have a {kind} by name that is taken for a {judged} by {reason}; `contrast: suffix` keeps the name"
        return Found(path, entities, judged, layout.Note(text, str(timing)))

    def labels(self, root: Path) -> dict[int, str]:
        return mask_names.labels(root)

    def _wanted(self, scans: list[Found]) -> list[Found]:
        """The scans of a subject that match the requested entities best among those of their kind."""

        def misses(scan: Found) -> int:
            return sum(_value(scan.entities.get(key, "")) != _value(value) for key, value in self.entities.items())

        least = {kind: min(misses(scan) for scan in scans if scan.kind == kind) for kind in {s.kind for s in scans}}
        return [scan for scan in scans if misses(scan) == least[scan.kind]]

    def _files(self, root: Path, subject: str, scans: list[Found], masks: list[Found]) -> layout.Files:
        """Files of one subject, and the kinds with several candidates."""
        mask, notes = self._mask(root, scans, masks)
        several = set()

        def best(kind: str, sessions: list[str], enhanced: bool = False) -> Found | None:
            """The scan of a kind in the first of `sessions` that has one; `enhanced`: with a contrast agent."""
            for session in sessions:
                found = [scan for scan in scans if scan.kind.lower() == kind.lower() and scan.session == session]
                if enhanced:
                    found = [scan for scan in found if "ce" in scan.entities]
                if len({scan.path.name.split(".")[0] for scan in found}) > 1:
                    several.add(kind)
                if found:
                    return min(found, key=lambda scan: (_unlike(mask, scan), scan.last, scan.order))
            return None

        visit, near = _sessions(scans, mask)
        t1, t2, flair = (best(kind, near) for kind in ("T1w", "T2w", "FLAIR"))
        drawn_on = best(mask.kind, [visit]) if mask else None
        if (
            mask and drawn_on is None and t1 and t1.session != visit
        ):  # of the visits only these can have the mask's grid
            drawn_on = next((scan for scan in (t2, flair) if scan and scan.session == visit), None)
        agent = best("T1w", [visit], enhanced=True)
        found = {
            **{"t1": t1, "t2": t2, "flair": flair, "t1c": None if agent is t1 else agent},
            **{"mask": mask, "drawn_on": None if drawn_on is t1 else drawn_on},
        }
        used = [scan for kind, scan in found.items() if scan and kind != "mask"]
        if mask and not found["drawn_on"]:
            beside = [scan for scan in scans if scan.session == visit and scan not in used]
            beside.sort(key=lambda scan: (scan.kind != "dwi", scan.last, scan.order))
            found["drawn_on"] = _of_grid(root, mask, used, beside)
        notes += [scan.note for scan in used if scan.note]
        drawn = (mask and mask.session) or visit
        for kind in NAMES:
            if (scan := found[kind]) and scan.session not in ("", drawn):
                text = f"have a {kind} of another session than their {'mask' if mask else 't1'}, the nearest"
                notes.append(layout.Note(text, f"ses-{drawn} and ses-{scan.session}"))
        chosen: dict[str, Any] = {name: scan.path for name, scan in found.items() if scan}
        return layout.Files(subject, **chosen, several=tuple(sorted(several)), notes=tuple(dict.fromkeys(notes)))

    def _mask(self, root: Path, scans: list[Found], masks: list[Found]) -> tuple[Found | None, list[layout.Note]]:
        """The mask of a subject: that in the voxels of a scan first, one in the space of a template where a scan is."""
        own = {"", *(scan.kind.lower() for scan in scans), *mask_names.OWN, *mask_names.SPELLING}
        spaces = {scan.entities["space"] for scan in scans if "space" in scan.entities}

        def fits(mask: Found) -> bool:
            if self.masks or not mask_names.in_template(mask.entities) or mask.entities["space"] in spaces:
                return True
            return _of_grid(root, mask, [], scans) is not None

        def rank(mask: Found) -> tuple[bool, list[Any]]:
            return mask.entities.get("space", "").lower() not in own, mask.order

        ordered = sorted(masks, key=rank)
        mask = next(filter(fits, ordered), None)
        if mask or not masks:
            return mask, []
        space = ordered[0].entities["space"]
        return None, [layout.Note(f"have a mask in the space of {space} alone, where no scan is; it is not taken", "")]


def _sessions(scans: list[Found], mask: Found | None) -> tuple[str, list[str]]:
    """The session of a mask, without one the first with a T1, and all sessions by their distance from it."""
    sessions = sorted({scan.session for scan in scans}, key=natural)
    if mask and mask.session:
        near = sorted(sessions, key=lambda session: _apart(session, mask.session))
        return near[0], near
    kinds = {session: [scan.kind for scan in scans if scan.session == session] for session in sessions}
    wanted = [mask.kind if mask else "", "T1w"]
    first = min(sessions, key=lambda session: next((n for n, kind in enumerate(wanted) if kind in kinds[session]), 2))
    return first, sorted(sessions, key=lambda session: _apart(session, first))


def _folder_of_subject(path: Path) -> str:
    """The subject in whose folder a file is; "" elsewhere."""
    return next((part.removeprefix("sub-") for part in path.parts if part.startswith("sub-")), "")


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
    if mask is None or (mask.kind not in ("", scan.kind) and not mask_names.in_template(mask.entities)):
        return 0
    elsewhere = mask_names.in_template(mask.entities) and mask.entities["space"] != scan.entities.get("space")
    return elsewhere + sum(mask.entities[name] != scan.entities.get(name) for name in DRAWN if name in mask.entities)


def _apart(session: str, other: str) -> tuple[float, list[Any]]:
    """Distance of one session from another: by number where both have one; the same session first."""
    if session == other:
        return -1.0, []
    numbers = [re.fullmatch(r"\D*(\d+)", name) for name in (session, other)]
    found = [int(match[1]) for match in numbers if match]
    return (abs(found[0] - found[1]) if len(found) == 2 else float("inf")), natural(session)


def _value(value: str) -> str:
    """Value of an entity, with numbers stripped of leading zeros: run-02 is run 2."""
    return str(int(value)) if value.isdecimal() else value
