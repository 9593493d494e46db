# Resources of jobs: memory, time and GPUs, for clusters and for `--resources mem_mb=…`. Numbers: uadbench/budget.py.

from uadbench.data.preprocessing.settings import settings as preprocessing_of

SPACING = preprocessing_of(experiment.config["preprocessing"]).spacing


def memory(budget):
    """Memory of a job in MB from its budget; twice as much at each retry, for jobs killed for lack of memory."""
    return lambda wildcards, attempt: budget(wildcards).megabytes * 2 ** (attempt - 1)


def minutes(budget):
    """Time of a job in minutes from its budget; twice as much at each retry."""
    return lambda wildcards, attempt: budget(wildcards).minutes * 2 ** (attempt - 1)


def subjects_of(dataset):
    """Number of subjects of a data set: that of the simulated cohort, or of the largest release."""
    return SIMULATED.get(dataset, budgets.SUBJECTS)


def simulate_budget(wildcards):
    return budgets.simulate(subjects_of(wildcards.dataset), experiment.simulated["spacing"])


def preprocess_budget(wildcards):
    return budgets.preprocess(subjects_of(wildcards.dataset) / experiment.chunks, SPACING)


def pack_budget(wildcards):
    return budgets.pack(subjects_of(wildcards.dataset), SPACING)


def quality_budget(wildcards):
    return budgets.quality(subjects_of(wildcards.dataset), SPACING)


def train_budget(wildcards):
    params = experiment.settings(wildcards.method, wildcards.modality).values
    return budgets.train(params, subjects_of(experiment.train), SPACING, wants_gpu())


def test_budget(wildcards):
    params = experiment.settings(wildcards.method, task_modality(wildcards)).values
    subjects = subjects_of(experiment.task(wildcards.task).dataset)
    return budgets.test(params, subjects, SPACING, len(experiment.protocols), wants_gpu())


def summarize_budget(wildcards):
    runs = len(experiment.methods) * len(experiment.tasks) * len(experiment.seeds)
    return budgets.summarize(runs * len(experiment.protocols), len(experiment.methods))
