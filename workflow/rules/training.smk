# Training: method x modality x seed, each one run. What retrains is in `settings`; threads and device are not.


rule train:
    input:
        data=f"{DATA}/{experiment.train}/packed/index.json",
        required=required_run,
        weights=named_weights,
    output:
        run=f"{RESULTS}/training/{{method}}/{{modality}}/seed-{{seed}}/run.json",
        history=f"{RESULTS}/training/{{method}}/{{modality}}/seed-{{seed}}/history.csv",
        weights=directory(f"{RESULTS}/training/{{method}}/{{modality}}/seed-{{seed}}/weights"),
    log:
        f"{RESULTS}/logs/train/{{method}}-{{modality}}-seed-{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/train/{{method}}-{{modality}}-seed-{{seed}}.tsv"
    conda:
        f"{ENVS}/training.yaml"
    threads: stage_threads("training")
    resources:
        gpu=gpus,
        mem_mb=memory(train_budget),
        # Not longer at a retry: a training goes on from its saved state.
        runtime=lambda wildcards: train_budget(wildcards).minutes,
    params:
        settings=lambda wildcards: experiment.training_settings(wildcards.method, wildcards.modality),
        data=lambda wildcards, input: str(Path(input.data).parent),
        required=lambda wildcards, input: f"--required {Path(input.required[0]).parent}" if input.required else "",
        out=lambda wildcards, output: str(Path(output.run).parent),
    shell:
        "python -m harness train --method {wildcards.method} --modality {wildcards.modality} --seed {wildcards.seed}"
        " --data {params.data} --settings {params.settings:q} {params.required}"
        " --out {params.out} > {log} 2>&1"
