"""A headless Chromium that opens a page from disk: its picture, what it prints, and what it requests."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
OPTIONS = [
    *("--headless", "--no-sandbox", "--hide-scrollbars", "--disable-dev-shm-usage", "--force-device-scale-factor=1"),
    *("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"),  # WebGL 2 without a GPU
    *("--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-default-apps", "--disable-extensions", "--enable-logging=stderr", "--log-level=0"),
]
SCRIPT = """<script>
addEventListener("load", () => {
  const timer = setInterval(() => {
    const state = document.body.dataset.ready;
    if (!state) return;
    clearInterval(timer);
    if (state !== "yes") throw new Error(document.querySelector(".trouble").textContent);
    { ACT }
  }, 100);
  setTimeout(() => { if (!document.body.dataset.ready) throw new Error("not ready"); }, 8000);
});
</script>"""
needed = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH; on Debian: apt-get install chromium")


@dataclass(frozen=True)
class Visit:
    """Picture (height, width, 3) uint8, lines of the console, and URLs that were requested from a network."""

    picture: np.ndarray
    console: list[str]
    requests: list[str]


def visit(page: Path, act: str = "", size: tuple[int, int] = (1400, 900), milliseconds: int = 20_000) -> Visit:
    """Open a page, run the script `act` once its viewer is ready, and take a picture of it.

    The body of a page must get `data-ready` within 8 s of the page's clock.
    """
    assert CHROMIUM
    with tempfile.TemporaryDirectory() as scratch:
        opened, shot, log = (Path(scratch) / name for name in ("page.html", "shot.png", "net.json"))
        wait = SCRIPT.replace("ACT", act)
        opened.write_text(page.read_text(encoding="utf-8").replace("</body>", f"{wait}</body>"), encoding="utf-8")
        command = [CHROMIUM, *OPTIONS, f"--user-data-dir={scratch}/profile", f"--log-net-log={log}"]
        command += [f"--window-size={size[0]},{size[1]}", f"--virtual-time-budget={milliseconds}"]
        done = subprocess.run(
            [*command, f"--screenshot={shot}", opened.as_uri()], capture_output=True, text=True, timeout=180
        )
        assert shot.is_file(), done.stderr[-2000:]
        picture = np.asarray(Image.open(shot).convert("RGB"))
        requests = _requests(log)
    return Visit(picture, re.findall(r"CONSOLE.*", done.stderr), requests)


def _requests(log: Path) -> list[str]:
    """URLs of http, https, ws and wss that a page asked for, by Chromium's log; its own ones have no origin."""
    text = log.read_text(encoding="utf-8")
    events = json.loads(text if text.rstrip().endswith("}") else text.rstrip().rstrip(",") + "]}")["events"]
    asked = [
        event["params"]
        for event in events
        if event.get("params", {}).get("initiator", "not an origin") != "not an origin"
    ]
    urls = {str(params.get("url", "")) for params in asked}
    return sorted(url for url in urls if re.match(r"(https?|wss?):", url))
