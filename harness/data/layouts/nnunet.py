"""A raw data set of nnU-Net: a file per channel, labels beside them, and the channels' names in dataset.json."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from harness.data import layout
from harness.errors import HarnessError
from harness.files import read_json

T1 = re.compile(r"t1w?(?:n|-?native)?|mr_?t1|mprage", re.IGNORECASE)
T2 = re.compile(r"t2w?|mr_?t2", re.IGNORECASE)


class Layout(layout.Layout):
    """`imagesTr/NAME_CCCC.nii.gz` and `labelsTr/NAME.nii.gz`; `channel_names` of `dataset.json` (before version 2
    `modality`) says which channel CCCC is T1 and which T2. Scans of `imagesTs` have no labels there and are left out.
    """

    expected = "imagesTr/NAME_0000.nii.gz, labelsTr/NAME.nii.gz and dataset.json that names the channels T1, T2"

    def subjects(self, root: Path) -> list[layout.Files]:
        if not (root / "dataset.json").is_file():
            return []
        first, second = channels(root / "dataset.json")
        kinds = {"t1": rf"(.+)_{first}", "t2": rf"(.+)_{second}"} if second else {"t1": rf"(.+)_{first}"}
        found = layout.group(
            root,
            {kind: rf"{pattern}\.nii(?:\.gz)?" for kind, pattern in kinds.items()},
            skip=("imagesTs", "labelsTr", "labelsTs"),
        )
        labels = {
            path.name.removesuffix(".gz").removesuffix(".nii"): path
            for path in layout.walk(root, skip=("imagesTr", "imagesTs", "labelsTs"))
            if path.parts[0] == "labelsTr"
        }
        return [replace(files, mask=labels.get(files.subject)) for files in found]


def channels(path: Path) -> tuple[str, str]:
    """Numbers of the channels T1 and T2, four digits each; without a T2 the second is empty.

    Raises HarnessError if the file is no description of a data set, or names no T1.
    """
    try:
        about = read_json(path)
        names = about.get("channel_names") or about.get("modality")
        named = {str(name): f"{int(number):04d}" for number, name in names.items()}
    except (ValueError, AttributeError) as error:
        raise HarnessError(f'{path}: names no channels ({error}); add "channel_names": {{"0": "T1"}}') from error
    first, second = ([digits for name, digits in named.items() if kind.fullmatch(name)] for kind in (T1, T2))
    if not first:
        raise HarnessError(f"{path}: no channel is called T1; there are {', '.join(named)}")
    return first[0], second[0] if second else ""
