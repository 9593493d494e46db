"""Table 2 under every evaluated protocol: effect of the choice of voxels and thresholds on the same score maps."""

from dataclasses import replace

from uadbench.evaluation.protocols.protocols import PROTOCOLS
from uadbench.paper import table
from uadbench.paper.inputs import Sources
from uadbench.paper.published import made_by
from uadbench.paper.table import Row, Table
from uadbench.paper.tables.table2 import METRICS, order

MIN_PROTOCOLS = 2
NOTES = {
    "upd": (
        "upd: the paper quotes these rows from UPD_study (Lagogiannis et al., IEEE TMI 2024).",
        "UPD_study's methods scored slices at 128 × 128; here maps are made at the packed voxel size and then resized, "
        "unless the preprocessing is upd, too.",
        "UPD_study registered to SRI24, extracted brains with ROBEX and divided by the maximum; here the preprocessing "
        "of the config holds.",
        "UPD_study tested the first 90 % of the subjects, and in ATLAS 220 instead of 655 scans, very probably of an "
        "older release; here the subjects stated above.",
        "A grid of 100 linear thresholds underestimates ⌈Dice⌉ of maps with a few large scores.",
    ),
    "official": (
        "official: the paper's authors evaluated DISYRE and MOOD22 themselves; how is not printed, so this is the "
        "closest known, their public code for DISYRE, which is younger than the paper.",
        "That code draws voxels with replacement and anew in every run; here they are the same for all, so that "
        "methods can be compared.",
        "It takes scores of a volume for logits if any exceeds 1, so that volumes of one test set may be ranked on two "
        "scales; this is kept.",
        "Its thresholds are about 0.005 apart and end at 1 whatever the scores are, which underestimates ⌈Dice⌉ of "
        "maps with small scores.",
    ),
}


def make(sources: Sources) -> Table:
    """Build the table: a section per protocol, the paper's numbers in the section of the protocol closest to theirs."""
    published = sources.published
    by_protocol = sources.by_protocol
    first = next(iter(by_protocol.values()))
    cols = table.columns(first, published, "table2", METRICS)
    rows: list[Row] = []
    best: frozenset[tuple[int, int]] = frozenset()
    for protocol, results in by_protocol.items():
        paper = published.methods("table2")
        shown = {method for method, _, _ in paper if made_by(method) == protocol}
        shown |= {method for method, _, _ in results.methods}
        entries = [e for e in order(paper, results.methods, absent=published.shown) if e[0] in shown]
        group = range(len(rows), len(rows) + len(entries))
        for entry in entries:
            known = published if made_by(entry[0]) == protocol else None
            rows.append(table.method_row(entry, cols, results, known, section=protocol))
        best |= table.best(tuple(rows), cols, group, sources.significant, protocol)
    done = tuple(rows)
    return Table(
        name="protocols",
        caption=(
            "Table 2 under every evaluation protocol that was run: average precision (AP) and best possible Dice "
            "(⌈Dice⌉) of the same score maps."
            + " The paper's numbers stand under the protocol closest to the one that made them."
            * published.shown
        ),
        heads=("Protocol", "Method"),
        columns=tuple(replace(c, paper=any(row.paper[j] for row in done)) for j, c in enumerate(cols)),
        rows=done,
        notes=(
            *table.shared_notes(first, done),
            *sources.unquoted,
            sources.bold,
            *protocol_notes(list(by_protocol)),
            *sources.terms(first),
        ),
        results=first,
        best=best,
        section_chance={protocol: table.chance(results, cols) for protocol, results in by_protocol.items()},
    )


def protocol_notes(protocols: list[str]) -> list[str]:
    """Notes on the voxels of each protocol, the source of the paper's numbers, and known differences."""
    described = [f"{name}: {PROTOCOLS[name].description}." for name in protocols if name in PROTOCOLS]
    known = [note for name in protocols for note in NOTES.get(name, ())]
    return ["Protocols are tested one by one.", *described, *known]
