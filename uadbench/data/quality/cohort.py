"""Quality of a cohort: measurement of every subject, comparison within the cohort, and flags."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from uadbench.core import csv_files
from uadbench.core.errors import HarnessError
from uadbench.core.modalities import NAMES
from uadbench.core.study_folder import SIMULATED
from uadbench.data.index.sheet import Row, Sheet
from uadbench.data.label_values import EVERY, LabelValues
from uadbench.data.preprocessing.reading import geometry
from uadbench.data.preprocessing.records import report as reports
from uadbench.data.preprocessing.records.report import Outcome
from uadbench.data.preprocessing.registration import template as templates
from uadbench.data.preprocessing.registration.template import Template
from uadbench.data.preprocessing.settings import Preprocessing
from uadbench.data.quality import measures, montage, rules
from uadbench.data.quality.montage import Picture
from uadbench.data.quality.rules import BY_KEY, MEASURES, Flag, Limits

COLUMNS = ("subject", "split", "status", "file", "reason", *BY_KEY, "flags")  # of quality.csv
#: statuses of a subject as `preprocess` reports them, in words
STATUSES = {"done": "used", "partial": "partly lost", "lost": "lost"}


@dataclass(frozen=True)
class Subject:
    """One subject of the sheet: status as reported, `notes` the lines of the report with a reason.

    Lost ones have neither values nor pictures (by caption).
    """

    name: str
    split: str
    status: str
    notes: Sequence[Outcome] = ()
    values: Mapping[str, float] = field(default_factory=dict)
    histograms: Mapping[str, np.ndarray] = field(default_factory=dict)
    pictures: Mapping[str, Picture] = field(default_factory=dict)
    flags: Sequence[Flag] = ()
    labels: Mapping[int, int] = field(default_factory=dict)  # packed voxels by label value

    @property
    def flagged(self) -> set[str]:
        """Keys of the flagged measures."""
        return {flag.key for flag in self.flags}


@dataclass(frozen=True)
class Cohort:
    """The subjects of a data set, the limits of each measure, and the mean histogram of each modality.

    template: its picture, for comparison with the subjects'; None where all subjects are lost. excluded: subjects that
    the config excludes already, in no sheet. labelled: which label values are lesion, and which are ignored.
    """

    dataset: str
    simulated: bool
    settings: Mapping[str, Any]
    subjects: Sequence[Subject]
    limits: Mapping[str, Limits]
    means: Mapping[str, np.ndarray]
    template: Picture | None = None
    excluded: Sequence[str] = ()
    labelled: LabelValues = EVERY

    @property
    def label_voxels(self) -> dict[int, int]:
        """Packed voxels of all subjects by label value."""
        voxels = sum((Counter(subject.labels) for subject in self.subjects), Counter[int]())
        return dict(sorted(voxels.items()))

    def values(self, key: str) -> list[float]:
        """Values of a measure, of the subjects that have it."""
        return [subject.values[key] for subject in self.subjects if key in subject.values]

    @property
    def common(self) -> list[str]:
        """Measures flagged in more than half of the subjects that have them (and of four), probably by the settings."""
        counts = Counter(flag.key for subject in self.subjects for flag in subject.flags)
        return [key for key in BY_KEY if counts[key] > max(len(self.values(key)), rules.LEAST - 1) / 2]

    @property
    def proposed(self) -> list[str]:
        """Flagged subjects, except those that only common measures flag."""
        return [subject.name for subject in self.subjects if subject.flagged - set(self.common)]


def build(
    dataset: str,
    sheet: Sheet,
    registered: Path,
    outcomes: Iterable[Outcome],
    threads: int = 1,
    excluded: Sequence[str] = (),
) -> Cohort:
    """Measure and flag every subject of the sheet; `excluded` are subjects that the config excludes already.

    Raises HarnessError for a subject without a report, without a folder, or with settings that differ from the rest.
    """
    outcomes = list(outcomes)
    records = reports.records(dataset, sheet, registered, outcomes)
    begun = [_begun(row, [outcome for outcome in outcomes if outcome.subject == row.subject]) for row in sheet.rows]
    simulated = any((sheet.root(row) / SIMULATED).exists() for row in sheet.rows)
    if not records:
        return compared(dataset, simulated, {}, begun, excluded)
    settings = next(record["settings"] for record in records.values())
    template, brain = _template(registered, settings)
    scene = montage.middle(template)
    sources = {row.subject: sheet.file(row, row.reference) if row.reference else None for row in sheet.rows}

    def measured(subject: Subject) -> Subject:
        folder, record, source = registered / subject.name, records[subject.name], sources[subject.name]
        volumes = measures.read(folder, record)
        if volumes.brain.shape != brain.shape:
            raise HarnessError(f"{folder}: its volumes are not on the grid of its settings; preprocess it again")
        return replace(
            subject,
            values=measures.measure(volumes, record, brain),
            labels=volumes.labels,
            histograms={name: measures.histogram(image) for name, image in volumes.images.items()},
            pictures=montage.all_of(folder, volumes, record, source, template, scene),
        )

    # Decompression of files, which releases the GIL, takes most of the time.
    with ThreadPoolExecutor(max(threads, 1)) as pool:
        done = dict(zip(records, pool.map(measured, [s for s in begun if s.status != "lost"]), strict=True))
    found = compared(dataset, simulated, settings, [done.get(subject.name, subject) for subject in begun], excluded)
    return replace(found, template=montage.of_template(template, scene))


def compared(
    dataset: str,
    simulated: bool,
    settings: Mapping[str, Any],
    subjects: Sequence[Subject],
    excluded: Sequence[str] = (),
) -> Cohort:
    """The cohort of measured subjects, with distances between histograms and flags."""
    means = {
        name: np.mean(shares, axis=0)
        for name in NAMES
        if (shares := [subject.histograms[name] for subject in subjects if name in subject.histograms])
    }
    subjects = [
        replace(
            subject,
            values={
                **subject.values,
                **{f"histogram_{m}": measures.distance(h, means[m]) for m, h in subject.histograms.items()},
            },
        )
        for subject in subjects
    ]
    limits = {
        measure.key: rules.limits(measure, [s.values[measure.key] for s in subjects if measure.key in s.values])
        for measure in MEASURES
    }
    flagged = [replace(subject, flags=rules.flags(subject.values, limits)) for subject in subjects]
    return Cohort(dataset, simulated, settings, flagged, limits, means, excluded=tuple(excluded))


def write(cohort: Cohort, path: Path) -> None:
    """Write quality.csv: one row per subject of the sheet, lost ones with file and reason and without numbers."""
    csv_files.write(path, COLUMNS, map(_row, cohort.subjects))


def _row(subject: Subject) -> dict[str, str]:
    return {
        **{"subject": subject.name, "split": subject.split, "status": subject.status},
        **{part: "; ".join(getattr(note, part) for note in subject.notes) for part in ("file", "reason")},
        **{key: f"{subject.values[key]:.6g}" for key in BY_KEY if key in subject.values},
        "flags": "; ".join(f"{flag.key} {flag.side}" for flag in subject.flags),
    }


def _begun(row: Row, outcomes: Sequence[Outcome]) -> Subject:
    """The subject by its report: lost if any line is."""
    said = {outcome.status for outcome in outcomes}
    status = next(status for status in ("lost", "partial", "done") if status in said)
    return Subject(row.subject, row.split, status, [outcome for outcome in outcomes if outcome.reason])


def _template(registered: Path, settings: Mapping[str, Any]) -> tuple[Template, np.ndarray]:
    """The template, and its brain (X, Y, Z), bool, on the grid of the packed arrays."""
    try:
        chosen = Preprocessing(**settings)
    except TypeError as error:
        raise HarnessError(
            f"{registered}: was made with other settings than there are now; preprocess again"
        ) from error
    template = templates.load(chosen.template)
    return template, geometry.sample(template.mask, template.affine, template.packed(chosen)) > 0.5
