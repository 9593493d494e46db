"""What the file of a method declares."""

import pytest

from tests.commands import ROOT
from uadbench import baselines
from uadbench.methods import registry
from uadbench.methods.base import Context
from uadbench.methods.settings import resolve

PLAIN = """\"\"\"Plain: the image.\"\"\"
from uadbench.methods.base import SliceMethod

REVISION = 1


class Baseline(SliceMethod):
    def score_slices(self, images, rng):
        return images
"""
#: files that may train or hold networks, of which the file does not show the contrary
OTHERS = {
    "phases": PLAIN + "\n    def phases(self):\n        return []\n",
    "networks": PLAIN + "\n    def __init__(self, *given):\n        super().__init__(*given)\n",
    "assigned": PLAIN + "\n    phases = None\n",
    "afterwards": PLAIN + "\n\nBaseline.phases = None\n",
    "inherited": PLAIN.replace("from uadbench.methods.base import", "from uadbench.baselines.vae import Baseline as"),
    "made": PLAIN.replace("class Baseline", "class Other") + "\n\nBaseline = Other\n",
}


def test_the_controls_alone_have_nothing_to_train():
    """As their classes have it: neither phases nor networks."""
    untrained = {name for name in registry.names() if not registry.describe(name).trains}
    assert untrained == {"intensity", "random"}
    for name in untrained:
        method = registry.load(name).Baseline(resolve(name, "t1").params, Context("t1", 4.0))
        assert not method.phases()
        assert not list(method.children())


@pytest.mark.parametrize(("name", "text"), [("plain", PLAIN), *OTHERS.items()])
def test_a_method_trains_unless_its_file_shows_that_it_has_nothing_to_train(tmp_path, monkeypatch, name, text):
    path = tmp_path / f"own_{name}.py"
    path.write_text(text)
    monkeypatch.setattr(baselines, "__path__", [*baselines.__path__])
    baselines.add_file(path)
    assert registry.describe(path.stem).trains == (name != "plain")


def test_the_example_of_the_guide_has_nothing_to_train(tmp_path, monkeypatch):
    (tmp_path / "gaussian.py").write_text((ROOT / "docs" / "add-a-baseline.md").read_text().split("```")[1][7:])
    monkeypatch.setattr(baselines, "__path__", [*baselines.__path__])
    baselines.add_file(tmp_path / "gaussian.py")
    assert not registry.describe("gaussian").trains
