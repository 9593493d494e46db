"""Selection of subjects by what the data set states of them: `where: {group: control, age: 40-80}`."""

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from uadbench.core.errors import HarnessError, choices, listed
from uadbench.core.sorting import natural
from uadbench.core.study_folder import PARTICIPANTS
from uadbench.data.index import participants

#: values of each column, of which a subject has one: a text, with * and ? for others, a number, or a range of numbers
Conditions = Mapping[str, Sequence[str]]

NUMBER = r"[-+]?\d+(?:\.\d+)?"
LIMIT = r"\d+(?:\.\d+)?"
RANGE = re.compile(rf"(?P<low>{LIMIT})\s*[-–]\s*(?P<high>{LIMIT})?")
#: a number as tables have it: 61, "61,5", 061Y, 89+, > 89; of the last two the limit counts
CELL = re.compile(
    rf"[<>≥≤]?=?\s*(?P<low>{NUMBER})(?:\s*[-–]\s*(?P<high>{LIMIT}))?\s*(?:\+|y|yrs?|years?)?", re.IGNORECASE
)
MOST = 12  # values that a message lists


def conditions(pairs: Iterable[str]) -> dict[str, list[str]]:
    """Parse conditions of the form COLUMN=VALUE; several of one column are alternatives. Raises HarnessError."""
    found: dict[str, list[str]] = {}
    for pair in pairs:
        column, equals, value = pair.partition("=")
        if not (column.strip() and equals and value.strip()):
            raise HarnessError(f"--where: {pair!r} is not like group=control or age=40-80")
        found.setdefault(column, []).append(value)
    return found


def select(subjects: Mapping[str, str], people: participants.Participants, wanted: Conditions) -> list[str]:
    """The subjects that fulfil all conditions, in their order. subjects: patient by subject.

    Raises HarnessError as `check` does, and where nobody fulfils them all.
    """
    columns = check(people, wanted)
    rows = {name: participants.stated(name, patient, people) for name, patient in subjects.items()}
    found = [
        name
        for name, row in rows.items()
        if row
        and all(any(holds(row.get(columns[key], ""), value) for value in values) for key, values in wanted.items())
    ]
    if not found:
        without = sum(not row for row in rows.values())
        raise HarnessError(
            f"where: none of {len(rows)} subjects fulfils {described(wanted)}"
            f"{f'; {without} have no line in {PARTICIPANTS}' * bool(without)}; ask for less"
        )
    return found


def check(people: participants.Participants, wanted: Conditions) -> dict[str, str]:
    """The columns that conditions are about, by the names they have there.

    Raises HarnessError, which names those that there are, for a column that the table lacks, and a value that nobody
    has.
    """
    if wanted and not people:
        raise HarnessError(f"where: no {PARTICIPANTS} with a column participant_id; add it, or remove `where`")
    known = list(dict.fromkeys(column for row in people.values() for column in row))
    found = {}
    for key, values in wanted.items():
        column = participants.source(key, known)
        if column is None:
            raise HarnessError(
                f"where: {PARTICIPANTS} has no column {key!r}; {choices(participants.plain(key), known)}"
            )
        cells = list(dict.fromkeys(row.get(column, "") for row in people.values()))
        for value in values:
            if not any(holds(cell, value) for cell in cells):
                raise HarnessError(f"where.{key}: nobody has {value!r}; {_present(value, cells)}")
        found[key] = column
    return found


def holds(cell: str, value: str) -> bool:
    """Whether a cell has a value: the same text (capitals aside, * and ? stand for others), number, or one in a range.

    A cell without a value has `n/a` alone. A range includes its ends, of which the greater may be left out: 60-.
    """
    cell, value = cell.strip().lower(), value.strip().lower()
    if not cell or participants.missing(value):
        return not cell and participants.missing(value)
    if cell == value or fnmatchcase(cell, value):
        return True
    has = span(cell)
    if has is None:
        return False
    if exact := re.fullmatch(NUMBER, value):
        return has == (float(exact[0]),) * 2
    if (limits := RANGE.fullmatch(value)) is None:
        return False
    return float(limits["low"]) <= has[0] and (not limits["high"] or has[1] <= float(limits["high"]))


def span(cell: str) -> tuple[float, float] | None:
    """The least and the greatest number of a cell; None for a text."""
    match = CELL.fullmatch(re.sub(r"(?<=\d),(?=\d)", ".", cell))
    if match is None:
        return None
    return float(match["low"]), float(match["high"] or match["low"])


def described(wanted: Conditions) -> str:
    """Conditions in words: "group control, age 40-80"."""
    return ", ".join(f"{key} {' or '.join(values)}" for key, values in wanted.items())


def _present(value: str, cells: Sequence[str]) -> str:
    """What a column holds: its values, or the least and the greatest of many numbers."""
    some = [cell for cell in cells if cell]
    spans = list(filter(None, map(span, some)))
    if len(some) > MOST and len(spans) > len(some) / 2:
        return f"values go from {min(spans)[0]:g} to {max(high for _, high in spans):g}"
    some.sort(key=natural)
    return choices(value, some) if len(some) <= MOST else f"there are {listed(some, MOST)}"
