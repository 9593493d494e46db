"""Pages in a real browser: known pixels, working controls, no error and no network."""

import re
from pathlib import Path

import numpy as np
import pytest

from tests.viewer.browser import NAMELESS, needed, started, visit
from uadbench.core.page_policy import policy
from uadbench.paper.writers import html
from uadbench.viewer.page import Layer, Page, write

pytestmark = needed
SHAPE = (40, 44, 36)
AFFINE = np.array([[4.0, 0, 0, -78], [0, 4, 0, -86], [0, 0, 4, -70], [0, 0, 0, 1]])
TOP = 0.9  # score of the cube


def cube() -> np.ndarray:
    found = np.zeros(SHAPE, bool)
    found[24:32, 20:28, 14:22] = True
    return found


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    """A dark brain with a bright cube, its score 0.9 and 0.05 elsewhere; the restoration has no cube."""
    axes = np.meshgrid(*(np.linspace(-1, 1, side) for side in SHAPE), indexing="ij")
    brain = sum(axis**2 for axis in axes) < 0.8
    scan, score = 300.0 * brain, 0.05 * brain
    scan[cube()], score[cube()] = 1020.0, TOP
    layers = [
        Layer("scan", "Scan", "grey values", scan),
        Layer("restoration", "Restoration", "healthy", 0.3 * brain),
        Layer("score", "Anomaly score", "score", score, 0.5),
        Layer("truth", "Delineated lesion", "truth", cube()),
    ]
    path = tmp_path_factory.mktemp("viewer") / "page.html"
    write(Page("Cube: </script><b>Method</b>", "A cube.", "Simulated.", AFFINE, layers), path)
    return path


def canvas(picture: np.ndarray) -> np.ndarray:
    """Pixels (n, 3) int of the rows that are black at their left end: those of the planes."""
    black = (picture[:, 30:40] < 30).all((1, 2))
    assert black.sum() > 300
    return picture[black, 20:-20].reshape(-1, 3).astype(int)


def overlaid(picture: np.ndarray) -> int:
    """Number of pixels in a colour of the score, orange to yellow."""
    r, _, b = canvas(picture).T
    return int((r - b > 40).sum())


def bright(picture: np.ndarray) -> int:
    """Number of nearly white pixels, without letters."""
    return int((canvas(picture).min(1) > 240).sum())


def outlined(picture: np.ndarray) -> int:
    """Number of pixels in the colour of the truth's outline."""
    return int((np.abs(canvas(picture) - [86, 180, 233]).max(1) < 25).sum())


def silent(seen) -> None:
    assert seen.console == []
    assert seen.requests == []


def move(element: str, value: float | str, event: str = "input") -> str:
    find = f"const e = document.getElementById('{element}')"
    return f"{{{find}; e.value = '{value}'; e.dispatchEvent(new Event('{event}'));}}"


HIDE = "{const e = document.getElementById('truth-shown'); e.checked = false; e.dispatchEvent(new Event('change'));}"


def test_the_score_is_coloured_where_it_reaches_the_threshold(page):
    below = visit(page)
    silent(below)
    assert overlaid(below.picture) > 5000
    assert outlined(below.picture) > 300
    above = visit(page, move("threshold-score-0", TOP + 0.05) + HIDE)
    silent(above)
    assert overlaid(above.picture) == 0
    assert outlined(above.picture) == 0
    assert bright(above.picture) > 5000  # the cube of the scan


def test_the_restoration_replaces_the_scan(page):
    seen = visit(page, move("threshold-score-0", TOP + 0.05) + HIDE + move("base", "restoration", "change"))
    silent(seen)
    assert bright(seen.picture) == 0


def test_values_at_the_crosshair(page):
    """The crosshair starts in the lesion; then it moves to a voxel of the brain, and to one outside of it."""
    check = (
        "const at = (id) => document.getElementById('at-' + id).textContent;"
        "const state = () => ['position', 'scan', 'score-0', 'truth'].map(at).join('; ');"
        "const states = [state()];"
        "for (const mm of [[2, 2, 34], [-78, -86, -70]]) { uadPlanes.go(mm); states.push(state()); }"
        "return states;"
    )
    found = visit(page, check)
    silent(found)
    # By the affine: voxels (27, 23, 14), (20, 22, 26) and (0, 0, 0); 14/255 of the maximum is nearest to 0.05.
    states = ["30.0, 6.0, -14.0; 1020; 0.9; 1", "2.0, 2.0, 34.0; 300; 0.0494; 0", "-78.0, -86.0, -70.0; 0; 0; 0"]
    assert found.value == states


def test_a_narrow_window_shows_all_planes(page):
    seen = visit(page, size=(700, 1500))
    silent(seen)
    assert overlaid(seen.picture) > 3000


def test_a_browser_without_webgl_is_told_so(page, tmp_path):
    broken = tmp_path / "page.html"
    without = "<script>HTMLCanvasElement.prototype.getContext = () => null;</script>"  # in place of the policy
    text = re.sub('<meta http-equiv="Content-Security-Policy".*?/>', without, page.read_text(encoding="utf-8"))
    broken.write_text(text, encoding="utf-8")
    seen = visit(broken, "return document.getElementById('trouble').textContent;")
    silent(seen)
    assert "cannot start: this browser offers no WebGL 2" in seen.value


def test_a_request_of_a_page_is_seen(tmp_path):
    """The check itself: an image from a network, and a page whose policy forbids it."""
    page = tmp_path / "page.html"
    image = '<img src="http://127.0.0.1:9/a.png" />'
    page.write_text(f'<!DOCTYPE html><html><body data-ready="yes">{image}</body></html>', encoding="utf-8")
    assert visit(page).requests == ["http://127.0.0.1:9/a.png"]
    page.write_text(
        f'<!DOCTYPE html><html><head>{policy()}</head><body data-ready="yes">{image}</body></html>', encoding="utf-8"
    )
    seen = visit(page)
    assert seen.requests == []
    assert any("Content Security Policy" in line for line in seen.console)


def test_the_policy_stops_a_script_that_an_escaping_forgot(page, tmp_path):
    """The scripts of the page go on working."""
    foreign = tmp_path / "page.html"
    text = page.read_text(encoding="utf-8")
    foreign.write_text(
        text.replace("<h1>", '<img src="x" onerror="foreign = 1"><script>foreign = 1</script><h1>'), "utf-8"
    )
    seen = visit(foreign, "return typeof foreign;")
    assert seen.value == "undefined"
    assert overlaid(seen.picture) > 5000
    assert seen.console
    assert all("Content Security Policy" in line or "ERR_FILE_NOT_FOUND" in line for line in seen.console)


def test_the_wheel_scrolls_the_page_until_the_planes_have_the_focus(page):
    act = """
    const canvas = document.getElementById("planes"), box = canvas.getBoundingClientRect();
    const at = { clientX: box.left + 0.2 * box.width, clientY: box.top + 0.3 * box.height };
    const place = () => document.getElementById("at-position").textContent;
    const turn = async (ctrlKey) => {
      const event = new WheelEvent("wheel", { deltaY: 100, ctrlKey, bubbles: true, cancelable: true, ...at });
      const before = place();
      canvas.dispatchEvent(event);
      await new Promise((done) => setTimeout(done, 100));
      return [event.defaultPrevented, place() !== before];
    };
    const states = [await turn(false), await turn(true)];
    document.activeElement.blur();
    states.push(await turn(false));
    canvas.focus();
    return [...states, await turn(false)];
    """
    seen = visit(page, act)
    silent(seen)
    assert seen.value == [[False, False], [True, True], [False, False], [True, True]]


def test_keys_move_the_crosshair_by_a_voxel(page):
    act = """
    const canvas = document.getElementById("planes");
    canvas.focus();
    const states = [];
    for (const key of ["ArrowRight", "ArrowUp", "PageUp", "ArrowLeft", "ArrowDown", "PageDown", "Tab"]) {
      const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true });
      canvas.dispatchEvent(event);
      states.push([document.getElementById("at-position").textContent, event.defaultPrevented]);
    }
    return states;
    """
    seen = visit(page, act)
    silent(seen)
    places = ["34.0, 6.0, -14.0", "34.0, 10.0, -14.0", "34.0, 10.0, -10.0", "30.0, 10.0, -10.0", "30.0, 6.0, -10.0"]
    assert seen.value == [[place, True] for place in [*places, "30.0, 6.0, -14.0"]] + [["30.0, 6.0, -14.0", False]]


def test_headings_of_tables_sort_by_click_and_key(tmp_path):
    path = tmp_path / "table.html"
    rows = "".join(
        f'<tr><td>{name}</td><td data-value="{n}">{n}</td></tr>' for name, n in (("a", 2), ("b", 10), ("c", 1))
    )
    head = "<thead><tr><th>method</th><th>AP</th></tr></thead>"
    table = f'<section class="paper-table"><table>{head}<tbody>{rows}</tbody></table></section>'
    path.write_text(f'<!DOCTYPE html><html><body data-ready="1">{table}<script>{html.SCRIPT}</script></body></html>')
    act = """
    const heads = [...document.querySelectorAll("th")];
    const rows = () => [...document.querySelectorAll("tbody td:first-child")].map((cell) => cell.textContent).join("");
    const seen = [heads.map((head) => head.tabIndex)];
    heads[1].click();
    seen.push(rows(), heads[1].getAttribute("aria-sort"));
    for (const key of ["Enter", " ", "Tab"]) {
      const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true });
      heads[1].dispatchEvent(event);
      seen.push(rows(), event.defaultPrevented);
    }
    return seen;
    """
    seen = visit(path, act)
    assert seen.value == [[0, 0], "bac", "descending", "cab", True, "bac", True, "bac", False]


def test_paper_shows_the_planes_as_they_are_and_pictures_where_no_script_ran(page, tmp_path):
    """The first without its scripts: neither they nor a media query may be needed."""
    for text, wanted in ((page.read_text(encoding="utf-8"), "copy"), (unscripted(page), "stills")):
        path = tmp_path / "page.html"
        path.write_text(text, encoding="utf-8")
        visit(path, 'dispatchEvent(new Event("beforeprint"));')
        started().call("Emulation.setEmulatedMedia", media="print")
        shown = "(e) => e.getBoundingClientRect().height > 50"
        found = started().run(f"['copy', 'stills'].filter(n => [...document.querySelectorAll('.' + n)].some({shown}))")
        assert found == [wanted]
        r, _, b = started().picture().astype(int).transpose(2, 0, 1)
        assert (r - b > 40).sum() > 2000  # the cube's score
        controls = "'button, #planes, #moving, label:has(> #to-peak), label:has(> [id^=opacity])'"
        assert not started().run(f"[...document.querySelectorAll({controls})].some((e) => e.offsetHeight)")


def unscripted(page: Path) -> str:
    """The page as it is where its scripts cannot start."""
    text = page.read_text(encoding="utf-8").replace("<body", '<body data-ready="yes"', 1)
    return re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)


def test_a_reader_who_sees_nothing_is_told_what_is_there(page):
    assert visit(page, f"return ({NAMELESS.read_text(encoding='utf-8')})();").value == []
