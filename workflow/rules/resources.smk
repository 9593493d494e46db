# Resources of jobs: memory, time and GPUs, for clusters and for `--resources mem_mb=…`. Numbers: uadbench/study/budget.py.


def memory(budget):
    """Memory of a job in MB from its budget; twice as much at each retry, for jobs killed for lack of memory."""
    return lambda wildcards, attempt: budget(wildcards).megabytes * 2 ** (attempt - 1)


def minutes(budget, longer=2):
    """Time of a job in minutes from its budget; `longer` times as much at each retry."""
    return lambda wildcards, attempt: budget(wildcards).minutes * longer ** (attempt - 1)


def gpus(wildcards):
    """GPUs of a training or scoring job; a function, since the executor is unknown when this file is parsed."""
    return int(wants_gpu())


def subjects_of(dataset):
    """Number of subjects of a data set: that of the simulated cohort, or of the largest release."""
    return experiment.simulated.get(dataset, budgets.SUBJECTS)


def data_budget(stage, jobs=1):
    """Budget of a stage of the data, of one of `jobs` jobs for a data set."""
    return lambda wildcards: stage(subjects_of(wildcards.dataset) / jobs, experiment.preprocessing.spacing)


def simulate_budget(wildcards):
    return budgets.simulate(subjects_of(wildcards.dataset), experiment.config.simulate.spacing)


def train_budget(wildcards):
    spacing = experiment.preprocessing.spacing
    return budgets.train(configured(wildcards).values, subjects_of(experiment.train), spacing, wants_gpu())


def test_budget(wildcards):
    params, subjects = scored_with(wildcards).values, subjects_of(experiment.task(wildcards.task).dataset)
    return budgets.test(params, subjects, experiment.preprocessing.spacing, len(experiment.protocols), wants_gpu())


def summarize_budget(wildcards):
    return budgets.summarize(len(experiment.tests) * len(experiment.protocols), len(experiment.methods))
