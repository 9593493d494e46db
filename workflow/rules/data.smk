# Data: raw or simulated MRI -> subject sheets -> registered volumes -> packed arrays.


SIMULATION = dict(experiment.config.simulate or {})
# Whatever is there of the study's other data sets is compared, so that nobody is trained on and tested on. They are no
# inputs: none waits for another, and a data set that is added repeats no job. Their priority is above that of trainings.
BESIDE = " ".join(f"--beside {name}" for name in experiment.datasets)


# A restarted job removes its manifest, but keeps and completes existing scans.
rule simulate:
    output:
        "<data>/raw/{dataset}/manifest.csv",
    log:
        "<logs>/simulate/{dataset}.log",
    benchmark:
        "<benchmarks>/simulate/{dataset}.tsv"
    conda:
        f"{ENVS}/data.yaml"
    resources:
        mem_mb=memory(data_budget(budgets.simulate, spacing=SIMULATION.get("spacing"))),
        runtime=minutes(data_budget(budgets.simulate, spacing=SIMULATION.get("spacing"))),
    params:
        out=subpath(output[0], parent=True),
        layout=lambda wildcards: experiment.datasets[wildcards.dataset].layout,
        subjects=lambda wildcards: experiment.simulated[wildcards.dataset],
        seed=SIMULATION.get("seed"),
        spacing=SIMULATION.get("spacing"),
        made=made,
    shell:
        "python -m uadbench simulate {params.layout} --out {params.out} --subjects {params.subjects}"
        " --seed {params.seed} --spacing {params.spacing} 2> {log}; {params.made}"


# Settings that decide a data set, so that an experiment which shares it (`data: EXPERIMENT`) cannot have others.
rule recipe:
    output:
        "<data>/{dataset}/recipe.json",
    log:
        "<logs>/recipe/{dataset}.log",
    localrule: True
    conda:
        f"{ENVS}/data.yaml"
    params:
        recipe=lambda wildcards: json.dumps(experiment.recipe(wildcards.dataset), sort_keys=True),
    shell:
        "printf '%s\\n' {params.recipe:q} > {output} 2> {log}"


# On the machine where Snakemake was started, which has a network more often than those of a queue.
rule fetch:
    input:
        fetched_before,
    output:
        "<data>/{dataset}/fetched.json",
    log:
        "<logs>/fetch/{dataset}.log",
    localrule: not any(entry.fetch == "job" for entry in experiment.datasets.values())
    conda:
        f"{ENVS}/data.yaml"
    resources:
        mem_mb=1000,
        runtime=1440,  # what is left then goes on in a retry
    params:
        options=lambda wildcards: experiment.fetch_options(wildcards.dataset),
        made=made,
    shell:
        "python -m uadbench download {params.options:q} --record {output} > {log} 2>&1; {params.made}"


rule index:
    input:
        raw_files,
    output:
        "<data>/{dataset}/subjects.csv",
    log:
        "<logs>/index/{dataset}.log",
    priority: 2
    localrule: True
    conda:
        f"{ENVS}/data.yaml"
    params:
        options=lambda wildcards: experiment.index_options(wildcards.dataset),
        made=made,
    shell:
        "python -m uadbench index --dataset {wildcards.dataset} {params.options:q} --out {output}"
        f" {BESIDE} > {{log}} 2>&1; {{params.made}}"


rule preprocess:
    input:
        sheet="<data>/{dataset}/subjects.csv",
        template=if_file(experiment.preprocessing.template),
    output:
        "<data>/{dataset}/chunks/{scatteritem}.csv",
    log:
        "<logs>/preprocess/{dataset}/{scatteritem}.log",
    benchmark:
        "<benchmarks>/preprocess/{dataset}/{scatteritem}.tsv"
    priority: 1
    conda:
        f"{ENVS}/data.yaml"
    resources:
        mem_mb=memory(data_budget(budgets.preprocess, experiment.config.chunks)),
        runtime=minutes(data_budget(budgets.preprocess, experiment.config.chunks)),
    params:
        chunk=lambda wildcards: wildcards.scatteritem.replace("-of-", "/"),
        folder=subpath(output[0], ancestor=2),
        settings=experiment.preprocessing_text,
        modalities=lambda wildcards: ",".join(experiment.registered(wildcards.dataset)),
        made=made,
    shell:
        "python -m uadbench preprocess --sheet {input.sheet} --chunk {params.chunk} --modalities {params.modalities}"
        " --settings {params.settings:q} --out {params.folder}/registered --report {output} 2> {log}; {params.made}"


rule pack:
    input:
        sheet="<data>/{dataset}/subjects.csv",
        reports=reports_of,
    output:
        "<data>/{dataset}/packed/index.json",
    log:
        "<logs>/pack/{dataset}.log",
    benchmark:
        "<benchmarks>/pack/{dataset}.tsv"
    priority: 1
    conda:
        f"{ENVS}/data.yaml"
    resources:
        mem_mb=memory(data_budget(budgets.pack)),
        runtime=minutes(data_budget(budgets.pack)),
    params:
        folder=subpath(input.sheet, parent=True),
        packed=subpath(output[0], parent=True),
        max_lost=experiment.config.max_lost,
        labels=lambda wildcards: experiment.label_options(wildcards.dataset),
    shell:
        "python -m uadbench pack --dataset {wildcards.dataset} --sheet {input.sheet} --registered {params.folder}/registered"
        " --reports {input.reports} --max-lost {params.max_lost} {params.labels} --out {params.packed}"
        f" {BESIDE} 2> {{log}}"


rule quality:
    input:
        sheet="<data>/{dataset}/subjects.csv",
        reports=reports_of,
        modules=sources("uadbench/data/quality"),
    output:
        csv="<data>/{dataset}/quality/quality.csv",
        html=report(
            "<data>/{dataset}/quality/quality.html",
            caption=caption("quality"),
            category="Quality",
            labels={"data set": "{dataset}"},
        ),
    log:
        "<logs>/quality/{dataset}.log",
    benchmark:
        "<benchmarks>/quality/{dataset}.tsv"
    conda:
        f"{ENVS}/data.yaml"
    threads: experiment.config.threads.preprocessing
    resources:
        mem_mb=memory(data_budget(budgets.quality)),
        runtime=minutes(data_budget(budgets.quality)),
    params:
        folder=subpath(input.sheet, parent=True),
        out=subpath(output.csv, parent=True),
        excluded=lambda wildcards: [
            *(f"--excluded={name}" for name in experiment.datasets[wildcards.dataset].exclude),
            *experiment.label_options(wildcards.dataset).split(),
        ],
    shell:
        "python -m uadbench quality --dataset {wildcards.dataset} --sheet {input.sheet} --registered {params.folder}/registered"
        " --threads {threads} {params.excluded:q} --out {params.out} --reports {input.reports} > {log} 2>&1"
