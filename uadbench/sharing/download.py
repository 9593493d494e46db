"""Run named by a folder or by hf://OWNER/NAME[@REVISION]: found or downloaded, and checked before it is loaded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uadbench.core.errors import HarnessError
from uadbench.core.files import damaged
from uadbench.core.study_folder import RUN, WEIGHTS
from uadbench.sharing import shipped
from uadbench.sharing.contents import REQUIRED, WEIGHTS_LIMIT, check_method
from uadbench.training.record import LIMIT, record

#: also as a path writes it, hf:/OWNER/NAME
ADDRESS = re.compile(r"hf:/{1,2}([\w.-]+/[\w.-]+?)(?:@([\w./-]+))?/?", re.ASCII)
RECORDS = [RUN, f"{REQUIRED}/{RUN}"]


@dataclass(frozen=True)
class Address:
    """A repository of the hub, and a branch, tag or commit of it."""

    repo: str
    revision: str | None = None

    @classmethod
    def parse(cls, text: str) -> Address:
        """Raises HarnessError for a text that is no address."""
        found = ADDRESS.fullmatch(text)
        if not found:
            raise HarnessError(f"--run {text}: no address of a run; write hf://OWNER/NAME or hf://OWNER/NAME@REVISION")
        return cls(found[1], found[2])

    def __str__(self) -> str:
        return f"hf://{self.repo}" + (f"@{self.revision}" if self.revision else "")


def locate(run: str | Path | None, required: Path | None = None) -> tuple[Path, Path | None]:
    """The folder of a run, and that of the run that it requires.

    run: a folder, its run.json, or an address hf://OWNER/NAME[@REVISION], which is downloaded into the cache of
    huggingface_hub; None for the run that comes with the package.
    required: None for the folder `required` inside the run's, where there is one.
    Raises HarnessError for a repository that cannot be reached, is no run, or has other weights than it records.
    """
    run = shipped.FOLDER if run is None else run
    folder = download(Address.parse(str(run))) if str(run).startswith("hf:") else Path(run)
    folder = folder.parent if folder.name == RUN and folder.is_file() else folder
    if required is None and (folder / REQUIRED / RUN).is_file():
        required = folder / REQUIRED
    return folder, required


def download(address: Address) -> Path:
    """Download the files that scoring needs, and no others; returns the folder in the cache.

    Without a network, files of an earlier download are used. Raises HarnessError as `locate` does.
    """
    where = str(address)
    commit, sizes = _listing(address)
    if sizes is not None:
        if RUN not in sizes:
            raise HarnessError(f"{where}: not a run of uadbench (no {RUN}); check the name")
        if max(sizes.get(name, 0) for name in RECORDS) > LIMIT:
            raise HarnessError(f"{where}: {RUN} has more than {LIMIT} bytes, so is no record of a run")
    folder = _snapshot(address, address.revision, RECORDS, offline=sizes is None)
    if commit is not None and folder.name != commit:
        raise HarnessError(f"{where}: the repository changed during the download; run the command again")
    if not (folder / RUN).is_file():
        raise HarnessError(f"{where}: the cache holds no whole run, and the hub cannot be reached; connect to it once")
    wanted = _weights(folder, where)
    if sizes is not None and sum(sizes.get(name, 0) for name in wanted) > WEIGHTS_LIMIT:
        raise HarnessError(f"{where}: weights of more than {WEIGHTS_LIMIT / 2**30:g} GiB; not downloaded")
    if wanted:
        _snapshot(address, folder.name, list(wanted), offline=sizes is None)
    _check(folder, wanted, where, offline=sizes is None)
    return folder


def _weights(folder: Path, where: str) -> dict[str, str]:
    """SHA-256 of the weights of a run, and of the one it requires, by their path in the repository."""
    about = record(folder, where)
    requires = check_method(about, where).requires
    wanted = {f"{WEIGHTS}/{name}": digest for name, digest in about["weights"].items()}
    if requires is None:
        return wanted
    if not (folder / REQUIRED / RUN).is_file():
        raise HarnessError(f"{where}: builds on a run of {requires}, which is not in it; ask for it to be shared again")
    parent = record(folder / REQUIRED, f"{where}/{REQUIRED}")
    check_method(parent, f"{where}/{REQUIRED}")
    return wanted | {f"{REQUIRED}/{WEIGHTS}/{name}": digest for name, digest in parent["weights"].items()}


def _check(folder: Path, wanted: dict[str, str], where: str, offline: bool) -> None:
    """Raise HarnessError where weights are missing or have another checksum."""
    for path, reason in damaged(folder, wanted):
        remedy = "ask for the run to be shared again"
        if path.is_file():
            remedy = f"remove {folder.parents[1]} and run the command again, or {remedy}"
        elif offline:
            remedy = "the hub cannot be reached, connect to it once"
        raise HarnessError(f"{where}: {path.relative_to(folder).as_posix()} is {reason}; {remedy}")


def _listing(address: Address) -> tuple[str | None, dict[str, int] | None]:
    """Commit, and size in bytes of every file, of a repository; None for both where the hub cannot be reached."""
    from huggingface_hub import HfApi, errors

    try:
        about = HfApi().model_info(address.repo, revision=address.revision, files_metadata=True, timeout=30)
    except errors.HfHubHTTPError as error:
        if error.response.status_code >= 500:
            return None, None
        raise HarnessError(f"{address}: {refusal(error)}") from None
    except (errors.OfflineModeIsEnabled, errors.HTTPError, OSError):
        return None, None
    except ValueError as error:
        raise HarnessError(f"{address}: {first_line(error)}; check the name") from None
    return about.sha, {file.rfilename: file.size or 0 for file in about.siblings or []}


def _snapshot(address: Address, revision: str | None, names: list[str], offline: bool) -> Path:
    """The folder in the cache with these files of a revision."""
    from huggingface_hub import errors, snapshot_download

    try:
        found = snapshot_download(
            address.repo, revision=revision, allow_patterns=names, local_files_only=offline, library_name="uadbench"
        )
    except errors.LocalEntryNotFoundError:
        raise HarnessError(
            f"{address}: the hub cannot be reached, and the cache has no copy of this run; connect to the network, or "
            "give the folder of a run"
        ) from None
    except errors.HfHubHTTPError as error:
        raise HarnessError(f"{address}: {refusal(error)}") from None
    except (errors.HTTPError, errors.FileMetadataError, errors.XetDownloadError) as error:
        raise HarnessError(f"{address}: the download broke off ({first_line(error)}); run the command again") from None
    return Path(found)


def refusal(error: Any) -> str:
    """Reason and remedy of an error response of the hub, in one line."""
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return "access needs the owner's consent; ask for it on the page of the repository, then `hf auth login`"
    if isinstance(error, errors.RevisionNotFoundError):
        return "no such branch, tag or commit; check the text behind @"
    if isinstance(error, errors.RepositoryNotFoundError):
        return "no such repository, or a private one; check the name, or log in with `hf auth login` or HF_TOKEN"
    if error.response.status_code in (401, 403):
        return "the hub refuses access; log in with `hf auth login`, or set HF_TOKEN to a token with the right to it"
    return f"the hub answered {error.response.status_code} ({first_line(error)}); try again later"


def first_line(error: Exception) -> str:
    """The first line of a message, or the name of its class."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
