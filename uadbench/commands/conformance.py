"""Command `conformance`: checks of a baseline."""

from collections.abc import Iterator
from pathlib import Path

import click

from uadbench.commands._shared import methods_or_files
from uadbench.core.errors import HarnessError


@click.command()
@click.argument("baselines", metavar="NAME|FILE...", nargs=-1, required=True, shell_complete=methods_or_files)
def command(baselines: tuple[str, ...]) -> None:
    """Check that baselines train, resume and score as the study requires, on a small cohort; takes seconds to minutes.

    Each is the name of a method, or a file outside of the project, such as my_baseline.py. The variants of a file are
    checked, too.
    """
    failed = []
    helpers = [entry for entry in baselines if Path(entry).name[:1] == "_" and Path(entry).is_file()]
    if len(helpers) < len(baselines):  # as of my_baselines/*.py
        for entry in helpers:
            click.echo(f"{entry}: skipped, since a file whose name begins with _ is a helper of baselines")
        baselines = tuple(entry for entry in baselines if entry not in helpers)
    for entry in baselines:
        full = str(Path(entry).expanduser().resolve())
        try:
            for method, checks, reason in _checked(entry):
                said = f"FAILED: {reason.replace(full, entry)}" if reason else "passed"
                click.echo(f"{method}: {', '.join(checks)}: {said}")
                failed += [f"{method}: {check}" for check in checks] * bool(reason)
        except HarnessError as error:
            refused = str(error).replace(full, entry)
            if len(baselines) == 1:
                raise HarnessError(refused) from error
            click.echo(f"{entry}: FAILED: {refused.removeprefix(f'{entry}: ')}")
            failed.append(entry)
    if failed:
        raise HarnessError(f"{len(failed)} of the checks failed, see above; the first: {failed[0]}")


def _checked(entry: str) -> Iterator[tuple[str, list[str], str]]:
    """Methods of a name or a file, checks of each, and the reason why these failed.

    Raises HarnessError for an unknown name, and a file that is no baseline.
    """
    import tempfile

    from uadbench import baselines as folders
    from uadbench.conformance.suite import Candidate, outcomes
    from uadbench.methods import registry

    path = Path(entry)
    is_path = path.exists() or path.suffix or len(path.parts) > 1
    name = folders.add_file(path) if is_path and registry.base(entry) not in registry.names() else entry
    variants = registry.describe(name).variants if registry.base(name) == name else ()
    for method in [name, *(f"{name}-{variant}" for variant in variants)]:
        with tempfile.TemporaryDirectory() as folder:
            for checks, reason in outcomes(Candidate(method, Path(folder))):
                yield method, checks, reason
