# Shared by all stages: the checked config, the folders, and the environment of the commands.

import json
import os
import shlex
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod

sys.path.insert(0, workflow.basedir)

from uadbench.study import budget as budgets
from uadbench.core import folder_lock
from uadbench.core import study_folder
from uadbench.study import placement
from uadbench.core.errors import HarnessError
from uadbench.core.modalities import NAMES as MODALITIES
from uadbench.study import checks, config_files, outputs

# Those of the command line in their order, above the default.
CONFIGS = [*workflow.configfiles[len(workflow.config_settings.configfiles) :], *workflow.config_settings.configfiles]

try:
    config_files.read(*CONFIGS)  # which says what Snakemake, which has read them, does not
    with config_files.located(*CONFIGS, overrides=workflow.config_settings.config):
        experiment = checks.experiment(config_files.overridden(config, workflow.config_settings.config, sys.argv))
except HarnessError as error:
    raise WorkflowError(f"config: {error}") from None

folder = experiment.folder
DECIDED = {output.path: output for output in outputs.outputs(experiment)}


def hold_results():
    """Exclude other runs of this experiment, and all that would change files that it shares, until this one ends.

    See `nolock` in profiles/default.
    """
    written = [file for job in workflow.dag.needrun_jobs() for file in job.output]
    try:
        folder_lock.hold_study(folder, written)
        if LATE and not workflow.touch:
            raise HarnessError(LATE)
        outputs.begin(experiment, map(Path, written))
    except HarnessError as error:
        raise WorkflowError(str(error)) from None


def schedule_when_needed():
    """Select jobs when one ends, and not each second once more for each that has ended.

    That is what Snakemake's limit on the rate of jobs amounts to, which queues alone need (100 a second by default).
    """
    if workflow.local_exec:
        workflow.scheduler.job_rate_limiter = None


def literal(text):
    """Text with braces escaped, so that Snakemake's formatting and wildcards leave it unchanged."""
    return str(text).replace("{", "{{").replace("}", "}}")


# Folders in the rules below; uadbench/core/study_folder.py says where all files of a study are.
pathvars:
    results=folder.final.as_posix(),
    data=folder.data.as_posix(),
    training=folder.training.as_posix(),
    healthy=folder.packed(experiment.train).as_posix(),
    run=folder.run("{method}", "{modality}", "{seed}").as_posix(),
    logs=folder.logs.as_posix(),
    benchmarks=folder.benchmarks.as_posix(),


wildcard_constraints:
    dataset="[A-Za-z0-9_-]+",
    method="[a-z0-9_]+(-[a-z0-9_]+)?",
    modality="|".join(MODALITIES),
    seed=r"\d+",
    scatteritem=r"\d+-of-\d+",


ENVS = literal(Path(workflow.basedir) / "envs")
DEVICE = experiment.config.device

# Packages of a job come from the environments of envs/ (`--use-conda`), from a container, or from the environment of
# Snakemake. Only in the last case does Snakemake's interpreter precede all others on PATH.
DEPLOYED = workflow.deployment_settings.deployment_method & {DeploymentMethod.CONDA, DeploymentMethod.APPTAINER}


def wants_gpu(wildcards=None):
    """GPUs of a training or scoring job, 1 or 0; a function, since the executor is unknown when this file is parsed."""
    # A dry run has no executor, but only clusters have a number of jobs beside that of cores.
    planned = workflow.dryrun and workflow.resource_settings.nodes is not None
    return int(placement.wants_gpu(DEVICE, planned or workflow.non_local_exec or workflow.remote_exec))


# A prefix replaces Snakemake's strict mode, which is therefore restated.
ENVIRONMENT = placement.assignments(workflow.basedir, DEPLOYED, DEVICE, workflow.remote_exec and wants_gpu() > 0)
shell.prefix(literal(f"export {ENVIRONMENT}; set -euo pipefail; {placement.SPOKESMAN}; "))


def source(path):
    """An input file of this project, relative to the working directory, so that a moved project reruns nothing.

    In an absolute path, Snakemake would parse braces of the folder's name as wildcards.
    """
    return os.path.relpath(Path(workflow.basedir) / path)


def sources(path):
    """All files of a folder of this project as inputs."""
    return [source(file) for file in sorted((Path(workflow.basedir) / path).iterdir()) if file.is_file()]


def made(wildcards, output):
    """End of a job's command: it records the settings of what the job has made (uadbench/study/outputs.py)."""
    known = [file for file in map(Path, output) if file in DECIDED]
    if not known:  # no file of the study
        return f"rm -f {shlex.quote(str(study_folder.settings_file(Path(output[0]))))}"
    records = [(json.dumps(DECIDED[file].parts), str(study_folder.settings_file(file))) for file in known]
    return "; ".join(f"printf '%s\\n' {shlex.quote(parts)} > {shlex.quote(record)}" for parts, record in records)


def if_file(path):
    """The path as an input if it names a file, as a template or weights may.

    `study.checks` refuses a name that Snakemake would read as a wildcard or a pathvar: neither has an escape in paths.
    """
    return [path] if path and Path(path).is_file() else []


def raw_files(wildcards):
    """Input files of a subject sheet: manifest of simulated scans, CSV of layout `sheet`, list of held-out subjects.

    A download comes before, but is no reason to index again what is there.
    Scans of a release are no inputs, since a release never changes; otherwise use `--forcerun index`.
    """
    entry = experiment.datasets[wildcards.dataset]
    if wildcards.dataset in experiment.simulated:
        return [f"{folder.raw(wildcards.dataset)}/{study_folder.MANIFEST}"]
    fetched = [ancient(f"{folder.dataset(wildcards.dataset)}/{study_folder.FETCHED}")] if entry.fetch else []
    return fetched + if_file(entry.root) + if_file(entry.split)


def fetched_before(wildcards):
    """The record of the data set before this one that is fetched into the same folder: one download is there at a time."""
    names = [name for name, entry in experiment.datasets.items() if entry.fetch]
    root = experiment.datasets[wildcards.dataset].root
    before = [name for name in names[: names.index(wildcards.dataset)] if experiment.datasets[name].root == root]
    return [ancient(f"{folder.dataset(name)}/{study_folder.FETCHED}") for name in before[-1:]]


def reports_of(wildcards):
    """Reports of the preprocessing jobs of a data set."""
    return [path.as_posix() for path in outputs.reports(experiment, wildcards.dataset)]


def modality_of(wildcards):
    """The modality of a training, or of the task of a test."""
    return wildcards.get("modality") or experiment.task(wildcards.task).modality


def seeds_of(wildcards):
    """The seeds whose runs a job trains or scores."""
    return [int(wildcards.seed)] if "seed" in wildcards.keys() else experiment.seeds


def settings_of(wildcards, seed=None):
    """The settings of a method that its runs are trained with, or that those of a seed are scored with."""
    return experiment.settings(wildcards.method, modality_of(wildcards), seed)


def run_records(method, wildcards):
    """`run.json` of a method's runs of the modality and the seeds of a job."""
    runs = [folder.run(method, modality_of(wildcards), seed) for seed in seeds_of(wildcards)]
    return [f"{run}/{study_folder.RUN}" for run in runs]


def required_runs(wildcards):
    """`run.json` of the runs that a method builds on; nothing for most methods."""
    parent = experiment.describe(wildcards.method).requires
    return run_records(experiment.trained_as(parent, modality_of(wildcards)), wildcards) if parent else []


def trained_runs(wildcards):
    """`run.json` of the runs that a task is scored with; variants may share one."""
    return run_records(experiment.trained_as(wildcards.method, modality_of(wildcards)), wildcards)


def folders(option, files):
    """An option of a command for the folder of each file."""
    return [f"{option}={Path(file).parent}" for file in files]


def scored(name, seeds):
    """A file of all scored test sets of some seeds, in the order of methods and tasks."""
    return [f"{folder.scores(*test)}/{name}" for test in experiment.tests if test.seed in seeds]


def caption(name):
    """The caption of a table or figure in the report, if there is one."""
    path = Path(workflow.basedir) / "workflow" / "report" / f"{name}.rst"
    return str(path) if path.is_file() else None
