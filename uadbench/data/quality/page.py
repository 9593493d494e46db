"""Quality page of a data set: one self-contained HTML file with all pictures embedded, readable offline."""

import base64
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from markupsafe import Markup

from uadbench.core.files import atomic
from uadbench.core.page_policy import policy
from uadbench.core.templates import template
from uadbench.data.label_values import named
from uadbench.data.quality import charts, montage, outlines, rules
from uadbench.data.quality.cohort import STATUSES, Cohort, Subject
from uadbench.data.quality.montage import Picture
from uadbench.data.quality.rules import BY_KEY, MEASURES, Measure

TEMPLATE = Path(__file__).with_name("page.html.j2")
FIRST = Markup('document.documentElement.classList.add("scripted");')  # before anything is drawn
#: pictures of these scenes share one stage each, where one replaces another in place
STAGES = (montage.OWN, montage.MIDDLE, montage.LARGEST)


def write(cohort: Cohort, path: Path) -> None:
    """Write the page at `path`."""
    parts = dict.fromkeys(subject.split for subject in cohort.subjects)
    overviews = [overview for measure in MEASURES if (overview := _overview(cohort, measure))]
    own = (TEMPLATE.with_name(name).read_text(encoding="utf-8") for name in ("pictures.js", "rating.js"))
    script = Markup("//<![CDATA[\n" + "\n".join(own) + "\n//]]>")
    page = template(TEMPLATE).generate(
        policy=policy(FIRST, script),
        first=FIRST,
        script=script,
        cohort=cohort,
        counts={word: sum(s.status == status for s in cohort.subjects) for status, word in STATUSES.items()},
        splits={part: sum(s.split == part and s.status != "lost" for s in cohort.subjects) for part in parts},
        statuses=STATUSES,
        lost=[(subject, note) for subject in cohort.subjects for note in subject.notes if note.status != "done"],
        noted=_noted(cohort),
        labels=_labels(cohort),
        flagged=[subject for subject in cohort.subjects if subject.flags],
        overviews=overviews,
        exclude=exclusion(cohort),
        common=[BY_KEY[key].title for key in cohort.common],
        settings=json.dumps(cohort.settings, indent=1, sort_keys=True),
        rules=rules,
        data=_data(cohort),
        tokens=_token,
        proposed=set(cohort.proposed),
        stages=_stages,
        units=outlines.UNITS,
        colours={"brain": _css(montage.BRAIN), "lesion": _css(montage.LESION), "template": _css(montage.TEMPLATE)},
        facts=lambda subject: [(m, subject.values[m.key]) for m in MEASURES if m.key in subject.values],
        ranges={overview["measure"].key: overview["spread"] for overview in overviews},
        curves=lambda subject: _curves(cohort, subject),
        picture=lambda data: "data:image/jpeg;base64," + base64.b64encode(data).decode("ascii"),
    )
    with atomic(path) as partial, partial.open("w", encoding="utf-8") as file:
        file.writelines(page)


def exclusion(cohort: Cohort) -> str:
    """Config lines that exclude flagged subjects, except by measures flagged in most; empty without such subjects.

    Subjects that the config excludes already come first, since a list of the config replaces another.
    """
    return _lines(cohort.dataset, [*cohort.excluded, *cohort.proposed]) if cohort.proposed else ""


def _lines(dataset: str, names: Sequence[str]) -> str:
    """Lines of the config that exclude subjects of a data set; the page writes the same ones."""
    head = f"datasets:\n  {_token(dataset)}:\n    exclude:\n"
    return head + "".join(f"      - {_token(name)}\n" for name in names)


def _token(text: str) -> str:
    """A string as a scalar of YAML on one line, quoted where needed."""
    return yaml.safe_dump([text], default_flow_style=False, allow_unicode=True, width=math.inf)[2:].rstrip("\n")


def _data(cohort: Cohort) -> Markup:
    """What the scripts of the page need besides the subjects, as JSON without characters of markup."""
    values = {
        "dataset": cohort.dataset,
        # Simulated scans bear the names of real ones.
        "key": f"uadbench quality {cohort.dataset}{' simulated' if cohort.simulated else ''}",
        "head": _lines(cohort.dataset, []),
        "excluded": [{"name": name, "token": _token(name)} for name in cohort.excluded],
    }
    # ASCII escapes keep the text harmless inside of a script element, in HTML as in XML.
    return Markup(json.dumps(values).translate({ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&"}))


def _stages(subject: Subject) -> list[tuple[str, list[tuple[str, Picture]]]]:
    """The pictures of a subject with their captions, by scene."""
    return [
        (scene, shown)
        for scene in STAGES
        if (shown := [(name, picture) for name, picture in subject.pictures.items() if picture.scene == scene])
    ]


def _noted(cohort: Cohort) -> dict[str, list[str]]:
    """Notes on subjects that are used, with the names of all subjects of each note."""
    noted: dict[str, list[str]] = {}
    for subject in cohort.subjects:
        for note in subject.notes:
            if note.status == "done":
                noted.setdefault(note.reason, []).append(subject.name)
    return noted


def _labels(cohort: Cohort) -> str:
    """The values of the labels with their packed voxels, and which of them count as healthy; "" without labels."""
    voxels = cohort.label_voxels
    left_over = cohort.labelled.left_over(voxels, cohort.dataset)
    return "; ".join(filter(None, [named(voxels), left_over.partition(": ")[2]]))


def _overview(cohort: Cohort, measure: Measure) -> dict[str, Any] | None:
    """Summary of one measure over the cohort, at the top of the page; None where no subject has it."""
    values = cohort.values(measure.key)
    if not values:
        return None
    limits = cohort.limits[measure.key]
    spread = f"{measure.text(limits.median)} ({measure.number(min(values))} to {measure.number(max(values))})"
    flagged = [s.name for s in cohort.subjects if any(flag.key == measure.key for flag in s.flags)]
    chart = charts.distribution(values, limits.low, limits.high, measure.title)
    return {"measure": measure, "count": len(values), "spread": spread, "flagged": flagged, "chart": chart}


def _curves(cohort: Cohort, subject: Subject) -> list[tuple[str, Markup]]:
    """The subject's histogram of each modality beside the cohort's mean, by name."""
    # The last bin holds all saturated voxels and would dwarf the others.
    tops = {name: 2 * float(mean[:-1].max()) for name, mean in cohort.means.items()}
    return [
        (
            name.upper(),
            charts.curve(
                shares, cohort.means[name], tops[name], f"Histogram of {name.upper()} grey values in the brain"
            ),
        )
        for name, shares in subject.histograms.items()
    ]


def _css(colour: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def about(cohort: Cohort) -> dict[str, Any]:
    """Numbers of subjects that are used, partly lost, lost and flagged, for a line on the terminal."""
    counts = {word: sum(s.status == status for s in cohort.subjects) for status, word in STATUSES.items()}
    return {**counts, "flagged": sum(bool(s.flags) for s in cohort.subjects)}
