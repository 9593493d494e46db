"""Config of a study: every key with its type, range, default and meaning. Built anywhere, without looking at the disk.

The schema for editors and the page of the site are generated from these classes; `checks` looks at disk and plugins.
"""

from __future__ import annotations

import json
import re
from functools import partial
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    WithJsonSchema,
)

from uadbench.core.documents import check_extent
from uadbench.core.errors import HarnessError, choices
from uadbench.core.modalities import NAMES
from uadbench.core.validation import NAME, Part, spelling
from uadbench.data.index.contrast import EVIDENCE
from uadbench.data.index.sheet import UNMASKED
from uadbench.data.preprocessing.settings import Preprocessing, settings
from uadbench.methods.postprocessing import AS_PUBLISHED, Postprocessing
from uadbench.study.config_files import check_characters

#: keys that change no result
WITHOUT_EFFECT: dict[str, Any] = dict.fromkeys(("threads", "device", "baselines", "seeds_together"), True) | {
    "paper": {"width"}  # of files that the report does not show
}


OTHERS = "others"  # in `tuned_on`, the methods that it does not name

#: beginnings of keys without a meaning, a place for the anchors of YAML
ANCHORS = (".", "x-")


def _known(names: tuple[str, ...], value: str) -> str:
    if value not in names:
        raise ValueError(f"must be one of {', '.join(names)}")
    return value


def _unique(items: list[Any]) -> list[Any]:
    twice = [item for place, item in enumerate(items) if item in items[:place]]
    if twice:
        raise ValueError(f"must name {twice[0]!r} once")
    return items


Experiment = Annotated[str, Field(pattern=NAME)]
DataSetName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
Method = Annotated[str, Field(pattern=r"^[a-z0-9_]+(-[a-z0-9_]+)?$")]
Variant = Annotated[str, Field(pattern=r"^[a-z0-9_]+-[a-z0-9_]+$")]
Modality = Annotated[str, AfterValidator(partial(_known, NAMES)), WithJsonSchema({"enum": list(NAMES)})]
Evidence = Annotated[str, AfterValidator(partial(_known, EVIDENCE)), WithJsonSchema({"enum": list(EVIDENCE)})]
Treatment = Annotated[str, AfterValidator(partial(_known, UNMASKED)), WithJsonSchema({"enum": list(UNMASKED)})]
Label = Annotated[int, Field(ge=1, le=255)]
Once = Field(min_length=1, json_schema_extra={"uniqueItems": True})
Labels = Annotated[list[Label], Once, AfterValidator(_unique)]
Names = Annotated[list[str], Once, AfterValidator(_unique)]
Seed = NonNegativeInt
Condition = str | int | float
Conditions = Annotated[list[Condition], Once, AfterValidator(_unique)]


def _filters(value: Any) -> Any:
    if value == AS_PUBLISHED:
        return None
    if not isinstance(value, dict | Postprocessing | None):
        raise ValueError(f"must be {AS_PUBLISHED!r}, or a mapping such as {{median: 3, erosion: 3}}")
    return value


def _by_method(value: Any) -> Any:
    if isinstance(value, str):
        return {OTHERS: value}
    if not isinstance(value, dict | None):
        raise ValueError("must be a text, or a mapping of texts by method")
    return value


def _or_text(schema: dict[str, Any], **text: Any) -> None:
    """Add to the schema of a mapping that may be left out the text that may stand for it."""
    schema["anyOf"].insert(0, {"type": "string", **text})


def _fetched(value: Any) -> Any:
    if value not in (True, False, "job"):
        raise ValueError("must be true, false or job")
    return value


Fetch = Annotated[
    Any, AfterValidator(_fetched), WithJsonSchema({"anyOf": [{"type": "boolean"}, {"type": "string", "const": "job"}]})
]
Filters = Annotated[
    Postprocessing | None,
    BeforeValidator(_filters),
    Field(json_schema_extra=partial(_or_text, const=AS_PUBLISHED)),
]
Chosen = Annotated[
    dict[str, Annotated[str, Field(min_length=1)]] | None,
    BeforeValidator(_by_method),
    Field(json_schema_extra=_or_text),
]


class Simulation(Part):
    """Simulation of the raw scans of the data sets named here, before all other jobs."""

    seed: Seed
    spacing: PositiveFloat = Field(description="Nominal voxel size of the scans in mm.")
    subjects: dict[str, PositiveInt] = Field(description="Number of simulated subjects by the name of the data set.")


class DataSet(Part):
    """Where the scans of a data set are, and which of them are used."""

    layout: str = Field(description="A file name of uadbench/data/index/layouts.", examples=["bids", "sheet"])
    root: str | None = Field(
        None,
        description="The folder of the release, or the CSV of layout `sheet`; not for simulated data sets. Default "
        "with `source`: the folder of that name in data/open.",
    )
    source: str | None = Field(
        None,
        description="An open data set that `uadbench download` lists; the study then says what of it is missing, and "
        "how to fetch it.",
        examples=["ds004856"],
    )
    subjects: PositiveInt | None = Field(
        None, description="Use that many subjects of `source` alone, those of `uadbench download --subjects`."
    )
    fetch: Fetch = Field(
        False,
        description="Whether the study downloads what of `source` is missing, before all else; where Snakemake was "
        "started, or with `job` where it sends other jobs.",
    )
    release: str | None = Field(
        None,
        description="A row of uadbench/resources/datasets.csv, to report missing files and to find the paper's "
        "numbers; default: that of `source`, or the row with the layout's name.",
    )
    validation: int | None = Field(
        None,
        ge=2,
        description="Healthy patients held out of training, with all of their scans, chosen by rule and split_seed.",
    )
    split_seed: Seed | None = None
    split: str | None = Field(
        None, description="A list of healthy subjects to hold out or leave out, as in uadbench/resources/splits."
    )
    subset: str = Field("all", description="Used part of a test set, a name in uadbench/data/index/splits.py.")
    exclude: list[str] = Field([], description="Subjects or patients to exclude.")
    unmasked: Treatment | None = Field(
        None,
        description="Test subjects without a mask: lost (default), leave_out of the sheet, or healthy, without a "
        "lesion.",
    )
    lesion: Labels | None = Field(None, description="Label values of lesions; default: all above 0.")
    ignored: Labels | None = Field(None, description="Label values excluded from evaluation.")
    entities: dict[Annotated[str, Field(pattern="^[a-z]+$")], str | int] = Field(
        {},
        description="BIDS entities of the selected scans where a subject has several.",
        examples=[{"acq": "highres", "run": 2}],
    )
    masks: str | None = Field(
        None,
        min_length=1,
        description="Pattern of the paths of lesion masks below a BIDS root, where their names are not the usual ones; "
        "* stands for any text.",
        examples=["derivatives/*/sub-*_seg.nii.gz"],
    )
    contrast: Evidence | None = Field(
        None,
        description="How the contrast of a BIDS scan is known: sidecar (default), by the times in its sidecar and its "
        "acq, such as acq-FLAIR of a T2w, where they contradict its suffix; or suffix alone.",
    )
    where: dict[Annotated[str, Field(min_length=1)], Condition | Conditions] | None = Field(
        None,
        description="Subjects to take, by columns of participants.tsv: a value, a list of which one must hold, or a "
        "range of numbers. Capitals do not count, * stands for any text, n/a for a missing value.",
        examples=[{"group": "control", "age": "40-80"}, {"type": ["glioma*", "*astrocytoma*"]}],
    )

    @property
    def conditions(self) -> dict[str, list[str]]:
        """The values of `where` by column, as text."""
        values = (self.where or {}).items()
        return {column: list(map(str, has if isinstance(has, list) else [has])) for column, has in values}


class Task(Part):
    """A test set in one modality: a column of the tables."""

    name: Experiment
    dataset: str
    modality: Modality


class Evaluation(Part):
    """What is computed from the scores."""

    protocols: Names = Field(["full"], description="Names in uadbench/evaluation/protocols/protocols.py.")
    resamples: NonNegativeInt = Field(
        1000, description="Resamples of subjects and seeds for the stability of the order of methods; 0 for none."
    )
    compared: Annotated[list[str], AfterValidator(_unique)] = Field(
        ["single/t=25", "single/t=50", "single/t=75", "single/t=100", "multi/step=*"],
        description="Score maps that comparisons.csv compares beside the final ones, by names or patterns: methods "
        "that have the same one with one another, and each with the final one of its method. Default: those of Table "
        "1. `filtered`: the maps filtered alike.",
        examples=[["filtered", "single/t=*"]],
    )
    curve_seeds: Annotated[list[Seed], AfterValidator(_unique)] | None = Field(
        None, description="Seeds of Figure 2's curve; default: the first."
    )
    examples: PositiveInt = Field(4, description="Example subjects of every task for Figure 3.")


class Paper(Part):
    """What is rendered; by default every table and figure that the methods can fill."""

    tables: list[str] | None = Field(None, description="File names of uadbench/paper/tables.")
    figures: list[str] | None = Field(None, description="File names of uadbench/paper/figures.")
    references: Annotated[list[str], AfterValidator(_unique)] = Field(
        [],
        description="Other benchmarks whose numbers Table 2 quotes, by name, beside real scans of the release and "
        "modality that they tested: file names of uadbench/resources/reported.",
        examples=[["uad_imag"]],
    )
    width: Literal["page", "column"] = Field(
        "page",
        description="Width of tables in LaTeX and of Figures 1 and 2: page; or column, as in the paper, with captions "
        "of figures as LaTeX beside them.",
    )
    illustrated: str = Field("disyre", description="The method of Figures 1 to 3; the first where it is not run.")


class Threads(Part):
    """Threads of one job by stage; changing them reruns nothing."""

    preprocessing: PositiveInt = 1
    training: PositiveInt = 1
    evaluation: PositiveInt = 1


class Config(Part):
    """Keys of `config.yaml` and of every experiment under `config/`. Lists select the jobs, mappings their settings."""

    experiment: Experiment = Field(description="Name of the experiment; its results are in results/EXPERIMENT.")
    data: Experiment | None = Field(
        None,
        description="Experiment whose data are used: data sets with equal settings are not simulated, preprocessed or "
        "packed again. Default: this one.",
        examples=["demo"],
    )
    runs: Experiment | None = Field(
        None,
        description="Experiment whose trained runs are used and completed; results are written to this one's folder. "
        "Needs the same `data`. Default: this one.",
        examples=["demo"],
    )
    simulate: Simulation | None = Field(None, description=Simulation.__doc__)
    datasets: dict[DataSetName, DataSet] = Field(
        min_length=1, description="Folder and layout of each data set, by a name of your choice."
    )
    preprocessing: dict[str, Any] = Field({}, description="Settings of preprocessing; `protocol` sets all of them.")
    max_lost: float = Field(
        0.1, ge=0, le=1, description="Maximum fraction of a data set's subjects lost in preprocessing."
    )
    chunks: PositiveInt = Field(4, description="Preprocessing jobs per data set.")
    train: str = Field(description="The training set of healthy subjects.")
    tasks: list[Task] = Field(min_length=1, description="The columns of the tables, in order.")
    methods: Annotated[list[Method], Once, AfterValidator(_unique)] = Field(
        description="File names of baselines/ and of the folder `baselines`, and names of variants, in any order."
    )
    without: Annotated[list[Method], AfterValidator(_unique)] = Field(
        [],
        description="Methods to leave out for now; tables, figures and report of the others name them, and are in "
        "results/EXPERIMENT/partial.",
    )
    seeds: Annotated[list[Seed], Once, AfterValidator(_unique)] = Field(description="Seeds of the trainings.")
    seeds_together: bool = Field(
        False,
        description="One job scores a task with the runs of all seeds, where none is scored yet: fewer processes.",
    )
    baselines: str | None = Field(
        None, description="A folder with baselines of your own, one file each, beside those of the project."
    )
    params: dict[str, dict[str, Any]] = Field(
        {}, description=f"Hyper-parameters by method; under {', '.join(NAMES)} those of one modality."
    )
    postprocessing: Filters = Field(
        None,
        description="Filter of the score maps of all methods, in place of those of their own hyper-parameters; "
        f"default: `{AS_PUBLISHED}`, where each method has its own or none. A change scores again and never "
        "trains. Score maps of other programs are evaluated as they are.",
        examples=[{"median": 3, "erosion": 3, "beside": True}],
    )
    tuned_on: Chosen = Field(
        None,
        description="Data on which sizes, steps and all other hyper-parameters were chosen: one text, or one by "
        f"method, with `{OTHERS}` for those not named. Tables, methods section, report and model card print it; "
        "where it names a data set, a task or the seed of simulated scans of a test set, they add that the choice was "
        "made with it in view.",
        examples=[
            "a simulated cohort of seed 7, none of the test sets",
            {"padim": "published defaults", OTHERS: "atlas"},
        ],
    )
    variants: dict[Variant, dict[str, Any]] = Field(
        {},
        description="Methods under other hyper-parameters, each named BASELINE-NAME and a row of its own where "
        "`methods` lists it; `title` is its name in tables.",
        examples=[{"disyre-wide": {"widths": [64, 128], "title": "DISYRE (wide)"}}],
    )
    evaluation: Evaluation = Field(Evaluation(), description=Evaluation.__doc__)
    paper: Paper = Field(Paper(), description=Paper.__doc__)
    device: str = Field(
        "auto",
        pattern="^(auto|cpu|cuda(:[0-9]+)?|mps)$",
        description="Device of training and scoring; auto selects a GPU if available.",
    )
    threads: Threads = Field(Threads(), description=Threads.__doc__)

    @classmethod
    def of(cls, values: Any) -> Config:
        """The config of parsed YAML or JSON. Raises HarnessError naming key and reason at the first error."""
        if not isinstance(values, dict):
            raise HarnessError("config: no mapping of keys; see config.yaml for an example")
        try:
            check_extent(values)
        except ValueError as error:
            raise HarnessError(f"config: {error}; see config.yaml for an example") from None
        check_characters(values, "config")
        try:
            own = {key: value for key, value in values.items() if not (value is None or key.startswith(ANCHORS))}
            made = cls.model_validate(own)
        except ValidationError as error:
            raise HarnessError(_line(error)) from None
        settings(made.preprocessing)
        return made

    @property
    def prepared(self) -> Preprocessing:
        """All settings of preprocessing, paths as they are given."""
        return settings(self.preprocessing)

    @property
    def deciding(self) -> str:
        """The config, defaults too, as sorted JSON, without keys that change no result."""
        return json.dumps(self.model_dump(exclude=WITHOUT_EFFECT, exclude_none=True), sort_keys=True)


def _line(error: ValidationError) -> str:
    """The first error in one line: key, reason and remedy."""
    first = error.errors(include_url=False)[0]
    loc, value = first["loc"], first["input"]
    key, model = ".".join(str(part) for part in loc if part not in ("str", "int", "[key]")), _model(loc[:-1])
    if first["type"] == "extra_forbidden":
        return f"{key}: no such key; {choices(loc[-1], model.model_fields)}"
    if first["type"] == "missing":
        return f"{key}: is missing; {model.model_fields[str(loc[-1])].description or 'add it'}".rstrip(".")
    if right := spelling(first, value):
        return f"{key}: {right}"
    reason = (
        re.sub(r"^(Value error, |\w+ should(?= ))", "", first["msg"].replace(" after validation", ""))
        .partition(", not ")[0]
        .strip()
    )
    reason = reason if reason.startswith("must") else f"must {reason}"
    return f"{key}: {reason}, not {value!r}"


def _model(loc: tuple[int | str, ...]) -> type[BaseModel]:
    """The class of the mapping at a place of the config."""
    model: type[BaseModel] = Config
    for part in loc:
        if part in model.model_fields:
            model = next(_models(model.model_fields[str(part)].annotation), model)
    return model


def _models(annotation: Any) -> Any:
    """The classes of mappings in a type."""
    if isinstance(annotation, type) and issubclass(annotation, Part):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
