"""The run that comes with the package: where it is, and what is said wherever it is used."""

from typing import Any

from uadbench.core.files import read_json
from uadbench.core.packaged import RESOURCES
from uadbench.core.study_folder import RUN
from uadbench.sharing.contents import CARD, HEALTHY
from uadbench.sharing.licences import Origin

#: packed by `uadbench share`; config/packaged.yaml makes it
FOLDER = RESOURCES / "run"
#: of FOLDER: what benchmarks/packaged.py measured on real scans
MEASURED = "measured.json"


def notice() -> str:
    """Which run this is, its threshold, its false positives in healthy brains, what it is not made for: one line."""
    about = read_json(FOLDER / RUN)
    measured = read_json(FOLDER / MEASURED) if (FOLDER / MEASURED).is_file() else {"healthy": ()}  # made after the run
    threshold, origin = about["thresholds"][HEALTHY], Origin.of(about)
    healthy = "; ".join(map(_healthy, measured["healthy"])) or "as yet unmeasured volumes"
    return (
        f"the run that comes with uadbench: {about['title']} trained on T1-weighted scans of {about['subjects']} "
        f"people of the data set “{origin.title}” ({origin.licence}). It is for T1-weighted scans alone, no medical "
        f"device, and not made for your scanner. Its threshold is {threshold:.3g}; at or above it are "
        f"in healthy brains {healthy}. More: {FOLDER / CARD}"
    )


def _healthy(group: dict[str, Any]) -> str:
    middle, low, high = group["ml"][HEALTHY]
    return f"{middle:.1f} ml ({low:.1f} to {high:.1f}) with {group['scanner']}"
