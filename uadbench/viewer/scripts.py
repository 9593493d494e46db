"""Scripts and style of the viewer, for embedding in a page: its own, and NiiVue compressed."""

import gzip
from pathlib import Path

from markupsafe import Markup

from uadbench.core import page_policy
from uadbench.core.packaged import RESOURCES
from uadbench.viewer.volumes import embedded

FOLDER = Path(__file__).resolve().parent
NIIVUE = RESOURCES / "niivue" / "niivue.umd.js"


def own(*names: str) -> Markup:
    """The files NAME of this folder, one after another, as they stand in a `<script>` or `<style>`."""
    text = "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in names)
    if "</script" in text.lower() or "<!--" in text:
        raise ValueError(f"{', '.join(names)}: would end the element that holds it")
    return Markup(text)


def policy(*scripts: str) -> Markup:
    """`core.page_policy.policy` of a page that starts NiiVue besides, as volume.js does."""
    return page_policy.policy(*scripts, NIIVUE.read_text(encoding="utf-8"))


def niivue() -> str:
    """NiiVue, gzip-compressed, as base64: 1.1 MB instead of 2.3, and no text that could end a `<script>`."""
    return embedded(gzip.compress(NIIVUE.read_bytes(), 9, mtime=0))
