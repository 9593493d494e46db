# Data: raw MRI (made here if simulated) -> subject sheets -> registered volumes -> packed arrays.


scattergather:
    chunk=experiment.chunks,


# Manifests vanish when their job starts anew; scans that are already there are kept and only completed.
rule simulate:
    output:
        f"{DATA}/raw/{{dataset}}/manifest.csv",
    log:
        f"{RESULTS}/logs/simulate/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/simulate/{{dataset}}.tsv"
    conda:
        f"{ENVS}/data.yaml"
    resources:
        mem_mb=memory(simulate_budget),
        runtime=minutes(simulate_budget),
    params:
        out=lambda wildcards, output: str(Path(output[0]).parent),
        layout=lambda wildcards: experiment.datasets[wildcards.dataset]["layout"],
        subjects=lambda wildcards: SIMULATED[wildcards.dataset],
        revision=revision("harness/data/simulation/cohort.py"),
        seed=experiment.simulated.get("seed"),
        spacing=experiment.simulated.get("spacing"),
    shell:
        "python -m harness simulate {params.layout} --out {params.out} --subjects {params.subjects}"
        " --seed {params.seed} --spacing {params.spacing} 2> {log}"


rule index:
    input:
        raw_files,
    output:
        f"{DATA}/{{dataset}}/subjects.csv",
    log:
        f"{RESULTS}/logs/index/{{dataset}}.log",
    localrule: True
    conda:
        f"{ENVS}/data.yaml"
    params:
        options=index_options,
    shell:
        "python -m harness index --dataset {wildcards.dataset} {params.options:q} --out {output} > {log} 2>&1"


rule preprocess:
    input:
        sheet=f"{DATA}/{{dataset}}/subjects.csv",
        template=named_template,
    output:
        f"{DATA}/{{dataset}}/chunks/{{scatteritem}}.csv",
    log:
        f"{RESULTS}/logs/preprocess/{{dataset}}/{{scatteritem}}.log",
    benchmark:
        f"{BENCHMARKS}/preprocess/{{dataset}}/{{scatteritem}}.tsv"
    conda:
        f"{ENVS}/data.yaml"
    threads: stage_threads("preprocessing")
    resources:
        mem_mb=memory(preprocess_budget),
        runtime=minutes(preprocess_budget),
    params:
        chunk=lambda wildcards: wildcards.scatteritem.replace("-of-", "/"),
        registered=lambda wildcards, output: str(Path(output[0]).parent.parent / "registered"),
        settings=experiment.preprocessing_settings(),
        modalities=lambda wildcards: ",".join(experiment.registered(wildcards.dataset)),
        revision=revision("harness/data/preprocessing/preprocess.py"),
    shell:
        "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS={threads} python -m harness preprocess --sheet {input.sheet}"
        " --chunk {params.chunk} --modalities {params.modalities} --settings {params.settings:q} --out {params.registered}"
        " --report {output} 2> {log}"


rule pack:
    input:
        sheet=f"{DATA}/{{dataset}}/subjects.csv",
        reports=gather.chunk(f"{DATA}/{{{{dataset}}}}/chunks/{{scatteritem}}.csv"),
    output:
        f"{DATA}/{{dataset}}/packed/index.json",
    log:
        f"{RESULTS}/logs/pack/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/pack/{{dataset}}.tsv"
    conda:
        f"{ENVS}/data.yaml"
    resources:
        mem_mb=memory(pack_budget),
        runtime=minutes(pack_budget),
    params:
        registered=lambda wildcards, input: str(Path(input.sheet).parent / "registered"),
        packed=lambda wildcards, output: str(Path(output[0]).parent),
        max_lost=experiment.config["max_lost"],
    shell:
        "python -m harness pack --dataset {wildcards.dataset} --sheet {input.sheet} --registered {params.registered}"
        " --reports {input.reports} --max-lost {params.max_lost} --out {params.packed} 2> {log}"


rule quality:
    input:
        sheet=f"{DATA}/{{dataset}}/subjects.csv",
        reports=gather.chunk(f"{DATA}/{{{{dataset}}}}/chunks/{{scatteritem}}.csv"),
        modules=[
            source(f"harness/data/quality/{name}")
            for name in ("rules.py", "measures.py", "montage.py", "charts.py", "cohort.py", "page.py", "page.html.j2")
        ],
    output:
        csv=f"{DATA}/{{dataset}}/quality/quality.csv",
        html=report(
            f"{DATA}/{{dataset}}/quality/quality.html",
            caption=caption("quality"),
            category="Quality",
            labels={"data set": "{dataset}"},
        ),
    log:
        f"{RESULTS}/logs/quality/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/quality/{{dataset}}.tsv"
    conda:
        f"{ENVS}/data.yaml"
    threads: stage_threads("preprocessing")
    resources:
        mem_mb=memory(quality_budget),
        runtime=minutes(quality_budget),
    params:
        registered=lambda wildcards, input: str(Path(input.sheet).parent / "registered"),
        out=lambda wildcards, output: str(Path(output.csv).parent),
    shell:
        "python -m harness quality --dataset {wildcards.dataset} --sheet {input.sheet} --registered {params.registered}"
        " --threads {threads} --out {params.out} --reports {input.reports} > {log} 2>&1"
