"""Command `conformance`: checks of a baseline."""

from __future__ import annotations

import click

from uadbench.commands._shared import methods_or_files

SECTION = "methods"
ORDER = 3


@click.command()
@click.argument("baselines", metavar="NAME|FILE...", nargs=-1, required=True, shell_complete=methods_or_files)
def command(baselines: tuple[str, ...]) -> None:
    """Check that baselines train, resume and score as the study requires, on a small cohort; takes seconds to minutes.

    Each is the name of a method, or a file outside of the project, such as my_baseline.py. The variants of a file are
    checked, too.
    """
    import tempfile
    import traceback
    from pathlib import Path

    from uadbench import baselines as folders
    from uadbench import registry
    from uadbench.conformance.suite import CHECKS, Candidate, Violation
    from uadbench.errors import HarnessError

    failed = []
    for entry in baselines:
        name = folders.add_file(entry) if entry.endswith(".py") else entry
        about = registry.describe(name)
        variants = about.variants if registry.base(name) == name else ()
        for method in [name, *(f"{name}-{variant}" for variant in variants)]:
            with tempfile.TemporaryDirectory() as folder:
                candidate = Candidate(method, Path(folder))
                for title, check in CHECKS.items():
                    if f"{method}: declarations" in failed:
                        break  # without SMALL, trainings would take hours
                    try:
                        check(candidate)
                        click.echo(f"{method}: {title}: passed")
                    except (Violation, HarnessError) as error:
                        failed.append(f"{method}: {title}")
                        click.echo(f"{method}: {title}: FAILED: {error}")
                    except Exception as error:  # of the baseline's code: its line is the remedy
                        failed.append(f"{method}: {title}")
                        frames = traceback.extract_tb(error.__traceback__)
                        own = [
                            one for one in frames if one.filename == str(registry.BASELINES.path(registry.base(name)))
                        ]
                        frame = (own or frames)[-1]
                        where = f"{frame.filename}, line {frame.lineno}"
                        click.echo(f"{method}: {title}: FAILED: {type(error).__name__} in {where}: {error}")
    if failed:
        raise HarnessError(f"{len(failed)} of the checks failed, see above; the first: {failed[0]}")
