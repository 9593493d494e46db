"""Policy of the pages: it names every script of a page, so that the browser runs these and none besides."""

import base64
import hashlib
import re

import numpy as np

from tests.paper.conftest import table, write_results
from uadbench.core.page_policy import policy
from uadbench.paper.writers import html
from uadbench.viewer import scripts
from uadbench.viewer.page import Layer, Page, write


def digests(page: str) -> tuple[set[str], set[str]]:
    """Those that the policy of a page names, and those of its scripts."""
    meta = '<meta http-equiv="Content-Security-Policy" content="'
    (sources,) = re.findall(rf"{meta}default-src 'none'; script-src (.*?);", page)
    assert page.index(meta) < page.index("<script")
    found = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    return set(re.findall("'sha256-(.*?)'", sources)), {digest(script) for script in found}


def digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def test_a_table(tmp_path):
    named, found = digests(html.render(table("table2", write_results(tmp_path / "results.csv"))))
    assert named == found


def test_a_viewer_names_niivue_besides(tmp_path):
    layers = [Layer(kind, "a", "b", np.ones((4, 4, 4))) for kind in ("scan", "score")]
    write(Page("a", "b", "", np.eye(4), layers), tmp_path / "page.html")
    named, found = digests((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert named == found | {digest(scripts.NIIVUE.read_text(encoding="utf-8"))}


def test_a_page_without_scripts_runs_none():
    assert "script-src 'none';" in policy()
