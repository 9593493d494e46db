# From raw MRI to the tables and figures of the paper: each included file is one stage of the study.

from snakemake.utils import min_version

# Older releases of Snakemake 9 start more jobs at once than the number of cores.
min_version("9.18")


# A config file with the key `experiment` stands alone; any other overrides the default experiment.
if "experiment" not in config:

    configfile: "config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/resources.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/paper.smk"


report: "workflow/report/study.rst"


# Two simultaneous runs would write the same files, and remove each other's finished ones.
onstart:
    hold_results()


onsuccess:
    note_settings()


onerror:
    note_settings()


rule all:
    input:
        expand("<results>/paper/{table}.md", table=experiment.tables),
        expand("<results>/paper/{figure}.pdf", figure=experiment.figures),
        "<results>/evaluation/results.csv",
        "<results>/report.html",
        [folder.params(method, modality).as_posix() for method, modality in experiment.configured],
        expand("<data>/{dataset}/recipe.json", dataset=experiment.datasets),
        # By name: outputs of a failed job are removed, and without inputs a table would count as up to date.
        rules.summarize.input,
        expand("<data>/{dataset}/quality/quality.html", dataset=experiment.datasets),
