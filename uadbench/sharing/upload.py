"""Upload of a packed run to a repository of the Hugging Face hub."""

import re
from pathlib import Path

from uadbench.core.errors import HarnessError
from uadbench.core.study_folder import HISTORY, RUN, WEIGHTS
from uadbench.sharing.contents import CARD, REQUIRED
from uadbench.sharing.download import first_line, refusal

NAME = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
OWN = (".gitattributes", ".gitignore", CARD, "LICENSE")  # of a new repository


def upload(folder: Path, repo: str, private: bool = False, revision: str | None = None) -> str:
    """Upload a packed run as one commit, and create repository and branch where they are missing; returns its URL.

    Files of an earlier run in the repository are replaced. Raises HarnessError for a missing token, a repository that
    holds something else or is public against `private`, and a hub that cannot be reached or refuses.
    """
    from huggingface_hub import HfApi, errors, get_token

    check_name(repo)
    api = HfApi(library_name="uadbench")
    if not get_token():
        raise HarnessError(f"{repo}: no token of the hub; log in with `hf auth login`, or set HF_TOKEN")
    try:
        api.create_repo(repo, private=private, exist_ok=True)
        if revision is not None:
            api.create_branch(repo, branch=revision, exist_ok=True)
        about = api.model_info(repo, revision=revision)
        held = [file.rfilename for file in about.siblings or []]
        if private and about.private is False:
            raise HarnessError(f"{repo}: exists and is public; make it private on its page, or leave out --private")
        if RUN not in held and not set(held) <= set(OWN):
            raise HarnessError(f"{repo}: holds files that are no run of uadbench; name another repository")
        done = api.upload_folder(
            repo_id=repo,
            folder_path=folder,
            revision=revision,
            commit_message="Run of uadbench",
            delete_patterns=[f"{WEIGHTS}/*", f"{REQUIRED}/*", HISTORY],
        )
    except errors.HfHubHTTPError as error:
        raise HarnessError(f"{repo}: {refusal(error)}") from None
    except errors.OfflineModeIsEnabled:
        raise HarnessError(f"{repo}: HF_HUB_OFFLINE forbids the network; unset it, or give --out") from None
    except errors.HTTPError as error:
        raise HarnessError(
            f"{repo}: the hub cannot be reached ({first_line(error)}); connect to the network, or give --out"
        ) from None
    except ValueError as error:
        raise HarnessError(f"{repo}: {first_line(error)}") from None
    return str(done.commit_url)


def check_name(repo: str) -> None:
    """Raise HarnessError for a name that is not OWNER/NAME."""
    if not NAME.fullmatch(repo):
        raise HarnessError(f"--repo {repo}: not of the form OWNER/NAME; give the name of a repository of the hub")
