"""Patients: which scans are of the same person, as a data set states or as their names say."""

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence

#: names of scans with their visit: BIDS, BraTS since 2023, OASIS, a word and a number; the only group is the patient
VISIT = re.compile(
    r"(?:(sub-[A-Za-z0-9]+)_.+|(BraTS(?:-[A-Za-z]+)+-\d+)-\d+|(OAS\d_?\d{4})_.+"
    r"|(.+?)[-_.](?:ses|session|visit|tp|timepoint|week|month|fu|followup|mr)[-_]?[a-z]?\d+[a-z]?(?:[-_.].*)?)",
    re.IGNORECASE,
)
#: patients of public releases, whose names are those of the same people in any folder
RELEASED = re.compile(
    r"(?:sub-)?(?:CC\d{6}|IXI\d{3}|r\d{3}s\d{3}|OAS\d_?\d{4}|\d{3}_?S_?\d{4})"
    r"|BraTS(?:20_Training|2021|(?:-[A-Za-z]+)+)[-_]\d+|(?:UCSF-PDGM|UPENN-GBM)-\d+"
)
NUMBERED = re.compile(r"(.+)[-_.]\d+")


def of_name(name: str) -> str:
    """The patient that the name of a scan says; the name itself where it says none."""
    match = VISIT.fullmatch(name)
    return next(filter(None, match.groups())) if match else name


def several(scans: Iterable[str], stated: Mapping[str, str]) -> dict[str, str]:
    """Patient by scan, of the patients with several of the scans; stated: of scans whose patient is no other name."""
    patients = {scan: stated.get(scan) or scan for scan in scans}
    number = Counter(patients.values())
    return {scan: patient for scan, patient in patients.items() if number[patient] > 1}


def numbers(patients: Sequence[Hashable]) -> list[int]:
    """Number of the patient of each scan, by first appearance: 0, 1, 2, … where each scan has a patient of its own."""
    order = {patient: number for number, patient in enumerate(dict.fromkeys(patients))}
    return [order[patient] for patient in patients]


def counted(scans: int | str, patients: int | str) -> str:
    """The number of scans, and that of their patients where it differs: "12", or "24 scans of 6 patients"."""
    return str(scans) if scans == patients else f"{scans} scans of {patients} patient{'s' * (str(patients) != '1')}"


def hint(scans: Sequence[str], patients: Mapping[str, str], remedy: str) -> str:
    """A question where names that differ in a last number alone may be several scans of a patient; empty elsewhere."""
    beginnings = [match[1] for name in scans if name not in patients and (match := NUMBERED.fullmatch(name))]
    found = list(dict.fromkeys(beginnings))
    if len(found) < 2 or 2 * len(found) > len(beginnings):
        return ""
    return (
        f"{len(beginnings)} names begin with {', '.join(found[:3])}{', …' * (len(found) > 3)} and end in a number: "
        + (f"are these visits of {len(found)} patients? {remedy}")
    )
