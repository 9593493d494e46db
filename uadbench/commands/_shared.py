"""Types and options that several commands share, and the names that the tab key completes; no command itself."""

import math
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from uadbench.core import inputs
from uadbench.core.errors import HarnessError, choices
from uadbench.core.modalities import NAMES
from uadbench.core.study_folder import RUN, StudyFolder

Completion = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def completed(names: Callable[[Any], Iterable[object]], module: str, otherwise: str = "") -> Completion:
    """Completion by the names that a module knows, which is imported when the tab key asks for them.

    otherwise: "file" or "dir", what the shell completes where no name fits.
    """

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        try:
            known = [str(name) for name in names(import_module(module))]
        except HarnessError:  # of a baseline of one's own: the command itself says so
            known = []
        fitting = [CompletionItem(name) for name in known if name.startswith(incomplete)]
        return fitting or [CompletionItem(incomplete, type=otherwise)] * bool(otherwise)

    return complete


methods = completed(lambda registry: registry.every(), "uadbench.methods.registry")
methods_or_files = completed(lambda registry: registry.every(), "uadbench.methods.registry", "file")
layouts = completed(lambda layout: layout.LAYOUTS.names(), "uadbench.data.index.layout")
open_sets = completed(lambda release: [*release.tables.every(), *release.by_hand()], "uadbench.data.index.release")
protocols = completed(lambda protocols: protocols.PROTOCOLS, "uadbench.evaluation.protocols.protocols")
tables = completed(lambda catalogue: catalogue.names("tables"), "uadbench.paper.catalogue")
figures = completed(lambda catalogue: catalogue.names("figures"), "uadbench.paper.catalogue")
experiments = completed(lambda survey: survey.experiments(), "uadbench.status.survey", "dir")
runs = completed(lambda survey: survey.runs(), "uadbench.status.survey", "dir")


class Place(click.Path):
    """Path of an input, or of an output, which is refused as options are read where it is one of the inputs.

    An address hf://… is no path and stays a text. meant: the path that a given one stands for; file: whether an output
    is a file, no folder.
    """

    def __init__(
        self,
        output: bool = False,
        meant: Callable[[Path], Path] = lambda path: path,
        file: bool = False,
        **allowed: bool,
    ) -> None:
        super().__init__(path_type=Path, **allowed)
        self.output, self.meant, self.file = output, meant, file

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if str(value).startswith("hf:"):
            return value
        path = Path(super().convert(value, param, ctx))  # type: ignore[arg-type]
        if not ctx or not param or ctx.resilient_parsing:
            return path
        name = param.opts[0] if param.opts[0][0] == "-" else param.human_readable_name
        places = ctx.meta.setdefault(__name__, {True: [], False: []})
        places[self.output].append((name, path))
        inputs.keep(places[False], places[True])
        if self.output:
            inputs.possible(name, path, self.file)
        meant = self.meant(path)
        return path if meant == path else self.convert(meant, param, ctx)


def _run(path: Path) -> Path:
    """The folder of a run, of which users also name the record."""
    return path.parent if path.name == RUN and path.is_file() else path


def _experiment(path: Path) -> Path:
    """The folder of an experiment. Raises HarnessError for any other, with the names of those that are here."""
    if StudyFolder(path).exists:
        return path
    from uadbench.status import survey

    wrong = "holds no experiment" if path.is_dir() else "is a file" if path.exists() else "no such folder"
    known = [each.as_posix() for each in survey.experiments()]
    remedy = choices(path, known) if known else "snakemake --cores all makes one, results/demo"
    raise HarnessError(f"{path}: {wrong}; name the folder of an experiment; {remedy}")


def _whole(path: Path) -> Path:
    """The folder of an experiment, which is no excerpt. Raises HarnessError as `_experiment`, and for an excerpt."""
    if StudyFolder(_experiment(path)).excerpt:
        raise HarnessError(f"{path}: is an excerpt, a few files of a study; name the folder of the study itself")
    return path


class Positive(click.FloatRange):
    """A finite number above 0."""

    def __init__(self) -> None:
        super().__init__(min=0, min_open=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is no finite number", param, ctx)
        return number


PATH, OUTPUT, FILE = Place(), Place(output=True), Place(output=True, file=True)
TRAINED, EXPERIMENT, WHOLE = Place(meant=_run), Place(meant=_experiment), Place(meant=_whole)

beside = click.option(
    "--beside", multiple=True, metavar="DATASET", help="Another data set of the study, in a folder beside (repeatable)."
)
cohort = click.option("--data", type=PATH, required=True, help="Packed healthy cohort, a folder made by `pack`.")
device = click.option(
    "--device", default="auto", envvar="UADBENCH_DEVICE", show_envvar=True, help="Device: auto, cpu, cuda, cuda:1, mps."
)
ignored = click.option(
    "--ignored", default="", show_default="none", help="Label values whose voxels are not evaluated, as 3."
)
lesion = click.option("--lesion", default="", show_default="all above 0", help="Label values that are lesion, as 1,4.")
modality = click.option("--modality", type=click.Choice(NAMES), required=True, help="MRI modality.")
published = click.option(
    "--published", "published_csv", type=PATH, show_default="uadbench/resources/paper.csv", help="Published numbers."
)
required = click.option("--required", type=TRAINED, shell_complete=runs, help="Run of the method that this builds on.")
rows = click.option("--protocol", default="full", shell_complete=protocols, help="Evaluation protocol of the rows.")
run = click.option(
    "--run",
    "given",
    type=TRAINED,
    shell_complete=runs,
    show_default="the run that comes with the package, for T1",
    help="Folder of a run, or hf://OWNER/NAME[@REVISION].",
)
settings = click.option(
    "--settings", default="{}", help='JSON: {"params": {…}}, others at their defaults; or params.json.'
)
study_config = click.option("--config", required=True, help="The study's config as JSON, or the path of a config file.")
titles = click.option("--titles", default="{}", help='JSON: {"METHOD": "TITLE"}, in place of the recorded titles.')
variant = click.option(
    "--method", shell_complete=methods, show_default="as trained", help="The run's method or a variant of it."
)
width = click.option(
    "--width",
    type=click.Choice(["page", "column"]),
    default="page",
    help="Of tables in LaTeX and of Figures 1 and 2; column writes captions of figures as NAME-float.tex, too.",
)
