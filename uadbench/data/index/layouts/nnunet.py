"""Raw data sets of nnU-Net: a file per channel, label files, and channel names in dataset.json."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from uadbench.core.errors import HarnessError
from uadbench.core.files import read_json
from uadbench.core.volume_names import stem
from uadbench.data.index import layout

KINDS = {
    "t1": re.compile(r"t1w?(?:n|-?native)?|mr_?t1|mprage", re.IGNORECASE),
    "t2": re.compile(r"t2w?|mr_?t2", re.IGNORECASE),
    "flair": re.compile(r"(?:mr_?|t2[-_]?)?flair|t2f", re.IGNORECASE),
    "t1c": re.compile(r"(?:mr_?)?t1(?:c|ce|gd|w?[-_]?(?:c|ce|gd|contrast))", re.IGNORECASE),
}


class Layout(layout.Layout):
    """`imagesTr/NAME_CCCC.nii.gz` and `labelsTr/NAME.nii.gz`; `channel_names` of `dataset.json` (before version 2
    `modality`) defines which channel CCCC is T1, T2, FLAIR or T1 with contrast. Scans of `imagesTs` lack labels and are
    left out.
    """

    expected = "imagesTr/NAME_0000.nii.gz, labelsTr/NAME.nii.gz and dataset.json that names the channels T1, T2, …"

    def subjects(self, root: Path) -> list[layout.Files]:
        if not (root / "dataset.json").is_file():
            return []
        found = layout.group(
            root,
            {kind: f"(.+)_{number}" for kind, number in channels(root / "dataset.json").items()},
            skip=("imagesTs", "labelsTr", "labelsTs"),
        )
        labels = {
            stem(path.name): path
            for path in layout.walk(root, skip=("imagesTr", "imagesTs", "labelsTs"))
            if path.parts[0] == "labelsTr"
        }
        return [replace(files, mask=labels.get(files.subject)) for files in found]

    def labels(self, root: Path) -> dict[int, str]:
        """Those of `labels` in dataset.json: {"1": "edema"} before version 2, {"edema": 1} or regions [1, 2] since."""
        path = root / "dataset.json"
        named = described(path).get("labels") if path.is_file() else {}
        found: dict[int, str] = {}
        for key, value in named.items() if isinstance(named, dict) else ():
            name, values = (value, [key]) if str(key).isdecimal() else (key, value)
            for number in values if isinstance(values, list | tuple) else [values]:
                if str(number).isdecimal() and int(number):
                    found.setdefault(int(number), str(name))
        return dict(sorted(found.items()))


def described(path: Path) -> dict[str, Any]:
    """The content of a dataset.json. Raises HarnessError for another one."""
    try:
        about = read_json(path)
    except ValueError as error:
        raise HarnessError(f'{path}: names no channels ({error}); add "channel_names": {{"0": "T1"}}') from error
    if not isinstance(about, dict):
        raise HarnessError(f'{path}: names no channels; add "channel_names": {{"0": "T1"}}')
    return about


def channels(path: Path) -> dict[str, str]:
    """Numbers of the channels by modality, four digits each.

    Raises HarnessError if the file is no description of a data set, or names no known channel.
    """
    try:
        about = described(path)
        names: Any = about.get("channel_names") or about.get("modality")
        named = {str(name): f"{int(number):04d}" for number, name in names.items()}
    except (ValueError, AttributeError) as error:
        raise HarnessError(f'{path}: names no channels ({error}); add "channel_names": {{"0": "T1"}}') from error
    found = {
        kind: number for kind, pattern in KINDS.items() for name, number in named.items() if pattern.fullmatch(name)
    }
    if not found:
        raise HarnessError(f"{path}: no channel is called T1, T2 or FLAIR; there are {', '.join(named)}")
    return found
