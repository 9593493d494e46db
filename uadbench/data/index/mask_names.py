"""Names of lesion masks in BIDS data sets: which files are such, and which scan they state that they are drawn on."""

import contextlib
import csv
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from uadbench.core.errors import HarnessError, listed
from uadbench.core.files import read_json
from uadbench.core.volume_names import stem

WORDS = r"lesions?|tumou?rs?|strokes?|infarct(?:ion)?s?|gliomas?|meningiomas?|metastas[ei]s|wmh|fcd|abnormalit(?:y|ies)"
#: a whole lesion; partial ones such as `desc-lesionAcute` and `label-tumorCore` are excluded
WHOLE = re.compile(
    rf"(?:t1w?|t2w?|flair|dwi|whole|total|all|manual|expert|consensus|final)?(?:{WORDS})(?:_?(?:mask|roi|seg|msk|manual))?",
    re.IGNORECASE,
)
SUFFIXES = {"mask", "roi", "dseg", "seg", "segmentation", "msk"}
#: suffixes that say lesion by themselves where no `label` or `desc` says otherwise: fMRIPrep, Bonn, ISLES
ALONE = {"roi", "msk"}
MANUAL = {"manual", "msk", "mask", "expert", "consensus"}
#: values of `space` for the voxels of the subject's scan, without its name
OWN = {"orig", "native", "individual", "scanner", "subject", "anat", "self"}
#: names of the standard spaces of BIDS and other templates, by their beginnings
TEMPLATE = re.compile(
    r"MNI|ICBM|IXI549|fsaverage|fsLR|NIHPD|OASIS|Tal|UNC|SRI|NKI|Colin|std|standard|template|atlas|common|group",
    re.IGNORECASE,
)
#: usual spelling of kinds of scan, which some releases, such as ISLES 2022, write in small letters
SPELLING = {"t1w": "T1w", "t1": "T1w", "t2w": "T2w", "t2": "T2w", "flair": "FLAIR"}
#: suffixes of scans that the name of a mask can state
BESIDE = re.compile(r"T[12]w?|FLAIR|PDw?|dwi|TRACE|ADC|SWI|T2star\w*|bold|sbref", re.IGNORECASE)


def parts(name: str) -> tuple[dict[str, str], list[str]]:
    """Entities of a file name, and its other parts; `_space_T1_` is read as `_space-T1_`."""
    found, plain = dict[str, str](), list[str]()
    pieces = (stem(name) or name.partition(".")[0]).split("_")
    for number, piece in enumerate(pieces):
        key, dash, value = piece.partition("-")
        if dash:
            found[key] = value
        elif number and pieces[number - 1] == "space":
            found["space"] = piece
        elif piece != "space":
            plain.append(piece)
    return found, plain


def is_mask(name: str) -> bool:
    """Whether a NIfTI of a subject (`sub-…`) is by its name the mask of a whole lesion.

    As in ARC and SOOP (`_desc-lesion_mask`), fMRIPrep (`_label-lesion_roi`), BTC (`_label-tumor`), Bonn (`_FLAIR_roi`),
    ISLES (`_msk`) and ivadomed (`_lesion-manual`).
    """
    entities, plain = parts(name)
    if stem(name) is None or "sub" not in entities:
        return False
    *before, last = plain or [""]
    labels = [entities[key] for key in ("label", "desc") if key in entities]
    named = [key for key in entities if WHOLE.fullmatch(key) and entities[key].lower() in MANUAL]
    ended = not plain or last.lower() in SUFFIXES  # by a suffix of masks, or by an entity
    if named or any(map(WHOLE.fullmatch, labels)):
        return ended or bool(BESIDE.fullmatch(last) and _ends_in_entity(name))
    if labels:
        return False
    if last.lower() in SUFFIXES and before and WHOLE.fullmatch(before[-1]):
        return True
    return bool(WHOLE.fullmatch(last)) or last.lower() in ALONE


def _ends_in_entity(name: str) -> bool:
    """Whether the last part of a name is an entity, as in `_T1w_lesion-manual`."""
    return "-" in (stem(name) or name).rpartition("_")[2]


def drawn_on(name: str) -> str:
    """The kind of scan that a mask's name states as its reference; "" where it states none of the subject's."""
    entities, plain = parts(name)
    space = entities.get("space", "")
    if space:
        return "" if space.lower() in OWN else SPELLING.get(space.lower(), space)
    beside = next((part for part in plain if BESIDE.fullmatch(part)), "")
    return kind(beside, entities)


def kind(suffix: str, entities: Mapping[str, str]) -> str:
    """Kind of a scan: its suffix as usually spelled, or the reconstruction of a diffusion image (`rec-TRACE_dwi`)."""
    return entities.get("rec", suffix) if suffix == "dwi" else SPELLING.get(suffix.lower(), suffix)


def in_template(entities: Mapping[str, str]) -> bool:
    """Whether the entities of a file state the space of a template."""
    return bool(TEMPLATE.match(entities.get("space", "")))


def candidates(names: Iterable[str]) -> str:
    """Text on files that may be masks, whatever their names; empty without any."""
    wanted, others = re.compile("mask|roi|seg|lesion|label|tumou?r|msk"), re.compile(r"desc-brain_|_probseg\.")
    found = [name for name in names if stem(name) and wanted.search(name.lower()) and not others.search(name.lower())]
    return f"; name them by `masks: PATTERN` if they are among {listed(found, 3)}" if found else ""


def refuse_none(pattern: str, names: Iterable[str]) -> None:
    """Raise HarnessError for a pattern that no file matches."""
    near = candidates(names).partition(" if they are among ")[2]
    raise HarnessError(f"masks: no file matches {pattern!r}{f'; there are {near}' * bool(near)}")


def labels(root: Path) -> dict[int, str]:
    """Label values above 0 and their names, as files at the top of a data set or derivative state them for all masks.

    A table `…lesion…_dseg.tsv` (columns index and name) or LabelMap in a sidecar of lesion masks.
    """
    for path in (path for place in ("", "derivatives/", "derivatives/*/") for path in sorted(root.glob(f"{place}*"))):
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


def _numbered(pairs: Iterable[tuple[Any, Any]]) -> dict[int, str]:
    """Names by value above 0, of pairs in either order."""
    ordered = ((value, name) if str(value).isdecimal() else (name, value) for value, name in pairs)
    return {int(value): str(name) for value, name in ordered if str(value).isdecimal() and int(value)}
