# What every stage shares: the checked config, where things lie, and the environment of the commands.

import sys
from pathlib import Path
from shutil import which

from snakemake.exceptions import WorkflowError

sys.path.insert(0, workflow.basedir)

from harness.config import Experiment
from harness import registry as harness_registry
from harness.errors import HarnessError

try:
    experiment = Experiment(config)
except HarnessError as error:
    raise WorkflowError(f"config: {error}") from None

RESULTS = f"results/{experiment.name}"
DATA = f"{RESULTS}/data"
SIMULATED = experiment.simulated.get("subjects", {})
ENVS = "../../envs"

# A job that trains or scores takes one GPU if there is one, so that the profile's limit never serialises CPU runs.
DEVICE = experiment.config["device"]
GPUS = int(DEVICE.startswith("cuda") or (DEVICE == "auto" and which("nvidia-smi") is not None))
TRAINING_ENV = f"{ENVS}/training-gpu.yaml" if GPUS else f"{ENVS}/training.yaml"

# The commands find the library wherever the workflow is started from, also inside conda environments, and outside of
# those the interpreter that runs Snakemake. The device goes by the environment, since it must never retrain anything.
# Setting a prefix replaces Snakemake's strict mode, so it is restated.
shell.prefix(
    f"export PYTHONPATH='{workflow.basedir}':\"$PYTHONPATH\" PATH='{Path(sys.executable).parent}':\"$PATH\"; "
    f"export HARNESS_DEVICE={DEVICE}; set -euo pipefail; "
)


wildcard_constraints:
    dataset="[A-Za-z0-9_-]+",
    method="[a-z0-9_]+(-[a-z0-9_]+)?",
    modality="t1|t2",
    seed=r"\d+",


def stage_threads(stage):
    """Threads of one job of a stage; a scheduling matter that reruns nothing."""
    return experiment.config["threads"].get(stage, 1)


def raw_files(wildcards):
    """The list of simulated scans; real scans are not watched, since a release never changes."""
    return [f"{DATA}/raw/{wildcards.dataset}/manifest.csv"] if wildcards.dataset in SIMULATED else []


def index_options(wildcards):
    """Options of `index` from the data set's entry in the config."""
    about = experiment.datasets[wildcards.dataset]
    root = f"{DATA}/raw/{wildcards.dataset}" if wildcards.dataset in SIMULATED else about["root"]
    role = "healthy" if wildcards.dataset == experiment.train else "test"
    options = ["--root", root, "--layout", about["layout"], "--role", role]
    if role == "test":
        options += ["--subset", about.get("subset", "all")]
    elif "split" in about:
        options += ["--split", about["split"]]
    else:
        options += ["--validation", about.get("validation", 0), "--split-seed", about.get("split_seed", 0)]
    if "release" in about:
        options += ["--release", about["release"]]
    for subject in about.get("exclude", []):
        options += ["--exclude", subject]
    return [str(option) for option in options]


def run_folder(method, modality, seed):
    """Where a training run lies."""
    return f"{RESULTS}/training/{method}/{modality}/seed-{seed}"


def required_run(wildcards):
    """`run.json` of the run that a method builds on, of the same modality and seed; nothing for most methods."""
    parent = harness_registry.describe(wildcards.method).requires
    modality = wildcards.get("modality") or task_modality(wildcards)
    return [f"{run_folder(parent, modality, wildcards.seed)}/run.json"] if parent else []


def task_modality(wildcards):
    """The modality of a task."""
    return experiment.task(wildcards.task).modality


def trained_run(wildcards):
    """`run.json` of the run that a task is scored with; variants may share one."""
    modality = task_modality(wildcards)
    return f"{run_folder(experiment.trained_as(wildcards.method, modality), modality, wildcards.seed)}/run.json"


def test_data(wildcards):
    """The packed test set of a task."""
    return f"{DATA}/{experiment.task(wildcards.task).dataset}/packed/index.json"


def illustrated_examples(wildcards):
    """Example slices of the method that the figures show, for the first seed."""
    method, seed = experiment.illustrated, experiment.seeds[0]
    return [f"{RESULTS}/evaluation/{method}/{task.name}/seed-{seed}/examples.npz" for task in experiment.tasks]


def caption(name):
    """The caption of a table or figure in the report, if there is one."""
    path = Path(workflow.basedir) / "workflow" / "report" / f"{name}.rst"
    return str(path) if path.is_file() else None
