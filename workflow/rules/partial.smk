# Tables, figures and report of the methods that ended, where others did not: in results/EXPERIMENT/partial.

import shutil
import subprocess

PARTIAL = folder.path / study_folder.PARTIAL
# All that is made of the scores, and of the quality of the data: no rule among them trains or scores.
FINAL = ["all", "quality", "summarize", "synthesis", "histories", "report", *RENDERED]


def make_partial():
    """Make what can be made of the other methods, when a method's jobs have failed and all others have ended.

    Snakemake itself does it, with `without` in the config, so that it runs as all else on clusters and in containers.
    """
    scheduler, dag = workflow.scheduler, workflow.dag
    ended = scheduler.failed and not (scheduler.open_jobs or scheduler.running)
    if experiment.config.without or workflow.touch or not (ended and "all" in {job.rule.name for job in dag.jobs}):
        return
    unfinished = {job.wildcards.get("method") for job in dag.needrun_jobs()}
    missing = [method for method in experiment.methods if method in unfinished]
    if missing in ([], experiment.methods):
        return
    print(f"Without {', '.join(missing)}: tables of the other methods in {PARTIAL}", file=sys.stderr)
    overrides = {key: f"{key}={json.dumps(value)}" for key, value in workflow.config_settings.config.items()}
    overrides |= {text.partition("=")[0]: text for text in sys.argv if text.partition("=")[0] in overrides}
    given = [text for text in sys.argv[1:] if text not in overrides.values()]
    command = [sys.executable, "-m", "snakemake", *given, "--nolock", "--keep-going"]
    folder_lock.release()
    subprocess.run(
        [*command, "--config", *overrides.values(), f"without={json.dumps(missing)}", "--allowed-rules", *FINAL]
    )


def remove_partial():
    """Remove it when the study is complete."""
    if not experiment.config.without and "all" in {job.rule.name for job in workflow.dag.jobs}:
        for place in (PARTIAL, folder.path / study_folder.CHECKSUMS / PARTIAL.name):
            shutil.rmtree(place, ignore_errors=True)
