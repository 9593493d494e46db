"""A headless Chromium that opens a page from disk, through its DevTools pipe: picture, console, requests, scripts."""

import atexit
import base64
import fcntl
import functools
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
SECONDS = 120.0  # for one answer, on a busy machine
NAMELESS, CONTRAST = (Path(__file__).with_name(name) for name in ("nameless.js", "contrast.js"))
needed = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH; on Debian: apt-get install chromium")


@dataclass
class Visit:
    """Picture (height, width, 3) uint8, messages and errors of the console, requested URLs of networks, `value`."""

    picture: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 3), np.uint8))
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    value: Any = None


class Browser:
    """One tab of Chromium, over its protocol: messages of JSON, each ended by a zero byte, on its descriptors 3 and 4.

    profile: empty folder; events: all that the browser reported.
    """

    def __init__(self, profile: Path | str) -> None:
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
        self.number, self.rest = 0, b""
        self.events: list[dict[str, Any]] = []
        self.target, self.session = "", dict[str, str]()
        try:
            self.open_tab()
        except BaseException:
            self.close()
            raise

    def open_tab(self) -> None:
        """Work in a new tab; the former one is closed and its events go."""
        former, self.session = self.session, {}
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        if former:
            self.call("Target.closeTarget", targetId=self.target)
        self.target, self.session = target, {"sessionId": attached["sessionId"]}
        for domain in ("Runtime", "Log", "Page", "Network"):
            self.call(f"{domain}.enable")
        self.events.clear()

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of a command; events that arrive meanwhile are kept in `events`."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params, **self.session}
        os.write(self.write, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + SECONDS
        while True:
            found = self._next(end)
            if found.get("id") == self.number:
                assert "error" not in found, found
                return dict(found["result"])
            self.events.append(found)

    def _next(self, end: float) -> dict[str, Any]:
        while b"\0" not in self.rest:
            ready, _, _ = select.select([self.read], [], [], max(0, end - time.monotonic()))
            piece = os.read(self.read, 2**20) if ready else b""
            assert piece, f"Chromium gave no answer within {SECONDS:g} s"
            self.rest += piece
        first, _, self.rest = self.rest.partition(b"\0")
        return dict(json.loads(first))

    def run(self, script: str) -> Any:
        """Value of a JavaScript expression in the page, awaited if it is a promise."""
        found = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, condition: str) -> None:
        """Return when a JavaScript expression is true."""
        end = time.monotonic() + SECONDS
        while not self.run(condition):
            assert time.monotonic() < end, condition
            time.sleep(0.05)

    def picture(self, **options: Any) -> np.ndarray:
        """The page, or the part of it that options of the protocol state: (height, width, 3) uint8."""
        png = base64.b64decode(self.call("Page.captureScreenshot", **options)["data"])
        return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))

    def close(self) -> None:
        """End the browser."""
        self.process.kill()
        self.process.wait()
        os.close(self.write)
        os.close(self.read)


@functools.cache
def started() -> Browser:
    """The browser of all visits: its start takes as long as three of them."""
    folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    browser = Browser(folder.name)
    atexit.register(folder.cleanup)
    atexit.register(browser.close)
    return browser


def visit(page: Path, act: str = "", size: tuple[int, int] = (1400, 900)) -> Visit:
    """Open a page, wait until its body has `data-ready`, run the body `act` of an async function, take a picture."""
    seen, browser = Visit(), started()
    browser.open_tab()
    screen = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False}
    browser.call("Emulation.setDeviceMetricsOverride", **screen)
    browser.call("Page.navigate", url=page.resolve().as_uri())
    browser.wait("document.body && document.body.dataset.ready")
    seen.value = browser.run(f"(async () => {{ {act} }})()")
    browser.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))")
    seen.picture = browser.picture()
    failed = [event["params"] for event in browser.events if event["method"] == "Network.loadingFailed"]
    refused = {params["requestId"] for params in failed if params.get("blockedReason") == "csp"}  # by the page's policy
    for event in browser.events:
        params = event.get("params", {})
        if event["method"] in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
            seen.console.append(json.dumps(params)[:1000])
        elif event["method"] in ("Network.requestWillBeSent", "Network.webSocketCreated"):
            url = params.get("url") or params["request"]["url"]
            sent = re.match(r"(https?|wss?):", url) and params["requestId"] not in refused
            seen.requests += [url] if sent else []
    return seen
