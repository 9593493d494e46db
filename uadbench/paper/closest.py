"""The paper's numbers beside ours under the protocol closest to the one that made them.

DISYRE's and MOOD22's come from the paper's authors, whose public code is the protocol `official`.
"""

from collections.abc import Mapping
from dataclasses import replace

from uadbench.paper import table
from uadbench.paper.inputs import Sources
from uadbench.paper.published import OFFICIAL, made_by
from uadbench.paper.table import Chance, Column, Row


def apart(
    rows: tuple[Row, ...], cols: tuple[Column, ...], sources: Sources
) -> tuple[tuple[Row, ...], Mapping[str, Chance]]:
    """The rows, and the chance levels of sections where the protocols of sections differ.

    Where OFFICIAL was run beside the table's protocol, the authors' numbers move from a row to a copy below all rows,
    in the section "SECTION (official)" with our numbers under that protocol.
    """
    closest = sources.by_protocol.get(OFFICIAL)
    own = [row for row in _elsewhere(rows, sources) if made_by(row.method) == OFFICIAL]
    if closest is None or not own:
        return rows, {}
    copies = [
        replace(
            row,
            section=f"{row.section} ({OFFICIAL})",
            ours=tuple(closest.get(row.method, c.task, c.score or row.score, c.metric) for c in cols),
        )
        for row in own
    ]
    kept = [replace(row, paper=(None,) * len(cols)) if row in own else row for row in rows]
    chances = {rows[-1].section: table.chance(sources.results, cols)}
    chances |= dict.fromkeys((row.section for row in copies), table.chance(closest, cols))
    return (*kept, *copies), chances


def notes(rows: tuple[Row, ...], sources: Sources) -> list[str]:
    """Which protocol the paper's numbers of `rows` are closest to, where it is not the table's, and where ours are."""
    labels: dict[str, dict[str, None]] = {}
    for row in _elsewhere(rows, sources):
        labels.setdefault(made_by(row.method), {})[row.label if row.score == "final" else row.title] = None
    found = []
    for protocol, named in labels.items():
        numbers = f"The paper's numbers of {', '.join(named)} are closest to the protocol {protocol}"
        if protocol not in sources.by_protocol:
            ours = f", which was not run: evaluation: {{protocols: [{sources.results.protocol}, {protocol}]}} adds it."
        elif protocol == OFFICIAL:
            ours = f" and stand beside ours under it, in sections with ({OFFICIAL})."
        else:
            ours = "; the table protocols has ours under it."
        found.append(numbers + ours)
    return found


def _elsewhere(rows: tuple[Row, ...], sources: Sources) -> list[Row]:
    """The rows with numbers of ours and of the paper whose protocol is closest to another than the table's."""
    compared = (row for row in rows if any(row.ours) and any(row.paper))
    return [row for row in compared if made_by(row.method) != sources.results.protocol]
