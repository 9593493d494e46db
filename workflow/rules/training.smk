# Training: one run for each method x modality x seed. A change of `trigger` retrains; of scoring
# parameters, threads or device never.


# Beside the runs, for `score` and `share`: what the config says of a method, also where scoring parameters changed later.
rule parameters:
    output:
        "<results>/training/{method}/{modality}/params.json",
    localrule: True
    params:
        settings=lambda wildcards: experiment.settings(wildcards.method, wildcards.modality).text,
    shell:
        "printf '%s\\n' {params.settings:q} > {output}"


rule train:
    input:
        data="<healthy>/index.json",
        required=required_run,
        weights=named_weights,
    output:
        run="<results>/training/{method}/{modality}/seed-{seed}/run.json",
        history="<results>/training/{method}/{modality}/seed-{seed}/history.csv",
        weights=directory("<results>/training/{method}/{modality}/seed-{seed}/weights"),
    log:
        "<logs>/train/{method}-{modality}-seed-{seed}.log",
    benchmark:
        "<benchmarks>/train/{method}-{modality}-seed-{seed}.tsv"
    conda:
        f"{ENVS}/training.yaml"
    threads: stage_threads("training")
    resources:
        gpu=gpus,
        mem_mb=memory(train_budget),
        # Not longer at a retry: a training resumes from its saved state.
        runtime=lambda wildcards: train_budget(wildcards).minutes,
    params:
        trigger=lambda wildcards: experiment.settings(wildcards.method, wildcards.modality).training,
        settings=lambda wildcards, output: experiment.settings(wildcards.method, wildcards.modality).text,
        data=subpath(input.data, parent=True),
        required=lambda wildcards, input: f"--required {Path(input.required[0]).parent}" if input.required else "",
        out=subpath(output.run, parent=True),
    shell:
        "python -m uadbench train --method {wildcards.method} --modality {wildcards.modality} --seed {wildcards.seed}"
        " --data {params.data} --settings {params.settings:q} {params.required}"
        " --out {params.out} > {log} 2>&1"
