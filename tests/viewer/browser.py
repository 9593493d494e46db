"""A headless Chromium that opens a page from disk, through its DevTools pipe: picture, console, requests, scripts."""

from __future__ import annotations

import base64
import fcntl
import io
import json
import os
import re
import select
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
OPTIONS = [
    *("--headless", "--no-sandbox", "--hide-scrollbars", "--disable-dev-shm-usage", "--remote-debugging-pipe"),
    *("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"),  # WebGL 2 without a GPU
    *("--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
SECONDS = 120.0  # for one visit, on a busy machine
needed = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH; on Debian: apt-get install chromium")


@dataclass
class Visit:
    """Picture (height, width, 3) uint8, messages and errors of the console, requested URLs of networks, `value`."""

    picture: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 3), np.uint8))
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    value: Any = None


class Pipe:
    """Chromium's protocol: messages of JSON, each ended by a zero byte, on the descriptors 3 and 4 of the process."""

    def __init__(self, profile: str) -> None:
        (to, self.write), (self.read, back) = os.pipe(), os.pipe()
        # Away from 3 and 4 first, so that neither is overwritten.
        high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, 20) for descriptor in (to, back)]

        def place() -> None:
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        assert CHROMIUM
        self.process = subprocess.Popen(
            [CHROMIUM, *OPTIONS, f"--user-data-dir={profile}"],
            preexec_fn=place,
            pass_fds=(3, 4),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for descriptor in (to, back, *high):
            os.close(descriptor)
        self.number, self.rest, self.end = 0, b"", time.monotonic() + SECONDS
        self.events: list[dict[str, Any]] = []
        self.session: dict[str, str] = {}

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of a command; events that arrive meanwhile are kept in `events`."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params, **self.session}
        os.write(self.write, json.dumps(message).encode() + b"\0")
        while True:
            found = self._next()
            if found.get("id") == self.number:
                assert "error" not in found, found
                return dict(found["result"])
            self.events.append(found)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self.rest:
            ready, _, _ = select.select([self.read], [], [], max(0, self.end - time.monotonic()))
            piece = os.read(self.read, 2**20) if ready else b""
            assert piece, f"Chromium gave no answer within {SECONDS:g} s"
            self.rest += piece
        first, _, self.rest = self.rest.partition(b"\0")
        return dict(json.loads(first))

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.write)
        os.close(self.read)


def visit(page: Path, act: str = "", size: tuple[int, int] = (1400, 900)) -> Visit:
    """Open a page, wait until its body has `data-ready`, run the body `act` of an async function, take a picture."""
    seen = Visit()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        pipe = Pipe(profile)
        try:
            target = pipe.call("Target.createTarget", url="about:blank")["targetId"]
            attached = pipe.call("Target.attachToTarget", targetId=target, flatten=True)
            pipe.session = {"sessionId": attached["sessionId"]}
            for domain in ("Runtime", "Log", "Page", "Network"):
                pipe.call(f"{domain}.enable")
            screen = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False}
            pipe.call("Emulation.setDeviceMetricsOverride", **screen)
            pipe.call("Page.navigate", url=page.resolve().as_uri())
            while not _value(pipe, "return document.body && document.body.dataset.ready"):
                time.sleep(0.1)
            seen.value = _value(pipe, act)
            _value(pipe, "await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));")
            picture = base64.b64decode(pipe.call("Page.captureScreenshot")["data"])
        finally:
            pipe.close()
    seen.picture = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))
    failed = [event["params"] for event in pipe.events if event["method"] == "Network.loadingFailed"]
    refused = {params["requestId"] for params in failed if params.get("blockedReason") == "csp"}  # by the page's policy
    for event in pipe.events:
        params = event.get("params", {})
        if event["method"] in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
            seen.console.append(json.dumps(params)[:1000])
        elif event["method"] in ("Network.requestWillBeSent", "Network.webSocketCreated"):
            url = params.get("url") or params["request"]["url"]
            sent = re.match(r"(https?|wss?):", url) and params["requestId"] not in refused
            seen.requests += [url] if sent else []
    return seen


def _value(pipe: Pipe, act: str) -> Any:
    code = f"(async () => {{ {act} }})()"
    found = pipe.call("Runtime.evaluate", expression=code, awaitPromise=True, returnByValue=True)
    assert "exceptionDetails" not in found, found["exceptionDetails"]
    return found["result"].get("value")
