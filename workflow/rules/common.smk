# What every stage shares: the checked config, where things lie, and the environment of the commands.

import sys
from pathlib import Path

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
ENVS = "../../envs"

# A job that trains or scores takes one GPU if there is one, so that the profile's limit never serialises CPU runs.
DEVICE = experiment.config["device"]
GPUS = int(DEVICE.startswith("cuda") or (DEVICE == "auto" and Path("/proc/driver/nvidia/gpus").exists()))
TRAINING_ENV = f"{ENVS}/training-gpu.yaml" if GPUS else f"{ENVS}/training.yaml"

# The commands find the library wherever the workflow is started from, also inside conda environments, and outside of
# those the interpreter that runs Snakemake. Setting a prefix replaces Snakemake's strict mode, so it is restated.
shell.prefix(
    f"export PYTHONPATH='{workflow.basedir}':\"$PYTHONPATH\" PATH='{Path(sys.executable).parent}':\"$PATH\"; "
    "set -euo pipefail; "
)


wildcard_constraints:
    dataset="[A-Za-z0-9_-]+",
    method="[a-z0-9_]+",
    modality="t1|t2",
    seed=r"\d+",


def stage_threads(stage):
    """Threads of one job of a stage; a scheduling matter that reruns nothing."""
    return experiment.config["threads"].get(stage, 1)




def run_folder(method, modality, seed):
    return f"{RESULTS}/training/{method}/{modality}/seed-{seed}"


def required_run(wildcards, modality=None):
    """`run.json` of the run that a method builds on, of the same modality and seed; nothing for most methods."""
    parent = harness_registry.describe(wildcards.method).requires
    if parent is None:
        return []
    return [f"{run_folder(parent, modality or wildcards.modality, wildcards.seed)}/run.json"]
