"""Choice of a tracker for trainings, apart from the history that every run has. Imports no torch."""

from __future__ import annotations

import importlib.util

from uadbench.errors import HarnessError

#: values of the config's key `tracking`
CHOICES = ("none", "tensorboard")
#: environment variable with the folder of event files; not a setting of a run, so a change retrains nothing
VARIABLE = "UADBENCH_TENSORBOARD"
#: as in the extra `tracking` of pyproject.toml
REQUIREMENT = "tensorboard>=2.16"


def check(choice: str) -> None:
    """Raise HarnessError where the packages of a choice are missing."""
    if choice == "tensorboard" and importlib.util.find_spec("tensorboard") is None:
        raise HarnessError(
            f'tracking: tensorboard is not installed; run: pip install "{REQUIREMENT}", or set tracking: none'
        )
