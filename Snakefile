# From raw MRI to the tables and figures of the paper: each included file is one stage of the study.

from snakemake.utils import min_version

# Older releases of Snakemake 9 start more jobs at once than there are cores.
min_version("9.18")


# A config file that names an experiment stands alone; any other is laid over the default experiment.
if "experiment" not in config:

    configfile: "config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/resources.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/paper.smk"


report: "workflow/report/study.rst"


# Two runs at once would make the same files twice, each removing what the other has finished.
onstart:
    hold_results()


rule all:
    input:
        expand("<results>/paper/{table}.md", table=experiment.tables),
        expand("<results>/paper/{figure}.pdf", figure=experiment.figures),
        "<results>/evaluation/results.csv",
        # By name: outputs of a failed job are removed, and a table that is older than nothing would count as up to date.
        rules.summarize.input,
        expand("<data>/{dataset}/quality/quality.html", dataset=experiment.datasets),
