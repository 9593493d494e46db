"""Shared runs: names and limits of files, the stated threshold, and whether the method is that of this installation."""

from typing import Any

from uadbench.core.errors import HarnessError
from uadbench.methods import registry

CARD, REQUIRED = "README.md", "required"  # beside the files of a run
#: fraction of the voxels of healthy brains at the threshold that is stated, and that findings of a scan are counted at
HEALTHY = "0.001"
WEIGHTS_LIMIT = 8 * 2**30  # bytes of all weights together


def check_method(about: dict[str, Any], where: str) -> registry.Description:
    """The description of a shared run's method.

    Raises HarnessError where this installation lacks it or has changed it.
    A raised REVISION states that the method's results changed: other code would give other maps without a notice.
    """
    name, version = about["method"], about.get("harness", "of an unknown version")
    if registry.base(name) not in registry.names():
        raise HarnessError(
            f"{where}: a run of the method {name!r}, which is unknown here (uadbench {version} made the run); "
            "install a newer uadbench, or give the folder with the method's file: uadbench --baselines FOLDER score …"
        )
    described = registry.describe(name, {name: {"title": about.get("title", name)}})
    if described.revision != about["revision"]:
        raise HarnessError(
            f"{where}: trained with revision {about['revision']} of {name}, here is revision {described.revision}, "
            f"whose maps differ; install the version with that revision (uadbench {version} made it), or train it again"
        )
    return described
