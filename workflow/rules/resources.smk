# Resources of jobs: memory, time and GPUs, for clusters and for `--resources mem_mb=…`. Numbers: uadbench/study/budget.py.


def memory(budget):
    """Memory of a job in MB from its budget; twice as much at each retry, for jobs killed for lack of memory."""
    return lambda wildcards, attempt: budget(wildcards).megabytes * 2 ** (attempt - 1)


def minutes(budget, longer=2):
    """Time of a job in minutes from its budget; `longer` times as much at each retry."""
    return lambda wildcards, attempt: budget(wildcards).minutes * longer ** (attempt - 1)


def subjects_of(dataset):
    """Number of subjects of a data set: that of the simulated cohort, or of the largest release."""
    return experiment.simulated.get(dataset, budgets.SUBJECTS)


def data_budget(stage, jobs=1, spacing=None):
    """Budget of a stage of the data, of one of `jobs` jobs for a data set; spacing: of its voxels, if not as packed."""
    spacing = spacing or experiment.preprocessing.spacing
    return lambda wildcards: stage(subjects_of(wildcards.dataset) / jobs, spacing)


def train_budget(wildcards):
    spacing = experiment.preprocessing.spacing
    return budgets.train(settings_of(wildcards).values, subjects_of(experiment.train), spacing, wants_gpu() > 0)


def test_budget(wildcards):
    scans = subjects_of(experiment.task(wildcards.task).dataset) * len(seeds_of(wildcards))
    params = settings_of(wildcards).values
    return budgets.test(params, scans, experiment.preprocessing.spacing, len(experiment.protocols), wants_gpu() > 0)


def summarize_budget(wildcards):
    return budgets.summarize(len(experiment.tests) * len(experiment.protocols), len(experiment.methods))
