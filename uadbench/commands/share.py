"""Command `share`: a trained run, passed on through the Hugging Face hub or as a folder."""

from pathlib import Path
from typing import Any

import click

from uadbench.commands._shared import OUTPUT, PATH, TRAINED, runs


@click.command()
@click.argument("folder", type=TRAINED, shell_complete=runs)
@click.option("--repo", help="Repository of the hub, OWNER/NAME; created where it is missing.")
@click.option("--out", type=OUTPUT, help="New folder to pack into, without a network.")
@click.option("--private", is_flag=True, help="With --repo: create a private repository.")
@click.option("--revision", show_default="main", help="With --repo: branch to upload to; created where it is missing.")
@click.option("--required", type=TRAINED, show_default="that of the same study", help="Run that this one builds on.")
@click.option("--release", help="Release of the training data, a name in uadbench/resources/datasets.csv.")
@click.option(
    "--licence", show_default="that of the training data", help="Licence of the weights, as the hub writes it."
)
@click.option("--i-may-share", "may_share", is_flag=True, help="The data's agreement permits passing on these weights.")
@click.option("--note", type=PATH, help="Markdown file for the card: what its readers should know besides.")
@click.option(
    "--undated", is_flag=True, help="Leave out times, history and commit: equal trainings give the same bytes."
)
def command(
    folder: Path, repo: str | None, out: Path | None, private: bool, revision: str | None, **terms: Any
) -> None:
    """Pack the trained run in FOLDER with a model card and upload it, or write it to a folder.

    The card states method, training data and their licence, hyper-parameters, training, and the results of the study
    that the run lies in. Weights trained on data without an open licence need --i-may-share. The token is that of
    `hf auth login`, or HF_TOKEN. `score --run hf://OWNER/NAME` uses the run.
    """
    import tempfile

    from uadbench.core.errors import HarnessError
    from uadbench.sharing.packing import pack
    from uadbench.sharing.upload import check_name, upload

    if (repo is None) == (out is None):
        raise HarnessError("share: give either --repo OWNER/NAME or --out DIR")
    if repo is not None:
        check_name(repo)
        terms["repo"] = repo
    elif private or revision:
        raise HarnessError("share: --private and --revision are for --repo; leave them out with --out")
    with tempfile.TemporaryDirectory() as temporary:
        packed = out or Path(temporary) / "run"
        for line in pack(folder, packed, **terms):
            click.echo(f"warning: {line}", err=True)
        click.echo(out if repo is None else upload(packed, repo, private, revision))
    if repo is not None:
        address = f"{repo}@{revision}" if revision else repo
        click.echo(f"uadbench score --run hf://{address} --image scan.nii.gz --out map.nii.gz")
