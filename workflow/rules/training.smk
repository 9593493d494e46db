# Training: one run for each method x modality x seed. A change of scoring parameters, threads or device never retrains.


# Beside the runs, for `score` and `share`: what the config says of a method, also where scoring parameters changed later.
rule parameters:
    output:
        "<training>/{method}/{modality}/params.json",
    log:
        "<logs>/parameters/{method}-{modality}.log",
    localrule: True
    conda:
        f"{ENVS}/paper.yaml"
    params:
        settings=lambda wildcards: settings_of(wildcards).text,
    shell:
        "printf '%s\\n' {params.settings:q} > {output} 2> {log}"


# Methods with nothing to train have a run all the same, for `score` and `share`: a record, which takes no time.
UNTRAINED = "|".join({run.method: 0 for run in experiment.runs if not experiment.describe(run.method).trains}) or "(?!)"
# In the path, since a rule's own constraints do not reach into pathvars.
RECORDED = folder.run(f"{{method,{UNTRAINED}}}", "{modality}", "{seed}").as_posix()


ruleorder: record > train


rule record:
    input:
        data="<healthy>/index.json",
    output:
        run=f"{RECORDED}/run.json",
        history=f"{RECORDED}/history.csv",
        weights=directory(f"{RECORDED}/weights"),
    log:
        "<logs>/train/{method}-{modality}-seed-{seed}.log",
    localrule: True
    conda:
        f"{ENVS}/training.yaml"
    params:
        settings=lambda wildcards: settings_of(wildcards).text,
        data=subpath(input.data, parent=True),
        out=subpath(output.run, parent=True),
        made=made,
    shell:
        "python -m uadbench train --method {wildcards.method} --modality {wildcards.modality} --seed {wildcards.seed}"
        " --data {params.data} --settings {params.settings:q} --out {params.out} > {log} 2>&1; {params.made}"


rule train:
    input:
        data="<healthy>/index.json",
        required=required_runs,
        weights=lambda wildcards: if_file(settings_of(wildcards).values.get("weights")),
    output:
        run="<run>/run.json",
        history="<run>/history.csv",
        weights=directory("<run>/weights"),
    log:
        "<logs>/train/{method}-{modality}-seed-{seed}.log",
    benchmark:
        "<benchmarks>/train/{method}-{modality}-seed-{seed}.tsv"
    conda:
        f"{ENVS}/training.yaml"
    threads: experiment.config.threads.training
    resources:
        gpu=wants_gpu,
        mem_mb=memory(train_budget),
        # Not longer at a retry: a training resumes from its saved state.
        runtime=minutes(train_budget, longer=1),
    params:
        settings=lambda wildcards: settings_of(wildcards).text,
        data=subpath(input.data, parent=True),
        required=lambda wildcards, input: folders("--required", input.required),
        out=subpath(output.run, parent=True),
        made=made,
    shell:
        "python -m uadbench train --method {wildcards.method} --modality {wildcards.modality} --seed {wildcards.seed}"
        " --data {params.data} --settings {params.settings:q} {params.required:q}"
        " --out {params.out} > {log} 2>&1; {params.made}"
