"""One file: each fault of the way is overcome or ends in one line with a remedy; no wrong file has the final name."""

import errno
import os
import socket
import threading

import pytest

from tests.data.download.server import cut, endless, other, redirect, silent, slow, status, whole
from uadbench.core.checksums import PARTIAL
from uadbench.core.errors import HarnessError
from uadbench.data.download import tables, transfer
from uadbench.data.download.answers import AGAIN, Refused
from uadbench.data.download.transfer import Patience, Place, Transfer

SCAN = "sub-01/anat/sub-01_T1w.nii.gz"
HASTE = Patience(pauses=(0.0, 0.0, 0.0), longest=1.0, slow=0.3)


@pytest.fixture
def fetched(server, tmp_path):
    """Fetches a file into the folder `made`; returns its content, and the sum of the bytes that were counted."""

    def fetch(path=SCAN, place=None, patience=HASTE):
        moved = []
        data = tables.load("own")
        file = next(file for file in data.files if file.path == path)
        Transfer(place or Place.of(data), moved.append, patience).fetch(file, tmp_path / "made" / path)
        return (tmp_path / "made" / path).read_bytes(), sum(moved)

    return fetch


@pytest.fixture
def partial(tmp_path):
    path = (tmp_path / "made" / SCAN).with_name(PARTIAL + SCAN.rpartition("/")[2])
    path.parent.mkdir(parents=True)
    return path


PASSING = {
    "429": [status(429, Retry_After="0")] * 3,
    "503": [status(503)] * 2,
    "busy until a date that has passed": [status(503, Retry_After="Wed, 21 Oct 2015 07:28:00 GMT")],
    "cut off": [cut(70_000), cut(70_000)],
    "cut off at once": [cut(0)],
    "cut off more often than there are pauses, with progress": [cut(66_000)] * 2 + [cut(1)] * 2,
    "no ranges": [cut(70_000), whole],
    "wrong once": [other(lambda content: bytes(len(content)))],
    "a login page once": [other(lambda content: b"<html>", Content_Type="text/html")],
    "more once": [endless],
    "silent": [silent(0.5)],
    "slow": [slow],
    "416": [cut(70_000), status(416)],
}


@pytest.mark.parametrize("faults", PASSING.values(), ids=PASSING)
def test_what_passes_is_overcome(faults, fetched, server, content):
    server.faults[f"own/{SCAN}"] = list(faults)
    assert fetched() == (content[SCAN], len(content[SCAN]))
    assert server.faults[f"own/{SCAN}"] == []


def test_a_cut_is_continued_where_it_was(fetched, server, content, partial):
    server.faults[f"own/{SCAN}"] = [cut(70_000)]
    fetched()
    assert [asked for _, asked in server.asked] == [None, "bytes=70000-"]
    partial.write_bytes(content["sub-02/anat/sub-02_T1w.nii.gz"][:150_000])  # of something else
    server.asked.clear()
    assert fetched() == (content[SCAN], len(content[SCAN]) - 150_000)
    assert [asked for _, asked in server.asked] == ["bytes=150000-", None]
    for finished, requests in ((content[SCAN], 0), (content[SCAN] + b"more", 1)):
        partial.write_bytes(finished)
        server.asked.clear()
        assert fetched()[0] == content[SCAN]
        assert len(server.asked) == requests


def test_a_busy_server_says_how_long(fetched, server, monkeypatch):
    waits = []
    server.faults[f"own/{SCAN}"] = [status(503, Retry_After="7"), status(429)]
    with monkeypatch.context() as patch:
        patch.setattr(threading.Event, "wait", lambda _, seconds=None: waits.append(seconds))
        fetched(patience=Patience(pauses=(0.25, 0.5)))
    assert [seconds for seconds in waits if seconds is not None] == [7.0, 0.5]
    server.always = status(503, Retry_After="3600")
    server.asked.clear()
    with pytest.raises(HarnessError, match=r"it is busy; wait 3600 s, "):
        fetched(SCAN.replace("01", "02"))
    assert len(server.asked) == 1


LOOK = "look whether a proxy or a login page answers, "
LASTING = {
    "403": (status(403), Refused, "403 Forbidden; look whether a proxy forbids the host, "),
    "404": (status(404), Refused, "404 Not Found, the file is not there; look at the page of the data set, "),
    "418": (status(418), Refused, LOOK),
    "407": (status(407), HarnessError, "the proxy wants a name and a password; write them into HTTPS_PROXY, "),
    "429": (status(429), HarnessError, "429 Too Many Requests, it is busy; wait some minutes, "),
    "503": (status(503, Retry_After="x"), HarnessError, "503 Service Unavailable, it is busy; wait some minutes, "),
    "cut off": (cut(9), HarnessError, "broke off (.*); look at the network, its firewall and its proxy"),
    "silent": (silent(0.5), HarnessError, "cannot be reached (.*timed out.*); look at the network"),
    "slow": (slow, HarnessError, f"{SCAN}: comes at [0-9]+ bytes/s; look at the network"),
    "wrong": (
        other(lambda c: bytes(len(c))),
        Refused,
        r"not as published \(its sha256 is \w+, not \w+\); ",
    ),
    "a page": (other(lambda _: b"<html>"), Refused, rf"sends 6 bytes from 0 on, not 200000 from 0 on\); {LOOK}"),
    "more": (endless, Refused, rf"{SCAN}: not as published \(more than its 200000 bytes\); "),
    "less": (other(lambda c: c[:-1]), Refused, "sends 199999 bytes from 0 on"),
    "to a file": (redirect("file:///etc/hostname"), Refused, "leads to another kind of address"),
    "in a circle": (redirect(f"/own/{SCAN}"), Refused, "leads in a circle"),
}


@pytest.mark.parametrize(("fault", "kind", "line"), LASTING.values(), ids=LASTING)
def test_what_stays_is_one_line_and_no_file(fault, kind, line, fetched, server, tmp_path):
    server.always = fault
    with pytest.raises(HarnessError, match=line) as error:
        fetched(patience=Patience(pauses=(0.0,), longest=1.0, slow=0.2))
    assert type(error.value) is kind
    assert str(error.value).startswith((SCAN, "127.0.0.1:"))
    assert str(error.value).endswith(AGAIN)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "made" / SCAN).exists()


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


def test_without_a_network(fetched, server, monkeypatch):
    with pytest.raises(HarnessError, match=r"^127\.0\.0\.1:\d+: cannot be reached \(.*refused\); look at"):
        fetched(place=Place(f"http://127.0.0.1:{closed_port()}"))

    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(HarnessError, match=r"its certificate is not trusted \(.*\); set the clock, or where a proxy"):
        fetched(place=Place(server.url.replace("http", "https")))
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(HarnessError, match=r"nowhere\.invalid: this name is not known; look at the network"):
        fetched(place=Place("https://nowhere.invalid"))


def test_proxies_of_the_environment(fetched, server, content, monkeypatch):
    """The server plays the proxy, which is asked for whole addresses."""
    server.files[SCAN] = content[SCAN]
    monkeypatch.setenv("http_proxy", server.url)
    assert fetched(place=Place("http://elsewhere.invalid"))[0] == content[SCAN]
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port()}")
    with pytest.raises(HarnessError, match=r"the proxy of elsewhere\.invalid does not let through"):
        fetched(SCAN.replace("01", "02"), place=Place("http://elsewhere.invalid"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert fetched(SCAN.replace("01", "03"))


def test_no_redirect_leads_from_https_to_http(fetched, server, monkeypatch):
    made = Transfer(Place("https://published.invalid"), lambda _: None, HASTE)
    assert [*made.session.adapters] == ["https://"]


def test_a_full_disk_is_named_and_leaves_no_file(fetched, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(transfer.Transfer, "_write", full)
    with pytest.raises(HarnessError, match=f"{SCAN}: No space left on device; make room and run again") as error:
        fetched()
    assert type(error.value) is HarnessError
    assert not (tmp_path / "made" / SCAN).exists()


def test_a_mirror_on_disk(fetched, content, tmp_path):
    copy = tmp_path / "a copy"
    place = Place.of(tables.load("own"), copy.as_uri())
    with pytest.raises(Refused, match=r"T1w\.nii\.gz: no such file in the mirror; copy it there, or leave"):
        fetched(place=place)
    (copy / "own" / SCAN).parent.mkdir(parents=True)
    (copy / "own" / SCAN).write_bytes(content[SCAN][:-1])
    with pytest.raises(HarnessError, match=f"{SCAN}: broke off after 199999 of 200000 bytes"):
        fetched(place=place)
    (copy / "own" / SCAN).write_bytes(content[SCAN])
    assert fetched(place=place)[0] == content[SCAN]


@pytest.mark.parametrize("mirror", ["ftp://a/b", "/a/b", "file://a/b", "https:///b"])
def test_a_mirror_is_an_address(mirror, server):
    with pytest.raises(HarnessError, match=r"--mirror .*: no such address; write https://…, http://… or file:///…"):
        Place.of(tables.load("own"), mirror)


def test_addresses_name_the_version_that_is_published():
    soop = tables.load("ds004889")
    last = soop.files[-1]
    assert Place.of(soop).address(last) == (
        "https://s3.amazonaws.com/openneuro.org/ds004889/sub-999/dwi/sub-999_rec-TRACE_dwi.nii.gz"
        "?versionId=iM.zqXuMRALsywaQUVHIqzCMlmxhqOfR"
    )
    assert Place.of(soop).address(soop.files[0]) == "https://s3.amazonaws.com/openneuro.org/ds004889/CHANGES"
    assert Place.of(soop, "https://a.b/c/").address(last) == (
        "https://a.b/c/ds004889/sub-999/dwi/sub-999_rec-TRACE_dwi.nii.gz"
    )
