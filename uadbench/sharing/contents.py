"""Files of a shared run: names, limits of size, and checks of a record that somebody else wrote."""

import re
from pathlib import Path
from typing import Any

from uadbench.core.errors import HarnessError
from uadbench.core.files import read_json
from uadbench.core.modalities import NAMES
from uadbench.core.study_folder import RUN
from uadbench.methods import registry

CARD, REQUIRED = "README.md", "required"  # beside the files of a run
RECORD_LIMIT = 2**20  # bytes of a run.json; real ones have a few thousand
WEIGHTS_LIMIT = 8 * 2**30  # bytes of all weights together
#: a network in one file, or in a folder in the format of diffusers; neither hidden files nor ".."
WEIGHT_FILE = re.compile(r"(?!\.)[\w.+-]+\.safetensors|(?!\.)[\w.+-]+/(?!\.)[\w.+-]+\.(safetensors|json)", re.ASCII)
DIGEST = re.compile(r"[0-9a-f]{64}")
KEYS: dict[str, type | tuple[type, ...]] = {
    "method": str,
    "revision": int,
    "seed": int,
    "modality": str,
    "spacing": (int, float),
    "params": dict,
}


def record(path: Path, where: str) -> dict[str, Any]:
    """The `run.json` at `path`, with keys of the right types and harmless names of weights.

    where: the run, for messages. Raises HarnessError for any other file.
    """
    no_run = f"{where}: not a run of uadbench"
    if path.stat().st_size > RECORD_LIMIT:
        raise HarnessError(f"{no_run} ({RUN} has more than {RECORD_LIMIT} bytes); check the name")
    try:
        about = read_json(path)
    except (ValueError, RecursionError):
        raise HarnessError(f"{no_run} ({RUN} is no JSON); check the name") from None
    if not isinstance(about, dict):
        raise HarnessError(f"{no_run} ({RUN} is no mapping); check the name")
    for key, kind in {**KEYS, "weights": dict}.items():
        if not isinstance(about.get(key), kind):
            raise HarnessError(f"{no_run} ({RUN} has no valid {key!r}); check the name")
    for name, digest in about["weights"].items():
        if not WEIGHT_FILE.fullmatch(name) or not DIGEST.fullmatch(str(digest)):
            raise HarnessError(f"{where}: {RUN} names the weights {name!r}, which no run has; do not use it")
    return about


def check_method(about: dict[str, Any], where: str) -> registry.Description:
    """The description of a shared run's method.

    Raises HarnessError where this installation lacks it or has changed it, or lacks the modality.
    A raised REVISION states that the method's results changed: other code would give other maps without a notice.
    """
    name, version = about["method"], about.get("harness", "of an unknown version")
    if registry.base(name) not in registry.names():
        raise HarnessError(
            f"{where}: a run of the method {name!r}, which is unknown here (uadbench {version} made the run); "
            "install a newer uadbench, or give the folder with the method's file: uadbench --baselines FOLDER score …"
        )
    if about["modality"] not in NAMES:
        raise HarnessError(
            f"{where}: a run on scans of the modality {about['modality']!r}, which is unknown here (uadbench {version} "
            "made the run); install a newer uadbench"
        )
    described = registry.describe(name, {name: {"title": about.get("title", name)}})
    if described.revision != about["revision"]:
        raise HarnessError(
            f"{where}: trained with revision {about['revision']} of {name}, here is revision {described.revision}, "
            f"whose maps differ; install the version with that revision (uadbench {version} made it), or train it again"
        )
    return described
