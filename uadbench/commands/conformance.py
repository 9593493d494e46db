"""Command `conformance`: checks of a baseline."""

import click

from uadbench.commands._shared import methods_or_files


@click.command()
@click.argument("baselines", metavar="NAME|FILE...", nargs=-1, required=True, shell_complete=methods_or_files)
def command(baselines: tuple[str, ...]) -> None:
    """Check that baselines train, resume and score as the study requires, on a small cohort; takes seconds to minutes.

    Each is the name of a method, or a file outside of the project, such as my_baseline.py. The variants of a file are
    checked, too.
    """
    import tempfile
    from pathlib import Path

    from uadbench import baselines as folders
    from uadbench.conformance.suite import Candidate, outcomes
    from uadbench.core.errors import HarnessError
    from uadbench.methods import registry

    failed = []
    for entry in baselines:
        path = Path(entry)
        is_path = path.exists() or path.suffix or len(path.parts) > 1
        name = folders.add_file(path) if is_path and registry.base(entry) not in registry.names() else entry
        about = registry.describe(name)
        variants = about.variants if registry.base(name) == name else ()
        for method in [name, *(f"{name}-{variant}" for variant in variants)]:
            with tempfile.TemporaryDirectory() as folder:
                for check, reason in outcomes(Candidate(method, Path(folder))):
                    click.echo(f"{method}: {check}: {f'FAILED: {reason}' if reason else 'passed'}")
                    failed += [f"{method}: {check}"] * bool(reason)
    if failed:
        raise HarnessError(f"{len(failed)} of the checks failed, see above; the first: {failed[0]}")
