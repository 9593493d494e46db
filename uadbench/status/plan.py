"""Planned outputs of an experiment's config, by their names on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from uadbench.config import Experiment
from uadbench.config_files import read
from uadbench.errors import HarnessError

#: method, modality or task, and seed
Job = tuple[str, str, int]


@dataclass(frozen=True)
class Plan:
    """All outputs of a finished experiment."""

    experiment: str
    configs: tuple[str, ...]
    datasets: tuple[str, ...]
    trainings: frozenset[Job]
    tests: frozenset[Job]
    rendered: frozenset[str]  # file names of tables and figures


def of_configs(*configs: Path) -> Plan:
    """Plan of config files, merged over `config.yaml` if they name no experiment. Raises HarnessError if invalid."""
    merged = read(*configs)
    if "experiment" not in merged:
        configs = (Path("config.yaml"), *configs)
        merged = read(*configs)
    experiment = Experiment(merged)
    trainings = {
        (experiment.trained_as(method, modality), modality, seed)
        for method in experiment.methods
        for modality in experiment.modalities
        for seed in experiment.seeds
    }
    return Plan(
        experiment=experiment.name,
        configs=tuple(config.as_posix() for config in configs),
        datasets=tuple(experiment.datasets),
        trainings=frozenset(trainings),
        tests=frozenset(
            (m, task.name, seed) for m in experiment.methods for task in experiment.tasks for seed in experiment.seeds
        ),
        rendered=frozenset(
            [f"{name}.md" for name in experiment.tables] + [f"{name}.pdf" for name in experiment.figures]
        ),
    )


def find(experiment: str) -> Plan | None:
    """Plan of the config that names an experiment, `config.yaml` or one of `config/`; None without such a config."""
    for path in [Path("config.yaml"), *sorted(Path("config").glob("*.yaml"))]:
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
            if isinstance(content, dict) and content.get("experiment") == experiment:
                return of_configs(path)
        except (OSError, UnicodeDecodeError, yaml.YAMLError, HarnessError):
            continue
    return None
