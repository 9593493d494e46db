"""Model card of a shared run: README.md with the metadata that the Hugging Face hub reads."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from uadbench import __version__, baselines
from uadbench.core import csv_files
from uadbench.core.errors import HarnessError
from uadbench.core.files import sha256
from uadbench.core.modalities import MODALITIES
from uadbench.methods import registry
from uadbench.paper.results import Results
from uadbench.paper.simulated import REAL, SIMULATED
from uadbench.report.methods_section import NORMALISATION, entries
from uadbench.sharing.licences import Origin, strictest

LIMITS = """Research only. The run is not a medical device and not for diagnosis, treatment or triage. A score is not a
probability: it orders the voxels of scans like those of the training data. Other scanners, sequences, ages and diseases
change scores, and a healthy structure that is rare in the training data can have a high score. Measure the error on
your own scans before you use a threshold. Weights can contain traces of the training scans."""


@dataclass
class Card:
    """The card of a run.

    folder: of the run, in a study or alone; about: its `run.json`; required: that of the run that it builds on;
    origins: of the training data of both; licence: identifier of the weights' licence, None for that of the data;
    repo: OWNER/NAME for the commands; files: local files that scoring needs besides, by their setting.
    Collects `warnings` about contents left out. Raises HarnessError for a licence that is no identifier.
    """

    folder: Path
    about: dict[str, Any]
    required: dict[str, Any] | None
    origins: list[Origin]
    licence: str | None
    repo: str
    files: dict[str, Path]
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.licence is not None and not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", self.licence):
            raise HarnessError(f"--licence {self.licence}: no identifier of the hub; give one such as cc-by-4.0")
        name = self.about["method"]
        self.described = registry.describe(name, {name: {"title": self.about["title"]}})
        self.results = self._results()

    def text(self) -> str:
        """The whole card in Markdown."""
        sections = {
            "Method": self._method(),
            "Scoring a scan": self._use(),
            "Training data": self._data(),
            "Training": self._training(),
            "Hyper-parameters": self._params(),
            "Evaluation": self._evaluation(),
            "Intended use and limits": LIMITS,
            "Citation": self._citation(),
        }
        parts = [f"---\n{yaml.safe_dump(self.metadata, sort_keys=False, allow_unicode=True)}---", f"# {self.name}"]
        return "\n\n".join([*parts, *(f"## {title}\n\n{body}" for title, body in sections.items() if body)]) + "\n"

    @property
    def name(self) -> str:
        """Title of the card."""
        modality = MODALITIES[self.about["modality"]].title
        return f"{self.about['title']}: unsupervised anomaly detection in {modality} brain MRI"

    @cached_property
    def metadata(self) -> dict[str, Any]:
        """The block of metadata, with keys of the hub."""
        origin = strictest(self.origins)
        found: dict[str, Any] = {"license": self.licence or origin.identifier}
        if found["license"] == "other":
            found["license_name"] = "agreement-of-the-training-data"
            if origin.release is not None:
                found["license_link"] = origin.release.source
        names = [registry.base(self.about["method"]), self.about["modality"]]
        tags = ["unsupervised-anomaly-detection", "anomaly-detection", "brain-mri", "medical-imaging", *names]
        if self.about.get("simulated"):
            tags.append("simulated-data")
        return {**found, "library_name": "uadbench", "pipeline_tag": "image-segmentation", "tags": tags}

    def _method(self) -> str:
        about, described = self.about, self.described
        family = registry.FAMILIES[described.family]
        lines = [
            f"{about['title']} ({family}; {described.paper}): {described.summary}",
            f"The method is the file `baselines/{registry.base(about['method'])}.py`, revision {about['revision']}, of "
            f"uadbench {about.get('harness', '')}.".replace(" .", "."),
        ]
        if registry.BASELINES.path(registry.base(about["method"])).parent != Path(baselines.OURS):
            lines.append("This file is not part of uadbench: scoring needs it in a folder given by `--baselines`.")
            self.warnings.append(f"method {about['method']}: its file is not part of uadbench; whoever scores needs it")
        if self.required is not None:
            lines.append(f"It builds on a run of {self.required['title']}, which lies in the folder `required`.")
        return " ".join(lines)

    def _use(self) -> str:
        lines = [
            f"With uadbench {self.about.get('harness', __version__)}, or a later one with this revision of the method:",
            f"```bash\nuadbench score --run hf://{self.repo} --image scan.nii.gz --out map.nii.gz\n```",
            f"`scan.nii.gz` is a {MODALITIES[self.about['modality']].title} scan of a head or an extracted brain. "
            "`score` preprocesses it like the training data and writes the map on the voxels of the scan. The weights "
            "are safetensors; `score` checks them by the checksums in `run.json`.",
        ]
        if self.files:
            lines.append("Scoring also needs these files in the working folder:")
            rows = [(f"`{path.name}`", key, f"`{_digest(path)}`") for key, path in self.files.items()]
            lines.append(_table(("file", "setting", "SHA-256"), rows))
        return "\n\n".join(lines)

    def _data(self) -> str:
        about, lines = self.about, []
        for origin in dict.fromkeys(self.origins):
            lines.append(f"- Data set: {origin.title}{' (simulated)' * origin.simulated}")
            lines.append(f"- Licence of the data: {origin.licence}")
            if origin.release is not None:
                lines.append(f"- Source: {origin.release.source}; {origin.release.reference}")
        if any(origin.restricted for origin in self.origins):
            lines.append("- Whoever shared this run stated the right to pass on weights trained on these data.")
        held_out = about.get("validation_subjects", 0)
        lines.append(f"- Healthy subjects: {about.get('subjects', 'unknown')}, and {held_out} held out for validation")
        lines.append(f"- Modality: {MODALITIES[about['modality']].title}, voxels of {about['spacing']:g} mm")
        made = about.get("preprocessing") or {}
        if made:
            named = ", ".join(f"{key} `{self._cut('preprocessing', key, value)}`" for key, value in made.items())
            rule = NORMALISATION.get(made.get("normalisation", ""))
            grey = f"; grey values are divided by {rule}" if rule else ""
            lines.append(f"- Preprocessing: {named}{grey}")
        if about.get("simulated"):
            lines.append("\nThe scans are **simulated**: the run tests a pipeline, and no MRI of a person was used.")
        return "\n".join(lines)

    def _params(self) -> str:
        values = self.about["params"].items()
        rows = [(f"`{key}`", f"`{self._cut('params', key, value)}`") for key, value in values]
        return _table(("name", "value"), rows) if rows else ""

    def _training(self) -> str:
        about = self.about
        rows = [
            ("steps", self._steps()),
            ("seed", about["seed"]),
            ("device", about.get("device", "unknown")),
            ("precision", about.get("precision", "unknown")),
            ("time", f"{about['seconds']:g} s" if "seconds" in about else "unknown"),
            ("version", f"uadbench {about.get('harness', 'unknown')}"),
            *self._commit(),
        ]
        return _table(("training", ""), rows)

    def _commit(self) -> list[tuple[str, str]]:
        made = self.about.get("environment") or {}
        if not made.get("commit"):
            return []
        return [("commit", f"{made['commit']}{' with changes' * bool(made.get('modified'))}")]

    def _steps(self) -> str:
        """Steps of every phase of training, from the history."""
        path = self.folder / "history.csv"
        if not path.is_file():
            return "unknown"
        rows = csv_files.read(path, ("phase", "step"), "train this run again")
        last = {row["phase"]: row["step"] for row in rows}
        if not last:
            return "none, the method has no training of its own"
        return ", ".join(f"{steps} ({phase})" if len(last) > 1 else steps for phase, steps in last.items())

    def _results(self) -> dict[str, Results]:
        """Results of the study that the run lies in, by protocol; empty without them or where the run is newer."""
        folder = self.folder.resolve()
        if len(folder.parents) < 4 or folder.parents[2].name != "training":
            return {}
        path = folder.parents[3] / "evaluation" / "results.csv"
        if not path.is_file():
            return {}
        if path.stat().st_mtime < (folder / "run.json").stat().st_mtime:
            self.warnings.append(f"{path}: older than the run, so the card has no evaluation; run snakemake again")
            return {}
        return Results.read(path)

    def _evaluation(self) -> str:
        rows = []
        for protocol, results in self.results.items():
            for task in results.tasks:
                ap, dice = (self._number(results, task, metric) for metric in ("ap", "dice"))
                if ap or dice:
                    method = self.about["method"]
                    kind = SIMULATED if results.simulated_at(task, method)[1] else REAL
                    rows.append((task, kind, protocol, results.subjects(task, method)[0], ap, dice))
        if not rows:
            return ""
        head = ("task", "scans", "protocol", "subjects", "AP", "⌈Dice⌉")
        return (
            f"Results of this run (seed {self.about['seed']}). AP is the average precision over voxels, ⌈Dice⌉ the "
            "best Dice over thresholds of the score; in brackets the 95 % bootstrap interval over subjects.\n\n"
            + _table(head, rows)
        )

    def _number(self, results: Results, task: str, metric: str) -> str:
        found = results.values(self.about["method"], task, "final", metric)
        own = found[(found["seed"] == self.about["seed"]) & (found["modality"] == self.about["modality"])]
        if own.empty:
            return ""
        value, low, high = own.iloc[0][["value", "low", "high"]]
        if value != value:
            return "–"
        return f"{value:.3f} ({low:.3f} to {high:.3f})" if low == low and high == high else f"{value:.3f}"

    def _citation(self) -> str:
        keys = [registry.base(run["method"]) for run in (self.about, self.required) if run]
        keys += [origin.release.layout for origin in self.origins if origin.release is not None]
        known = entries()
        cited = [known[key] for key in dict.fromkeys(keys) if key in known]
        return "```bibtex\n" + "\n\n".join(cited) + "\n```" if cited else ""

    def _cut(self, part: str, key: str, value: Any) -> Any:
        """A value of `run.json`, a path cut to its file name."""
        path = self.files.get(f"{part}.{key}")
        return value if path is None else path.name


def _digest(path: Path) -> str:
    return sha256(path) if path.is_file() else "unknown"


def _table(head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
