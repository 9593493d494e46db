# Evaluation: every run on every test set of its modality, in one pass, then one tidy table of all results.

# One seed of a task is a job, or with `seeds_together` all of them: fewer processes, each with all its imports.
TOGETHER = outputs.one_job(experiment)
TEST = "{method}-{task}" if TOGETHER else "{method}-{task}-seed-{seed}"
SCORES = [
    folder.scores("{method}", "{task}", seed).as_posix() for seed in (experiment.seeds if TOGETHER else ["{seed}"])
]
SCORED = [*map(study_folder.histogram_file, experiment.protocols), study_folder.EXAMPLES, study_folder.VOLUMES]


rule test:
    input:
        run=trained_runs,
        data=lambda wildcards: f"{folder.packed(experiment.task(wildcards.task).dataset)}/{study_folder.INDEX}",
        healthy="<healthy>/index.json",
        required=required_runs,
    output:
        [f"{scores}/{name}" for scores in SCORES for name in SCORED],
        findings=[f"{scores}/{study_folder.FINDINGS}" for scores in SCORES],
    log:
        f"<logs>/test/{TEST}.log",
    benchmark:
        f"<benchmarks>/test/{TEST}.tsv"
    conda:
        f"{ENVS}/training.yaml"
    threads: experiment.config.threads.evaluation
    resources:
        gpu=wants_gpu,
        mem_mb=memory(test_budget),
        runtime=minutes(test_budget),
    params:
        runs=lambda wildcards, input: folders("--run", input.run) + folders("--required", input.required),
        settings=lambda wildcards: [f"--settings={settings_of(wildcards, seed).text}" for seed in seeds_of(wildcards)],
        data=subpath(input.data, parent=True),
        healthy=subpath(input.healthy, parent=True),
        modality=modality_of,
        experiment=experiment.name,
        protocols=" ".join(f"--protocol {protocol}" for protocol in experiment.protocols),
        labels=lambda wildcards: experiment.label_options(experiment.task(wildcards.task).dataset),
        examples=experiment.config.evaluation.examples,
        out=lambda wildcards, output: folders("--out", output.findings),
        made=made,
    shell:
        "python -m uadbench test {params.runs:q} --method {wildcards.method} --data {params.data} --healthy {params.healthy}"
        " --task {wildcards.task} --modality {params.modality} --experiment {params.experiment} {params.settings:q}"
        " {params.protocols} {params.labels} --examples {params.examples} --volumes {params.out:q} > {log} 2>&1;"
        " {params.made}"


rule summarize:
    input:
        histograms=[scored(f"{protocol}.npz", experiment.seeds) for protocol in experiment.protocols],
        findings=scored(study_folder.FINDINGS, experiment.seeds),
        examples=scored(study_folder.EXAMPLES, experiment.seeds),
        sheets=expand("<data>/{dataset}/subjects.csv", dataset=experiment.datasets),
    output:
        results="<results>/evaluation/results.csv",
        comparisons="<results>/evaluation/comparisons.csv",
        order="<results>/evaluation/order.csv",
        subsets="<results>/evaluation/subsets.csv",
        subgroups="<results>/evaluation/subgroup_means.csv",
        profiles="<results>/evaluation/profiles.csv",
        restorations="<results>/evaluation/restorations.csv",
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
        compared=[f"--compared={score}" for score in experiment.config.evaluation.compared],
        titles=json.dumps(experiment.titles),
        tuned_on=json.dumps(experiment.tuned_on),
        missing=[f"--missing={title}" for title in experiment.missing],
        releases=json.dumps(experiment.releases),
        sheets=lambda wildcards, input: [f"--sheet={Path(path).parent.name}={path}" for path in input.sheets],
        made=made,
    shell:
        "python -m uadbench summarize --resamples {params.resamples} --titles {params.titles:q}"
        " --tuned-on {params.tuned_on:q} {params.compared:q} --releases {params.releases:q} {params.missing:q}"
        " {params.sheets:q} --out {output.results}"
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
