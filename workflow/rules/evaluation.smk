# Evaluation: every run on every test set of its modality, in one pass, then one tidy table of all results.


rule test:
    input:
        run=trained_run,
        data=lambda wildcards: f"{folder.packed(experiment.task(wildcards.task).dataset)}/{study_folder.INDEX}",
        healthy="<healthy>/index.json",
        required=required_run,
    output:
        expand("<scores>/{protocol}.npz", protocol=experiment.protocols, allow_missing=True),
        findings="<scores>/findings.npz",
        examples="<scores>/examples.npz",
        volumes="<scores>/volumes.npz",
    log:
        "<logs>/test/{method}-{task}-seed-{seed}.log",
    benchmark:
        "<benchmarks>/test/{method}-{task}-seed-{seed}.tsv"
    conda:
        f"{ENVS}/training.yaml"
    threads: experiment.config.threads.evaluation
    resources:
        gpu=wants_gpu,
        mem_mb=memory(test_budget),
        runtime=minutes(test_budget),
    params:
        settings=lambda wildcards: settings_of(wildcards).text,
        run=subpath(input.run, parent=True),
        data=subpath(input.data, parent=True),
        healthy=subpath(input.healthy, parent=True),
        modality=modality_of,
        experiment=experiment.name,
        required=required_option,
        protocols=" ".join(f"--protocol {protocol}" for protocol in experiment.protocols),
        labels=lambda wildcards: experiment.label_options(experiment.task(wildcards.task).dataset),
        examples=experiment.config.evaluation.examples,
        out=subpath(output.examples, parent=True),
        made=made,
    shell:
        "python -m uadbench test --run {params.run} --method {wildcards.method} --data {params.data} --healthy {params.healthy}"
        " --task {wildcards.task} --modality {params.modality} --experiment {params.experiment}"
        " --settings {params.settings:q} {params.required} {params.protocols} {params.labels} --examples {params.examples} --volumes --out {params.out} > {log} 2>&1;"
        " {params.made}"


rule summarize:
    input:
        histograms=[scored(f"{protocol}.npz", experiment.seeds) for protocol in experiment.protocols],
        findings=scored(study_folder.FINDINGS, experiment.seeds),
    output:
        results="<results>/evaluation/results.csv",
        comparisons="<results>/evaluation/comparisons.csv",
    log:
        "<logs>/summarize.log",
    benchmark:
        "<benchmarks>/summarize.tsv"
    conda:
        f"{ENVS}/evaluation.yaml"
    resources:
        mem_mb=memory(summarize_budget),
        runtime=minutes(summarize_budget),
    params:
        resamples=experiment.config.evaluation.resamples,
        titles=json.dumps(experiment.titles),
        made=made,
    shell:
        "python -m uadbench summarize --resamples {params.resamples} --titles {params.titles:q} --out {output.results}"
        " {input.histograms} > {log} 2>&1; {params.made}"


rule synthesis:
    input:
        "<healthy>/index.json",
    output:
        "<results>/evaluation/synthesis.npz",
    log:
        "<logs>/synthesis.log",
    benchmark:
        "<benchmarks>/synthesis.tsv"
    localrule: True
    conda:
        f"{ENVS}/training.yaml"
    params:
        data=subpath(input[0], parent=True),
        modality=experiment.modalities[0],
        settings=experiment.settings(experiment.illustrated, experiment.modalities[0]).training,
        made=made,
    shell:
        "python -m uadbench synthesis --data {params.data} --modality {params.modality} --settings {params.settings:q}"
        " --out {output} > {log} 2>&1; {params.made}"
