# Paper: tables and figures, from tidy results, histories and example arrays. Each has a separate rule, for its caption.

# Folders of all runs, in the order of the config.
RUNS = [folder.run(*run).as_posix() for run in experiment.runs]


rule histories:
    input:
        expand(["{run}/history.csv", "{run}/run.json"], run=RUNS),
    output:
        "<results>/training/histories.csv",
    log:
        "<logs>/histories.log",
    localrule: True
    conda:
        f"{ENVS}/paper.yaml"
    params:
        runs=RUNS,
        revision=revision("uadbench/training/histories.py"),
    shell:
        "python -m uadbench histories --out {output} {params.runs} > {log} 2>&1"


for name in experiment.tables:

    rule:
        name:
            name
        input:
            results="<results>/evaluation/results.csv",
            histories="<results>/training/histories.csv",
            comparisons="<results>/evaluation/comparisons.csv",
            published=source("uadbench/resources/paper.csv"),
            module=source(f"uadbench/paper/tables/{name}.py"),
        output:
            csv=f"<results>/paper/{name}.csv",
            md=f"<results>/paper/{name}.md",
            html=report(
                f"<results>/paper/{name}.html", caption=caption(name), category="Tables", labels={"table": name}
            ),
            tex=f"<results>/paper/{name}.tex",
        log:
            f"<logs>/paper/{name}.log",
        localrule: True
        conda:
            f"{ENVS}/paper.yaml"
        params:
            name=name,
            method=experiment.illustrated,
            protocol=experiment.protocols[0],
            out=subpath(output[0], parent=True),
        shell:
            "python -m uadbench table {params.name} --results {input.results} --published {input.published:q}"
            " --histories {input.histories} --method {params.method} --protocol {params.protocol}"
            " --out {params.out} > {log} 2>&1"


for name in experiment.figures:

    rule:
        name:
            name
        input:
            [
                file
                for file in scored(study_folder.EXAMPLES, experiment.seeds[:1])
                if f"/{experiment.illustrated}/" in file
            ],
            results="<results>/evaluation/results.csv",
            histories="<results>/training/histories.csv",
            synthesis="<results>/evaluation/synthesis.npz",
            published=source("uadbench/resources/paper.csv"),
            module=source(f"uadbench/paper/figures/{name}.py"),
        output:
            pdf=f"<results>/paper/{name}.pdf",
            png=report(
                f"<results>/paper/{name}.png", caption=caption(name), category="Figures", labels={"figure": name}
            ),
        log:
            f"<logs>/paper/{name}.log",
        localrule: True
        conda:
            f"{ENVS}/paper.yaml"
        params:
            name=name,
            method=experiment.illustrated,
            protocol=experiment.protocols[0],
            examples=subpath(input.results, parent=True),
            seed=experiment.seeds[0],
            out=subpath(output[0], parent=True),
        shell:
            "python -m uadbench figure {params.name} --results {input.results} --examples {params.examples}"
            " --synthesis {input.synthesis} --published {input.published:q} --method {params.method} --seed {params.seed}"
            " --histories {input.histories} --protocol {params.protocol} --out {params.out} > {log} 2>&1"


rule report:
    input:
        tables=expand("<results>/paper/{table}.html", table=experiment.tables),
        figures=expand("<results>/paper/{figure}.png", figure=experiment.figures),
        results="<results>/evaluation/results.csv",
        comparisons="<results>/evaluation/comparisons.csv",
        histories="<results>/training/histories.csv",
        quality=expand("<data>/{dataset}/quality/quality.csv", dataset=experiment.datasets),
        volumes=scored(study_folder.VOLUMES, experiment.seeds[:1]),
        references=source("uadbench/resources/references.bib"),
        modules=sources("uadbench/report") + sources("uadbench/viewer"),
    output:
        "<results>/report.html",
    log:
        "<logs>/report.log",
    localrule: True
    conda:
        f"{ENVS}/paper.yaml"
    params:
        folder=subpath(output[0], parent=True),
        config=experiment.config.deciding,
    shell:
        "python -m uadbench report {params.folder} --config {params.config:q} --out {output} > {log} 2>&1"
