"""Patients of score maps: as a CSV, a pattern or a mapping says, else as the names of the maps do."""

import re
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from uadbench.core import csv_files
from uadbench.core.errors import HarnessError
from uadbench.core.patients import counted, hint, of_name, several

Patients = str | Mapping[str, str] | Sequence[str]
REMEDY = "give patients: a CSV with the columns subject and patient, or a pattern such as '(.+)-[0-9]+'"


def grouped(names: Sequence[str], healthy: Sequence[str], given: Patients | None) -> dict[str, str]:
    """Patient by name of a map, of the patients with several; says on standard error how many they are.

    given: path of a CSV; a regular expression for the beginning of a name, whose first group is the patient; patients
    by name, or in the order of `names`. Healthy maps may lack one. Raises HarnessError naming a map without a patient.
    """
    found = {name: of_name(name) for name in (*healthy, *names)} | stated(names, healthy, given)
    own = several(names, found)
    if own:
        number = len({own.get(name, name) for name in names})
        print(f"{counted(len(names), number)}: intervals are over patients", file=sys.stderr)
    elif given is None and (doubt := hint(names, {}, f"then {REMEDY}")):
        print(f"warning: {doubt}", file=sys.stderr)
    return several(healthy, found) | own


def stated(names: Sequence[str], healthy: Sequence[str], given: Patients | None) -> dict[str, str]:
    """What is given, by name of a map."""
    if given is None:
        return {}
    if isinstance(given, str) and not given.lower().endswith((".csv", ".tsv")) and not Path(given).is_file():
        try:
            matches = {name: re.match(given, name) for name in (*healthy, *names)}
            found = {name: match[min(1, len(match.groups()))] for name, match in matches.items() if match}
        except re.error as error:
            raise HarnessError(
                f"patients: {given!r} is no file and no regular expression ({error}); {REMEDY}"
            ) from None
    elif isinstance(given, str):
        rows = csv_files.read(Path(given), ("subject", "patient"), REMEDY)
        found = {row["subject"].strip(): row["patient"].strip() for row in rows}
    elif isinstance(given, Mapping):
        found = {str(name): str(patient) for name, patient in given.items()}
    elif not isinstance(given, Collection):
        raise HarnessError(f"patients: {given!r} names none; {REMEDY}")
    elif len(given) == len(names):
        found = dict(zip(names, map(str, given), strict=True))
    else:
        raise HarnessError(f"patients: {len(given)} of {len(names)} maps; give one for each, in their order")
    if lacking := [name for name in names if not found.get(name)]:
        raise HarnessError(f"patients: none for the map {lacking[0]} in {given!r}; {REMEDY}")
    return found
