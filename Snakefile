# From raw MRI to the tables and figures of the paper: each included file is one stage of the study.

from pathlib import Path

from snakemake.utils import min_version

# Older releases of Snakemake 9 start more jobs at once than the number of cores.
min_version("9.18")


# A config file with the key `experiment` stands alone; any other overrides the default experiment: that of the working
# folder, or where it has none, that beside this file.
if "experiment" not in config:

    configfile: "config.yaml" if Path("config.yaml").is_file() else Path(workflow.basedir) / "config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/resources.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/paper.smk"
include: "workflow/rules/stale.smk"
include: "workflow/rules/partial.smk"


report: "workflow/report/study.rst"


# Two simultaneous runs would write the same files, and remove each other's finished ones.
onstart:
    hold_results()
    schedule_when_needed()


onsuccess:
    outputs.end(experiment)
    remove_partial()


onerror:
    outputs.end(experiment)
    make_partial()


rule all:
    input:
        expand("<results>/paper/{table}.{format}", table=experiment.tables, format=["csv", "md", "tex", "html"]),
        expand("<results>/paper/{figure}.{format}", figure=experiment.figures, format=["pdf", "png"]),
        "<results>/evaluation/results.csv",
        "<results>/evaluation/comparisons.csv",
        "<results>/evaluation/order.csv",
        "<results>/evaluation/subgroup_means.csv",
        "<results>/evaluation/subsets.csv",
        "<results>/report.html",
        expand(["{run}/run.json", "{run}/history.csv", "{run}/weights"], run=RUNS),
        [folder.params(method, modality).as_posix() for method, modality in experiment.configured],
        expand("<data>/{dataset}/recipe.json", dataset=experiment.datasets),
        # By name: outputs of a failed job are removed, and without inputs a table would count as up to date.
        rules.summarize.input,
        expand("<data>/{dataset}/quality/quality.{format}", dataset=experiment.datasets, format=["html", "csv"]),
