"""Plan of an experiment whose progress is shown: the config that names it."""

from pathlib import Path

from uadbench.core.errors import HarnessError
from uadbench.study import checks
from uadbench.study.config_files import located, read
from uadbench.study.experiment import Experiment

DEFAULT, OTHERS = Path("config.yaml"), Path("config")


def of_configs(*configs: Path) -> tuple[Experiment, tuple[str, ...]]:
    """The experiment of config files, merged over `config.yaml` if they name none, and all these files.

    Raises HarnessError if it is invalid.
    """
    merged = read(*configs)
    if "experiment" not in merged:
        configs = (DEFAULT, *configs)
        merged = read(*configs)
    with located(*configs):
        return checks.experiment(merged), tuple(config.as_posix() for config in configs)


def find(name: str) -> tuple[Experiment, tuple[str, ...]] | None:
    """The experiment of a name, by `config.yaml` or a file of `config/`; None without such a config."""
    for path in [DEFAULT, *sorted(OTHERS.glob("*.yaml"))]:
        try:
            if read(path).get("experiment") == name:
                return of_configs(path)
        except (OSError, HarnessError):
            continue
    return None
