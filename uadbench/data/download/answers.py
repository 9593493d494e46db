"""Answers of a server and faults of the way to it: which may pass, which are of one file; each in one line."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests
from requests import exceptions
from urllib3.exceptions import HTTPError, InvalidHeader, NameResolutionError
from urllib3.util import Retry

from uadbench.core.errors import HarnessError
from uadbench.data.download.tables import File

AGAIN = "then run the same command again, which goes on, or name a copy of the data with --mirror"
NETWORK = f"look at the network, its firewall and its proxy (HTTPS_PROXY), {AGAIN}"
BUSY = (408, 425, 429, 500, 502, 503, 504)


class Refused(HarnessError):
    """What one file cannot be had for; others may come."""


@dataclass
class Passing(Exception):
    """A fault that may pass.

    error: what it is if it stays; attempts: further ones at most; after: seconds before them; anew: what came is wrong.
    """

    error: HarnessError
    attempts: int | None = None
    after: float = 0.0
    anew: bool = False


def beginning(file: File, have: int, response: requests.Response, longest: float) -> int:
    """The byte of a file at which an answer begins, `have` or 0.

    longest: seconds that a busy server may ask for. Raises Passing, Refused or HarnessError for another answer.
    """
    status, host = response.status_code, urlsplit(response.url).netloc
    said = f"{host} answers {status} {response.reason or ''}".rstrip()
    if status in BUSY:
        try:
            after = Retry().parse_retry_after(response.headers.get("Retry-After", "0"))
        except InvalidHeader:
            after = 0.0
        wait = f"wait {after:.0f} s" if after > longest else "wait some minutes"
        raise Passing(HarnessError(f"{said}, it is busy; {wait}, {AGAIN}"), after=after)
    if status == 407:
        raise HarnessError(f"{said}, the proxy wants a name and a password; write them into HTTPS_PROXY, {AGAIN}")
    if status in (401, 403, 451):
        raise Refused(f"{file.path}: {said}; look whether a proxy forbids the host, {AGAIN}")
    if status in (404, 410):
        raise Refused(f"{file.path}: {said}, the file is not there; look at the page of the data set, {AGAIN}")
    if status not in (200, 206, 416):
        raise Refused(f"{file.path}: {said}; look whether a proxy or a login page answers, {AGAIN}")
    start, length = 0, response.headers.get("Content-Length", "")
    if status == 206:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        start = int(found[1]) if found else -1
    if status == 416 or start not in (0, have) or (length and int(length) != file.bytes - start):
        how = f"{host} sends {length or '?'} bytes from {start} on, not {file.bytes - have} from {have} on"
        raise wrong(file, how, anew=status != 200)
    return start


@contextlib.contextmanager
def named(file: File, address: str, reached: bool, how: str = "cannot be reached") -> Iterator[None]:
    """Raise faults of the network within as Passing, Refused or HarnessError. reached: whether there was an answer."""
    host = urlsplit(address).netloc
    few = None if reached else 2  # without an answer so far there may be no network at all
    try:
        yield
    except exceptions.InvalidSchema as error:
        raise Refused(
            f"{file.path}: {host} leads to another kind of address ({_reason(error)}), which is not followed; look "
            f"whether a login page of the network answers, {AGAIN}"
        ) from error
    except exceptions.TooManyRedirects as error:
        raise Refused(f"{file.path}: {host} leads in a circle; look whether a proxy answers, {AGAIN}") from error
    except exceptions.ProxyError as error:
        line = f"the proxy of {host} does not let through ({_reason(error)}); correct HTTPS_PROXY or NO_PROXY, {AGAIN}"
        raise Passing(HarnessError(line), few) from error
    except exceptions.SSLError as error:
        raise HarnessError(
            f"{host}: its certificate is not trusted ({_reason(error)}); set the clock, or where a proxy reads "
            f"along name its certificates in REQUESTS_CA_BUNDLE, {AGAIN}"
        ) from error
    except (exceptions.RequestException, HTTPError) as error:
        said = "this name is not known" if _unknown(error) else f"{how} ({_reason(error)})"
        raise Passing(HarnessError(f"{host}: {said}; {NETWORK}"), few) from error


def wrong(file: File, how: str, anew: bool) -> Passing:
    """Of content that is not the published: once more, since something on the way may have answered."""
    line = f"{file.path}: not as published ({how}); look whether a proxy or a login page answers, {AGAIN}"
    return Passing(Refused(line), attempts=1, anew=anew)


def _reason(error: Exception) -> str:
    """The last part of a message that goes from the general to the particular."""
    first = error.args[0] if error.args else error
    return str(getattr(first, "reason", first)).rpartition(": ")[2][:200]


def _unknown(error: Exception) -> bool:
    """Whether the name of a host could not be resolved."""
    first = error.args[0] if error.args else error
    return isinstance(getattr(first, "reason", first), NameResolutionError)
