"""Any BIDS data set, with outlines of lesions in its derivatives (OpenNeuro ds004884, ARC, and ds004889, SOOP)."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from harness.data import layout

SCAN = re.compile(r"(?P<entities>sub-[^\W_]+(?:_[^\W_]+(?:-[^\W_]+)?)*)_(?P<suffix>[^\W_]+)\.nii(?:\.gz)?", re.ASCII)
#: the whole outline: `_desc-lesion_mask`, `_label-lesion_mask`, `_desc-T1lesion_mask`; not `desc-lesionAcute`
MASK = re.compile(r"_(?:label|desc)-(?:T1|T2)?lesion(?:_[a-z]+-[A-Za-z0-9]+)*_mask\.nii(?:\.gz)?$")


class Layout(layout.Layout):
    """`sub-*/[ses-*/]anat/*_T1w.nii.gz`, `*_T2w.nii.gz`, masks `derivatives/**/sub-*_*lesion_mask.nii.gz`.

    A subject is one session: of those with a mask the first that has a T1, else the first with a T1; of several runs
    the first. The scan that a mask was drawn on is told by its name (`space-TRACE`, `_T2w_desc-lesion`); a mask drawn
    on neither T1 nor T2 is moved with the scan that it was drawn on.
    """

    expected = "sub-*/[ses-*/]anat/sub-*_T1w.nii.gz (masks: derivatives/**/sub-*_desc-lesion_mask.nii.gz)"

    def subjects(self, root: Path) -> list[layout.Files]:
        sessions: dict[str, dict[str, dict[str, Path]]] = defaultdict(lambda: defaultdict(dict))
        for path in layout.walk(root, skip=("sourcedata", "code")):
            match = SCAN.fullmatch(path.name)
            if match is None:
                continue
            entities = _entities(match["entities"])
            session = sessions[f"sub-{entities['sub']}"][entities.get("ses", "")]
            if path.parts[0] == "derivatives":
                if MASK.search(path.name):
                    session.setdefault("mask", path)
            elif "space" not in entities:
                session.setdefault(_kind(match["suffix"], entities), path)
        chosen = ((subject, _first(found)) for subject, found in sorted(sessions.items()))
        return [_files(subject, files) for subject, files in chosen if "T1w" in files or "T2w" in files]


def _first(sessions: dict[str, dict[str, Path]]) -> dict[str, Path]:
    """The session that stands for the subject."""
    return min(sessions.items(), key=lambda item: ("T1w" not in item[1], "mask" not in item[1], item[0]))[1]


def _files(subject: str, scans: dict[str, Path]) -> layout.Files:
    mask = scans.get("mask")
    drawn_on = None if mask is None else scans.get(_drawn_on(mask.name))
    if drawn_on in (scans.get("T1w"), scans.get("T2w")):
        drawn_on = None
    return layout.Files(subject, scans.get("T1w"), scans.get("T2w"), mask, drawn_on)


def _drawn_on(name: str) -> str:
    """The kind of scan that a mask's name says it was drawn on, or nothing."""
    match = re.search(r"_space-(\w+?)_|_(T1w|T2w|FLAIR)_(?:desc|label)", name)
    return (match[1] or match[2]) if match else ""


def _kind(suffix: str, entities: dict[str, str]) -> str:
    """How masks call a scan: by its suffix, or a diffusion image by its reconstruction (`rec-TRACE_dwi`)."""
    return entities.get("rec", suffix) if suffix == "dwi" else suffix


def _entities(text: str) -> dict[str, str]:
    pairs = (part.partition("-") for part in text.split("_"))
    return {key: value for key, _, value in pairs}
