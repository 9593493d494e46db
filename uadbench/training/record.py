"""Record of a trained run, `run.json`, checked wherever it is read: anybody may have written it. Imports no torch."""

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, NonNegativeFloat, NonNegativeInt

from uadbench.core.errors import HarnessError
from uadbench.core.files import read_json
from uadbench.core.modalities import NAMES
from uadbench.core.study_folder import RUN
from uadbench.core.validation import Record, check_record

LIMIT = 2**20  # bytes of a run.json; real ones have a few thousand
ROUNDING = 1e-5  # mm; `pack` rounds the spacing
#: a network in one file, or in a folder in the format of diffusers; neither hidden files nor ".."
WEIGHT_FILE = re.compile(r"(?!\.)[\w.+-]+\.safetensors|(?!\.)[\w.+-]+/(?!\.)[\w.+-]+\.(safetensors|json)", re.ASCII)


def _weight_file(name: str) -> str:
    if not WEIGHT_FILE.fullmatch(name):
        raise ValueError(f"{name!r} are weights that no run has, do not use it")
    return name


def _line(text: str) -> str:
    if not text.isprintable():
        raise ValueError(f"{text!r} has a line break or another control character")
    return text


def _known(modality: str) -> str:
    if modality not in NAMES:
        raise ValueError(f"{modality!r} is unknown here, a newer uadbench may know it")
    return modality


Line = Annotated[str, AfterValidator(_line), Field(max_length=500)]
Weights = dict[Annotated[str, AfterValidator(_weight_file)], Annotated[str, Field(pattern="^[0-9a-f]{64}$")]]


class Environment(Record):
    """The software that a run was trained with."""

    commit: Line | None
    modified: bool | None
    python: Line
    packages: dict[Line, Line]
    started: Line
    finished: Line


class Losses(Record):
    """Losses at the end of the training."""

    loss: float | None = None
    validation: float | None = None


class Prepared(Record):
    """Settings of preprocessing that the grid of a run depends on; the others are checked when a scan is prepared."""

    spacing: float | None = None
    side: int = 0


class Finished(Record):
    """What the progress of a study says of a run."""

    seconds: NonNegativeFloat | None = None
    final: Losses | None = None


class Trained(Finished):
    """What scoring and sharing need of a run, and the types of what older records lack."""

    method: Annotated[str, Field(pattern=r"^\w+(-\w+)?$")]
    title: Line
    family: Line
    revision: int
    seed: NonNegativeInt
    modality: Annotated[str, AfterValidator(_known)]
    spacing: Annotated[float, Field(ge=0.1, le=100)]  # mm
    params: dict[Line, Any]
    preprocessing: Prepared
    simulated: bool
    weights: Weights
    code: Line = ""  # SHA-256 of the file of the method, and of the index of the packed cohort
    data: Line = ""
    dataset: Line = ""
    subjects: NonNegativeInt = 0
    validation_subjects: NonNegativeInt = 0
    harness: Line = ""
    device: Line = ""
    precision: Line = ""
    thresholds: dict[Line, NonNegativeFloat] | None = None  # of a shared run, by fraction of healthy voxels


class Complete(Trained):
    """What a report and a model card say besides."""

    dataset: Line
    subjects: NonNegativeInt
    validation_subjects: NonNegativeInt
    harness: Line
    device: Line
    precision: Line
    seconds: NonNegativeFloat
    environment: Environment


def record(folder: Path, where: str = "", kind: type[Trained] = Trained) -> dict[str, Any]:
    """The `run.json` of a folder, with the keys of `kind` in their types and ranges, and harmless names of weights.

    where: the run, for messages; by default its folder. Raises HarnessError for any other file, and none.
    """
    path, remedy = folder / RUN, "check the name, copy the run again, or train it again"
    where = f"{where or folder}: {RUN}"
    if not path.is_file():
        raise HarnessError(f"{where.partition(f': {RUN}')[0]}: no {RUN}; name the folder of a finished training run")
    if path.stat().st_size > LIMIT:
        raise HarnessError(f"{where} has more than {LIMIT} bytes, so is no record of a run; {remedy}")
    try:
        about: dict[str, Any] = read_json(path)
    except ValueError as error:
        raise HarnessError(f"{where} is no JSON ({error}); {remedy}") from None
    check_record(about, kind, where, remedy)
    prepared, spacing = about["preprocessing"], about["spacing"]
    if not prepared.get("side") and abs((prepared.get("spacing") or spacing) - spacing) > ROUNDING:
        raise HarnessError(
            f"{where}: spacing: {spacing} mm, but scans were prepared at {prepared['spacing']}; {remedy}"
        )
    return about
