"""Tasks that the paper's numbers may stand beside: real scans of the release, modality and number that it tested on.

The name of a task decides nothing. A row of another test set is no reproduction, whatever its column is called.
"""

from uadbench.data.index import release, splits
from uadbench.paper.results import Results

#: release, a row of datasets.csv, and modality of each task of the paper (Naval Marimont et al. 2024, section 3)
TESTS = {"ATLAS": ("atlas", "t1"), "BraTS-T1": ("brats", "t1"), "BraTS-T2": ("brats", "t2")}
LOST = 0.05  # maximum fraction of the subjects of a release, or of one of its named parts, that may be missing


def tasks(results: Results) -> tuple[dict[str, str], dict[str, str]]:
    """The paper's task by each of ours that its numbers may stand beside; and the reason against it by each other one.

    A study with simulated scans, of training or of a test, has none. The number of subjects is that of the release or
    of one of `splits.SUBSETS`, as UPD_study's part, apart from a fraction LOST.
    """
    found, absent = dict[str, str](), dict[str, str]()
    for task in results.tasks:
        theirs, reason = (None, "simulated scans") if results.simulated else _theirs(results, task)
        if theirs is None:
            absent[task] = reason
        else:
            found[task] = theirs
    return found, absent


def note(absent: dict[str, str]) -> list[str]:
    """The note below a table on tasks without the paper's numbers; empty without such tasks."""
    by_reason: dict[str, list[str]] = {}
    for task, reason in absent.items():
        by_reason.setdefault(reason, []).append(task)
    listed = "; ".join(f"{', '.join(those)}: {reason}" for reason, those in by_reason.items())
    return [f"The paper's numbers are left out – {listed}."] if absent else []


def _theirs(results: Results, task: str) -> tuple[str | None, str]:
    """The paper's task that is one of ours, or None with the reason."""
    rows = results.rows[results.rows["task"] == task]
    stated = sorted({*rows["release"]})
    if stated == [""]:
        return None, "the release of the data set is not stated"
    known = {(of, modality): name for name, (of, modality) in TESTS.items()}
    modality = rows["modality"].iloc[0]
    theirs = known.get((stated[0], modality)) if len(stated) == 1 else None
    if theirs is None:
        return None, f"the paper has none of {modality.upper()} of the release {' and '.join(filter(None, stated))}"
    whole = release.find(stated[0])
    sizes = [round(share * (whole.subjects or 0)) for share in splits.SUBSETS.values()]
    if not all(any((1 - LOST) * size <= count <= size for size in sizes) for count in rows["subjects"]):
        counts, _ = results.subjects(task)
        return None, f"{counts} subjects, not the {' or '.join(map(str, sizes))} of {whole.title}"
    return theirs, ""
