# Paper: tables and figures, from tidy results and histories and a few example arrays. Each has its own rule for its caption.

# Folders of all runs, in the order of the config; variants may share one.
RUNS = list(
    dict.fromkeys(
        run_folder(experiment.trained_as(method, modality), modality, seed)
        for method in experiment.methods
        for modality in experiment.modalities
        for seed in experiment.seeds
    )
)


rule histories:
    input:
        expand("{run}/{file}", run=RUNS, file=["history.csv", "run.json"]),
    output:
        f"{RESULTS}/training/histories.csv",
    log:
        f"{RESULTS}/logs/histories.log",
    localrule: True
    conda:
        f"{ENVS}/paper.yaml"
    params:
        runs=RUNS,
    shell:
        "python -m harness histories --out {output} {params.runs} > {log} 2>&1"


for name in experiment.tables:

    rule:
        name:
            name
        input:
            results=f"{RESULTS}/evaluation/results.csv",
            histories=f"{RESULTS}/training/histories.csv",
            comparisons=f"{RESULTS}/evaluation/comparisons.csv",
            published=source("resources/paper.csv"),
            module=source(f"harness/paper/tables/{name}.py"),
        output:
            csv=f"{RESULTS}/paper/{name}.csv",
            md=report(f"{RESULTS}/paper/{name}.md", caption=caption(name), category="Tables"),
            tex=f"{RESULTS}/paper/{name}.tex",
        log:
            f"{RESULTS}/logs/paper/{name}.log",
        localrule: True
        conda:
            f"{ENVS}/paper.yaml"
        params:
            name=name,
            method=experiment.illustrated,
            protocol=experiment.protocols[0],
            out=lambda wildcards, output: str(Path(output[0]).parent),
        shell:
            "python -m harness table {params.name} --results {input.results} --published {input.published:q}"
            " --histories {input.histories} --method {params.method} --protocol {params.protocol}"
            " --out {params.out} > {log} 2>&1"


for name in experiment.figures:

    rule:
        name:
            name
        input:
            illustrated_examples,
            results=f"{RESULTS}/evaluation/results.csv",
            histories=f"{RESULTS}/training/histories.csv",
            synthesis=f"{RESULTS}/evaluation/synthesis.npz",
            published=source("resources/paper.csv"),
            module=source(f"harness/paper/figures/{name}.py"),
        output:
            pdf=f"{RESULTS}/paper/{name}.pdf",
            png=report(f"{RESULTS}/paper/{name}.png", caption=caption(name), category="Figures"),
        log:
            f"{RESULTS}/logs/paper/{name}.log",
        localrule: True
        conda:
            f"{ENVS}/paper.yaml"
        params:
            name=name,
            method=experiment.illustrated,
            protocol=experiment.protocols[0],
            examples=lambda wildcards, input: str(Path(input.results).parent),
            seed=experiment.seeds[0],
            out=lambda wildcards, output: str(Path(output[0]).parent),
        shell:
            "python -m harness figure {params.name} --results {input.results} --examples {params.examples}"
            " --synthesis {input.synthesis} --published {input.published:q} --method {params.method} --seed {params.seed}"
            " --histories {input.histories} --protocol {params.protocol} --out {params.out} > {log} 2>&1"
