"""A server of a few files that fails as told: what tests of the download meet in place of the publisher."""

import hashlib
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from uadbench.data.download import tables

Fault = Callable[["Answer", bytes, int], None]


class Server:
    """faults: what the next requests of a path meet; always: what every request meets; asked: paths and ranges."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[Fault]] = defaultdict(list)
        self.always: Fault | None = None
        self.asked: list[tuple[str, str | None]] = []
        self.queries: set[str] = set()
        server = self

        class Handler(Answer):
            owner = server

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.handle_error = lambda *_: None  # type: ignore[method-assign]  # of a connection that the client ends
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


class Answer(BaseHTTPRequestHandler):
    owner: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Requests stay out of the output of the tests."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path).lstrip("/")
        self.owner.asked.append((path, self.headers.get("Range")))
        self.owner.queries.add(parts.query)
        if path not in self.owner.files:
            return self.give(b"", 0, 404)
        content, start = self.owner.files[path], 0
        if found := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")):
            start = int(found[1])
        fault = self.owner.faults[path].pop(0) if self.owner.faults[path] else self.owner.always
        return (fault or Answer.give)(self, content, start)

    def give(self, content: bytes, start: int = 0, status: int | None = None, **headers: str) -> None:
        """The rest of the content, or an answer without it; headers: `_` for `-`."""
        body = content[start:]
        self.send_response(status or (206 if start else 200))
        if start and status is None:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        for key, value in {"Content_Length": str(len(body)), **headers}.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


def status(number: int, **headers: str) -> Fault:
    return lambda answer, content, start: answer.give(b"", 0, number, **headers)


def cut(after: int) -> Fault:
    """The connection ends after some bytes."""

    def fault(answer: Answer, content: bytes, start: int) -> None:
        answer.give(
            content[: start + after],
            start,
            206 if start else 200,
            Content_Length=str(len(content) - start),
            Content_Range=f"bytes {start}-{len(content) - 1}/{len(content)}",
        )
        answer.close_connection = True

    return fault


def other(change: Callable[[bytes], bytes], **headers: str) -> Fault:
    """Another content."""
    return lambda answer, content, start: answer.give(change(content), 0, 200, **headers)


def endless(answer: Answer, content: bytes, start: int) -> None:
    """More bytes than stated, of no stated length."""
    answer.send_response(200)
    answer.end_headers()
    answer.wfile.write(content + bytes(2**17))
    answer.close_connection = True


def silent(seconds: float) -> Fault:
    def fault(answer: Answer, content: bytes, start: int) -> None:
        time.sleep(seconds)
        answer.close_connection = True

    return fault


def slow(answer: Answer, content: bytes, start: int) -> None:
    """A few bytes at a time."""
    answer.give(b"", 0, 200, Content_Length=str(len(content)))
    for at in range(40):
        answer.wfile.write(content[at : at + 1])
        time.sleep(0.02)
    answer.close_connection = True


def whole(answer: Answer, content: bytes, start: int) -> None:
    """As of a server without ranges."""
    answer.give(content)


def redirect(address: str) -> Fault:
    return status(302, Location=address)


def publish(folder: Path, name: str, files: dict[str, bytes], address: str) -> None:
    """Write the table of a data set, with two kinds of checksums by turns."""
    facts = dict.fromkeys(tables.KEYS, "x") | {"layout": "bids", "short": f"{name}s", "address": address}
    lines = [f"# {key}: {value}" for key, value in facts.items()] + ["path\tbytes\tdigest\tvalue\tversion"]
    for number, (path, content) in enumerate(files.items()):
        kind = ("sha256", "md5")[number % 2]
        lines.append(f"{path}\t{len(content)}\t{kind}\t{hashlib.new(kind, content).hexdigest()}\tv.{number}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
