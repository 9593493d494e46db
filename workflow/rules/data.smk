# Data: raw MRI (made here if simulated) -> subject sheets -> registered volumes -> packed arrays.


scattergather:
    chunk=experiment.chunks,


def raw_files(wildcards):
    """The list of simulated scans; real scans are not watched, since a release never changes."""
    return [f"{DATA}/raw/{wildcards.dataset}/manifest.csv"] if wildcards.dataset in SIMULATED else []


def index_options(wildcards):
    """Options of `index` from the data set's entry in the config."""
    about = experiment.datasets[wildcards.dataset]
    root = f"{DATA}/raw/{wildcards.dataset}" if wildcards.dataset in SIMULATED else about["root"]
    role = "healthy" if wildcards.dataset == experiment.train else "test"
    options = ["--root", root, "--layout", about["layout"], "--role", role]
    if role == "healthy":
        options += ["--validation", about.get("validation", 0), "--split-seed", about.get("split_seed", 0)]
    for subject in about.get("exclude", []):
        options += ["--exclude", subject]
    return [str(option) for option in options]


SIMULATED = experiment.simulated.get("subjects", {})

# Manifests vanish when their job starts anew; scans that are already there are kept and only completed.
rule simulate:
    output:
        f"{DATA}/raw/{{dataset}}/manifest.csv",
    log:
        f"{RESULTS}/logs/simulate/{{dataset}}.log",
    params:
        out=lambda wildcards, output: str(Path(output[0]).parent),
        layout=lambda wildcards: experiment.datasets[wildcards.dataset]["layout"],
        subjects=lambda wildcards: SIMULATED[wildcards.dataset],
        seed=experiment.simulated.get("seed"),
        spacing=experiment.simulated.get("spacing"),
    conda:
        f"{ENVS}/data.yaml"
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
    params:
        options=index_options,
    conda:
        f"{ENVS}/data.yaml"
    shell:
        "python -m harness index --dataset {wildcards.dataset} {params.options:q} --out {output} > {log} 2>&1"


rule preprocess:
    input:
        f"{DATA}/{{dataset}}/subjects.csv",
    output:
        f"{DATA}/{{dataset}}/chunks/{{scatteritem}}.csv",
    log:
        f"{RESULTS}/logs/preprocess/{{dataset}}/{{scatteritem}}.log",
    params:
        chunk=lambda wildcards: wildcards.scatteritem.replace("-of-", "/"),
        registered=f"{DATA}/{{dataset}}/registered",
        settings=experiment.preprocessing_settings(),
    threads: stage_threads("preprocessing")
    conda:
        f"{ENVS}/data.yaml"
    shell:
        "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS={threads} python -m harness preprocess --sheet {input}"
        " --chunk {params.chunk} --settings {params.settings:q} --out {params.registered} --report {output} 2> {log}"


rule pack:
    input:
        sheet=f"{DATA}/{{dataset}}/subjects.csv",
        reports=gather.chunk(f"{DATA}/{{{{dataset}}}}/chunks/{{scatteritem}}.csv"),
    output:
        f"{DATA}/{{dataset}}/packed/index.json",
    log:
        f"{RESULTS}/logs/pack/{{dataset}}.log",
    params:
        registered=f"{DATA}/{{dataset}}/registered",
        packed=f"{DATA}/{{dataset}}/packed",
        max_lost=experiment.config["max_lost"],
    conda:
        f"{ENVS}/data.yaml"
    shell:
        "python -m harness pack --dataset {wildcards.dataset} --sheet {input.sheet} --registered {params.registered}"
        " --reports {input.reports} --max-lost {params.max_lost} --out {params.packed} 2> {log}"
