# Paper: tables and figures, from the tidy results and a few example arrays.


def illustrated_examples(wildcards):
    """Example slices of the method that Figure 3 shows, for the first seed."""
    method, seed = experiment.illustrated, experiment.seeds[0]
    return [f"{RESULTS}/evaluation/{method}/{task.name}/seed-{seed}/examples.npz" for task in experiment.tasks]


rule table:
    input:
        results=f"{RESULTS}/evaluation/results.csv",
        published=workflow.source_path("../../resources/paper.csv"),
        module=lambda wildcards: workflow.source_path(f"../../harness/paper/tables/{wildcards.table}.py"),
    output:
        csv=f"{RESULTS}/paper/{{table}}.csv",
        md=report(f"{RESULTS}/paper/{{table}}.md", caption="../report/table.rst", category="Tables"),
        tex=f"{RESULTS}/paper/{{table}}.tex",
    wildcard_constraints:
        table="|".join(experiment.tables) or "none",
    log:
        f"{RESULTS}/logs/paper/{{table}}.log",
    params:
        method=experiment.illustrated,
        protocol=experiment.protocols[0],
        out=f"{RESULTS}/paper",
    conda:
        f"{ENVS}/paper.yaml"
    shell:
        "python -m harness table {wildcards.table} --results {input.results} --published {input.published}"
        " --method {params.method} --protocol {params.protocol} --out {params.out} > {log} 2>&1"


rule figure:
    input:
        results=f"{RESULTS}/evaluation/results.csv",
        examples=illustrated_examples,
        synthesis=f"{RESULTS}/evaluation/synthesis.npz",
        published=workflow.source_path("../../resources/paper.csv"),
        module=lambda wildcards: workflow.source_path(f"../../harness/paper/figures/{wildcards.figure}.py"),
    output:
        pdf=f"{RESULTS}/paper/{{figure}}.pdf",
        png=report(f"{RESULTS}/paper/{{figure}}.png", caption="../report/figure.rst", category="Figures"),
    wildcard_constraints:
        figure="|".join(experiment.figures) or "none",
    log:
        f"{RESULTS}/logs/paper/{{figure}}.log",
    params:
        method=experiment.illustrated,
        protocol=experiment.protocols[0],
        examples=f"{RESULTS}/evaluation",
        seed=experiment.seeds[0],
        out=f"{RESULTS}/paper",
    conda:
        f"{ENVS}/paper.yaml"
    shell:
        "python -m harness figure {wildcards.figure} --results {input.results} --examples {params.examples}"
        " --synthesis {input.synthesis} --published {input.published} --method {params.method} --seed {params.seed}"
        " --protocol {params.protocol} --out {params.out} > {log} 2>&1"
