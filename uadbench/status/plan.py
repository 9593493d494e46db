"""Plan of an experiment whose progress is shown: the config that names it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from uadbench.core.errors import HarnessError
from uadbench.study import checks
from uadbench.study.config import Config
from uadbench.study.config_files import located, read
from uadbench.study.experiment import Experiment

DEFAULT, OTHERS = Path("config.yaml"), Path("config")


def of_configs(*configs: Path) -> tuple[Experiment, tuple[str, ...]]:
    """The experiment of config files, merged over `config.yaml` if they name none, and all these files.

    Raises HarnessError if it is invalid.
    """
    merged, files = _merged(*configs)
    with located(*files):
        return checks.experiment(merged), _names(files)


def unchecked(*configs: Path) -> tuple[Experiment, tuple[str, ...]]:
    """The same of an experiment that may lack what its jobs need, such as data.

    Raises HarnessError for no config, and for hyper-parameters that its methods do not have.
    """
    merged, files = _merged(*configs)
    with located(*files):
        study = Experiment(Config.of(merged))
        for method, modality in study.configured:
            study.settings(method, modality)
        return study, _names(files)


def _merged(*configs: Path) -> tuple[dict[str, Any], tuple[Path, ...]]:
    merged = read(*configs) if configs else {}
    if "experiment" not in merged:
        configs = (DEFAULT, *configs)
        merged = read(*configs)
    return merged, configs


def _names(files: Iterable[Path]) -> tuple[str, ...]:
    return tuple(file.as_posix() for file in files)


def find(name: str) -> tuple[Experiment, tuple[str, ...]] | None:
    """The experiment of a name, by `config.yaml` or a file of `config/`; None without such a config."""
    for path in [DEFAULT, *sorted(OTHERS.glob("*.yaml"))]:
        try:
            if read(path).get("experiment") == name:
                return of_configs(path)
        except (OSError, HarnessError):
            continue
    return None
