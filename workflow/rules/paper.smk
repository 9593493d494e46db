# Paper: tables and figures, from tidy results, histories and example arrays. Each has a separate rule, for its caption.

from uadbench.paper import catalogue

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
        titles=json.dumps(experiment.titles),
        made=made,
    shell:
        "python -m uadbench histories --titles {params.titles:q} --out {output} {params.runs} > {log} 2>&1; {params.made}"


# Tables and figures: what each kind needs besides results and histories, its files, and the one that the report shows.
# What only those wait for that name it as NEEDS is apart, since what makes it may fail.
SHOWN = scored(study_folder.EXAMPLES, experiment.seeds[:1])
NEEDED = {
    "table": {
        "comparisons": "<results>/evaluation/comparisons.csv",
        "subgroups": "<results>/evaluation/subgroup_means.csv",
    },
    "figure": {
        "subgroups": "<results>/evaluation/subgroup_means.csv",
        "order": "<results>/evaluation/order.csv",
    },
}
APART = {
    "synthesis": "<results>/evaluation/synthesis.npz",
    "examples": [path for path in SHOWN if f"/{experiment.illustrated}/" in path],
}
COLUMN = experiment.config.paper.width == "column"
FILES = {"table": [".csv", ".md", ".tex"], "figure": [".pdf", *["-float.tex"] * COLUMN]}
IN_REPORT = {"table": ".html", "figure": ".png"}
WIDTH = ["--width column"] * COLUMN
OPTIONS = {
    "table": " ".join([*(f"--reference {name}" for name in experiment.config.paper.references), *WIDTH]),
    "figure": f"--examples {folder.evaluation} --synthesis {folder.synthesis} --seed {experiment.seeds[0]}"
    + " --width column" * COLUMN,
}

# Rules by name; a figure that is called as a table has its kind before.
RENDERED = {name: ("table", name) for name in experiment.tables}
RENDERED |= {f"figure_{name}" if name in RENDERED else name: ("figure", name) for name in experiment.figures}

for rendering, (kind, name) in RENDERED.items():

    rule:
        name:
            rendering
        input:
            **NEEDED[kind],
            **{need: APART[need] for need in catalogue.needs(f"{kind}s", name)},
            results="<results>/evaluation/results.csv",
            histories="<results>/training/histories.csv",
            published=source("uadbench/resources/paper.csv"),
            module=source(f"uadbench/paper/{kind}s/{name}.py"),
        output:
            multiext(f"<results>/paper/{name}", *FILES[kind]),
            report(
                f"<results>/paper/{name}{IN_REPORT[kind]}",
                caption=caption(name),
                category=f"{kind.title()}s",
                labels={kind: name},
            ),
        log:
            f"<logs>/paper/{rendering}.log",
        localrule: True
        conda:
            f"{ENVS}/paper.yaml"
        params:
            name=f"{kind} {name}",
            method=experiment.illustrated,
            protocol=experiment.protocols[0],
            options=OPTIONS[kind],
            out=subpath(output[0], parent=True),
            made=made,
        shell:
            "python -m uadbench {params.name} --results {input.results} --published {input.published:q} --histories"
            " {input.histories} --method {params.method} --protocol {params.protocol} {params.options} --out {params.out}"
            " > {log} 2>&1; {params.made}"


rule report:
    input:
        tables=expand("<results>/paper/{table}.html", table=experiment.tables),
        figures=expand("<results>/paper/{figure}.png", figure=experiment.figures),
        results="<results>/evaluation/results.csv",
        comparisons="<results>/evaluation/comparisons.csv",
        statements=[path.as_posix() for path in folder.statements],
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
        folder=lambda wildcards: folder.path.as_posix(),
        config=experiment.config.deciding,
        made=made,
    shell:
        "python -m uadbench report {params.folder} --config {params.config:q} --out {output} > {log} 2>&1; {params.made}"
