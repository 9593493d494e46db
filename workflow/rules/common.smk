# Shared by all stages: the checked config, the folders, and the environment of the commands.

import os
import shlex
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod

sys.path.insert(0, workflow.basedir)

from uadbench.config import Experiment
from uadbench import registry
from uadbench import budget as budgets
from uadbench import folder_lock
from uadbench import placement
from uadbench.errors import HarnessError
from uadbench.modalities import NAMES as MODALITIES
from uadbench.plugins import literals

try:
    experiment = Experiment(config)
except HarnessError as error:
    raise WorkflowError(f"config: {error}") from None


def hold_results():
    """Exclude other runs of this experiment until this one ends; see `nolock` in profiles/default."""
    try:
        folder_lock.hold(RESULTS)
    except HarnessError as error:
        raise WorkflowError(str(error)) from None


def literal(text):
    """Text with braces escaped, so that Snakemake's formatting and wildcards leave it unchanged."""
    return str(text).replace("{", "{{").replace("}", "}}")


RESULTS = f"results/{experiment.name}"
DATA = f"{RESULTS}/data"


pathvars:
    results=RESULTS,
    data=DATA,
    healthy=f"{DATA}/{experiment.train}/packed",
    logs=f"{RESULTS}/logs",
    benchmarks=f"{RESULTS}/benchmarks",


SIMULATED = experiment.simulated.get("subjects", {})
ENVS = literal(Path(workflow.basedir) / "envs")
DEVICE = experiment.config["device"]

# glibc returns the memory of every larger tensor to the system at once; on a CPU each training step then waits for page
# faults. Here the process retains blocks below 32 MiB (benchmarks/allocation.py).
ALLOCATION = {"MALLOC_MMAP_THRESHOLD_": 32 * 2**20, "MALLOC_TRIM_THRESHOLD_": 2**30}

# Packages of a job come from the environments of envs/ (`--use-conda`), from a container, or from the environment of
# Snakemake. Only in the last case does Snakemake's interpreter precede all others on PATH.
DEPLOYED = workflow.deployment_settings.deployment_method & {DeploymentMethod.CONDA, DeploymentMethod.APPTAINER}


def wants_gpu():
    """Whether a training or scoring job requests a GPU."""
    # A dry run has no executor, but only clusters have a number of jobs beside that of cores.
    planned = workflow.dryrun and workflow.resource_settings.nodes is not None
    return placement.wants_gpu(DEVICE, planned or workflow.non_local_exec or workflow.remote_exec)


def gpus(wildcards):
    """GPUs of a training or scoring job; a function, since the executor is unknown when this file is parsed."""
    return int(wants_gpu())


def assignments():
    """Shell assignments of a command: paths of library and interpreter, memory allocation and device."""
    folders = {"PYTHONPATH": workflow.basedir, "PATH": Path(sys.executable).parent}
    if DEPLOYED:
        del folders["PATH"]
    found = [f'{name}={shlex.quote(str(folder))}:"${name}"' for name, folder in folders.items()]
    found += [f"{name}=${{{name}:-{size}}}" for name, size in ALLOCATION.items()]
    device = placement.job_device(DEVICE, workflow.remote_exec and wants_gpu())
    found.append(f"UADBENCH_DEVICE={shlex.quote(device)}")
    return " ".join(found)


# An environment variable sets the device, since a change of it must never retrain anything. A prefix replaces
# Snakemake's strict mode, which is therefore restated.
shell.prefix(literal(f"export {assignments()}; set -euo pipefail; "))


def source(path):
    """An input file of this project, relative to the working directory, so that a moved project reruns nothing.

    In an absolute path, Snakemake would parse braces of the folder's name as wildcards.
    """
    return os.path.relpath(Path(workflow.basedir) / path)


def sources(folder):
    """All files of a folder of this project as inputs."""
    return [source(path) for path in sorted((Path(workflow.basedir) / folder).iterdir()) if path.is_file()]


def revision(path):
    """The REVISION of a library file; an update that raises it reruns the jobs of its rule."""
    return literals(Path(workflow.basedir) / path)["REVISION"]


wildcard_constraints:
    dataset="[A-Za-z0-9_-]+",
    method="[a-z0-9_]+(-[a-z0-9_]+)?",
    modality="|".join(MODALITIES),
    seed=r"\d+",


def stage_threads(stage):
    """Threads of one job of a stage; a change reruns nothing."""
    return experiment.config["threads"].get(stage, 1)


def raw_files(wildcards):
    """Input files of a subject sheet: manifest of simulated scans, CSV of layout `sheet`, list of held-out subjects.

    Scans of a release are no inputs, since a release never changes; otherwise use `--forcerun index`.
    """
    about = experiment.datasets[wildcards.dataset]
    if wildcards.dataset in SIMULATED:
        return [f"{DATA}/raw/{wildcards.dataset}/manifest.csv"]
    named = [about["root"]] if Path(about["root"]).is_file() else []
    return named + ([about["split"]] if "split" in about else [])


def named_template(wildcards):
    """The template if it is a file."""
    template = experiment.template
    return [template] if Path(template).is_file() else []


def named_weights(wildcards):
    """The weights of a method's backbone if they are a file."""
    weights = experiment.params(wildcards.method, wildcards.modality).get("weights", "")
    return [weights] if weights and Path(weights).is_file() else []


def index_options(wildcards):
    """Options of `index` from the data set's entry in the config."""
    about = experiment.datasets[wildcards.dataset]
    root = f"{DATA}/raw/{wildcards.dataset}" if wildcards.dataset in SIMULATED else about["root"]
    role = "healthy" if wildcards.dataset == experiment.train else "test"
    options = ["--root", root, "--layout", about["layout"], "--role", role]
    if role == "test":
        options += ["--subset", about.get("subset", "all")]
        options += ["--unmasked", about["unmasked"]] if "unmasked" in about else []
    elif "split" in about:
        options += ["--split", about["split"]]
    else:
        options += ["--validation", about.get("validation", 0), "--split-seed", about.get("split_seed", 0)]
    if "release" in about:
        options += ["--release", about["release"]]
    for key, value in about.get("entities", {}).items():
        options += ["--entity", f"{key}={value}"]
    for subject in about.get("exclude", []):
        options += ["--exclude", subject]
    return [str(option) for option in options]


def label_options(dataset):
    """Options of `test`: lesion labels and ignored labels of a data set."""
    about = experiment.datasets[dataset]
    lists = {key: about[key] for key in ("lesion", "ignored") if key in about}
    return " ".join(f"--{key} {','.join(map(str, values))}" for key, values in lists.items())


def run_folder(method, modality, seed):
    """Folder of a training run."""
    return f"{RESULTS}/training/{method}/{modality}/seed-{seed}"


def required_run(wildcards):
    """`run.json` of the run that a method builds on, of the same modality and seed; nothing for most methods."""
    parent = registry.describe(wildcards.method).requires
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
    """Example slices of the illustrated method, for the first seed."""
    method, seed = experiment.illustrated, experiment.seeds[0]
    return [f"{RESULTS}/evaluation/{method}/{task.name}/seed-{seed}/examples.npz" for task in experiment.tasks]


def caption(name):
    """The caption of a table or figure in the report, if there is one."""
    path = Path(workflow.basedir) / "workflow" / "report" / f"{name}.rst"
    return str(path) if path.is_file() else None
