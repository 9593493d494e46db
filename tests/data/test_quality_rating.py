"""Ratings on the quality page, in a headless Chromium: config lines, CSV, storage, keys, comparison of pictures."""

import csv
import io
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from tests.viewer.browser import CHROMIUM, SECONDS, Browser
from uadbench.data.index import sheet
from uadbench.data.index.layouts.sheet import Layout
from uadbench.data.quality import cohort, page
from uadbench.data.quality.cohort import Subject
from uadbench.data.quality.montage import MIDDLE, Picture
from uadbench.study import config_files

#: names that HTML, scripts, CSS selectors or YAML could read as something else
NAMES = ("sub-01", "1e3", "no", "a\"b'<i>&amp;</script>", "- Ünï 'côdé' # 🧠", "{{ x }}: [y]", "gone", "lines")
FLAGGED = ("1e3", NAMES[3])


class Rated(Browser):
    """A browser that shows quality pages."""

    @property
    def problems(self) -> list[dict[str, Any]]:
        """Errors that the pages reported."""
        found = [event for event in self.events if event["method"] in ("Runtime.exceptionThrown", "Log.entryAdded")]
        return [event["params"] for event in found if event["params"].get("entry", {}).get("level", "error") == "error"]

    def open(self, path: Path, fragment: str = "") -> None:
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=path.as_uri() + fragment)
        self.wait("document.readyState === 'complete' && location.protocol === 'file:'")

    def press(self, key: str) -> None:
        text = {"text": key} if len(key) == 1 else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def rate(self, name: str, decision: str, reason: str = "") -> None:
        """Tick a decision of a subject, and write a reason as typing does."""
        subject = f"subjects.find((one) => nameOf(one) === {json.dumps(name)})"
        self.run(f"{subject}.querySelector('.decision[value=\"{decision}\"]').click()")
        if reason:
            field = f"{subject}.querySelector('.reason')"
            self.run(f"{field}.value = {json.dumps(reason)}, {field}.dispatchEvent(new Event('input'))")

    def lines(self) -> str:
        return str(self.run("document.querySelector('.lines').textContent"))

    def visible(self) -> list[str]:
        return list(self.run("subjects.filter((one) => !one.hidden).map(nameOf)"))


@pytest.fixture(scope="module")
def chromium(tmp_path_factory) -> Iterator[Rated]:
    if CHROMIUM is None:
        pytest.skip("no Chromium in the path")
    browser = Rated(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def browser(chromium) -> Iterator[Rated]:
    yield chromium
    assert chromium.problems == []


def picture(grey: int) -> Picture:
    stream = io.BytesIO()
    Image.fromarray(np.full((20, 60), grey, np.uint8)).save(stream, "JPEG")
    return Picture(stream.getvalue(), (60, 20), MIDDLE, {"brain": "M2 2l20 0l0 20z"})


def subject(name: str) -> Subject:
    values = {"brain_ml": 3000.0 if name in FLAGGED else 1400.0}
    if name == "gone":
        return Subject(name, "test", "lost")
    return Subject(
        name, "test", "done", values=values, pictures={"T1 as it came": picture(50), "T1 packed": picture(200)}
    )


@pytest.fixture
def rated(tmp_path, request) -> Path:
    """A page of subjects with odd names, each test's with a data set of its own, and so ratings of its own."""
    found = cohort.compared(dataset(request), False, {}, [subject(name) for name in NAMES])
    path = tmp_path / "qualité #1.html"
    page.write(found, path)
    return path


def dataset(request) -> str:
    return str(request.node.name)[:60]


def test_ticked_subjects_are_the_lines_of_the_config(rated, browser, request):
    browser.open(rated)
    assert browser.lines() == ""
    assert not browser.run("document.querySelector('.none').hidden")
    browser.rate("sub-01", "exclude")
    browser.rate("no", "exclude", "  motion: #1\u2028in T2 ")
    browser.rate("lines", "accept", "fine")
    head = f"datasets:\n  {dataset(request)}:\n    exclude:\n"
    assert browser.lines() == head + "      - sub-01\n      - 'no'  # motion: #1 in T2\n"
    browser.rate("sub-01", "")
    assert browser.lines() == head + "      - 'no'  # motion: #1 in T2\n"
    assert browser.run("document.querySelector('.progress').textContent") == "2 of 8 rated, 1 excluded"


def test_the_lines_exclude_exactly_the_ticked_subjects(rated, browser, request, tmp_path):
    browser.open(rated)
    unwanted = NAMES[1:6]
    for name in unwanted:
        browser.rate(name, "exclude", f"looks like {name}")
    (tmp_path / "pasted.yaml").write_text(browser.lines(), encoding="utf-8")
    base = {"datasets": {dataset(request): {"layout": "sheet", "root": "mine.csv", "exclude": ["replaced"]}}}
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(base), encoding="utf-8")
    config = config_files.read(tmp_path / "base.yaml", tmp_path / "pasted.yaml")
    config_files.check_characters(config, "config")
    (tmp_path / "t1.nii").touch()
    with (tmp_path / "mine.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("subject", "t1", "mask"), *((name, "t1.nii", "t1.nii") for name in NAMES)])
    exclude = config["datasets"][dataset(request)]["exclude"]
    kept = sheet.index(Layout(), tmp_path / "mine.csv", role="test", exclude=exclude)
    assert {files.subject for files, _ in kept} == set(NAMES) - set(unwanted)


def test_subjects_that_the_config_excludes_already_stay_excluded(browser, request, tmp_path):
    found = cohort.compared(dataset(request), False, {}, [subject("sub-01")], excluded=["1e9", "</script>&amp;"])
    page.write(found, tmp_path / "page.html")
    browser.open(tmp_path / "page.html")
    browser.rate("sub-01", "exclude")
    assert yaml.safe_load(browser.lines())["datasets"][dataset(request)]["exclude"] == [
        "1e9",
        "</script>&amp;",
        "sub-01",
    ]


def test_ratings_survive_the_page_until_they_are_deleted(rated, browser, request):
    browser.open(rated)
    for name in (NAMES[3], NAMES[4]):
        browser.rate(name, "exclude", 'a "reason", with < and 🧠')
    written = browser.lines()
    browser.open(rated)
    assert browser.lines() == written != ""
    assert yaml.safe_load(written)["datasets"][dataset(request)]["exclude"] == list(NAMES[3:5])
    assert browser.run("document.querySelectorAll('.decision:checked[value=exclude]').length") == 2
    browser.run("window.confirm = () => false, document.querySelector('.reset').click()")
    assert browser.lines() == written
    browser.run("window.confirm = () => true, document.querySelector('.reset').click()")
    assert browser.lines() == ""
    browser.open(rated)
    assert browser.lines() == ""
    assert browser.run("document.querySelectorAll('.decision:checked[value=exclude]').length") == 0


def test_a_browser_without_storage_says_so_and_still_rates(rated, browser):
    refuse = "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); }"
    browser.open(rated)
    assert browser.run("document.querySelector('.unsaved').hidden")
    browser.run(refuse)
    browser.rate("sub-01", "exclude")
    assert not browser.run("document.querySelector('.unsaved').hidden")
    assert "- sub-01" in browser.lines()


def test_the_csv_holds_every_decision_and_reason(rated, browser, tmp_path):
    browser.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    browser.open(rated)
    browser.rate(NAMES[3], "exclude", 'ghost, "wrap"')
    browser.rate("sub-01", "accept")
    browser.run("document.querySelector('.download').click()")
    until = time.monotonic() + SECONDS
    while not (found := list(tmp_path.glob("quality-ratings-*.csv"))):
        assert time.monotonic() < until
        time.sleep(0.05)
    with found[0].open(newline="", encoding="utf-8") as stream:
        rows = list(csv.reader(stream))
    assert rows == [
        ["subject", "decision", "reason"],
        ["sub-01", "accept", ""],
        [NAMES[3], "exclude", 'ghost, "wrap"'],
    ]


def test_filters_and_the_proposal_of_flagged_subjects(rated, browser, request):
    choose = "(f => { f.value = '%s'; f.dispatchEvent(new Event('change')); })(document.querySelector('.filter'))"
    browser.open(rated)
    assert browser.visible() == list(NAMES)
    browser.run(choose % "flagged")
    assert browser.visible() == list(FLAGGED)
    browser.rate("1e3", "accept")
    browser.run("document.querySelector('.propose').click()")  # leaves decisions as they are
    assert yaml.safe_load(browser.lines())["datasets"][dataset(request)]["exclude"] == [NAMES[3]]
    assert "# Brain volume 3000 ml, above 1475 ml" in browser.lines()
    for value, names in (
        ("exclude", [NAMES[3]]),
        ("accept", ["1e3"]),
        ("lost", ["gone"]),
        ("unrated", [name for name in NAMES if name not in FLAGGED]),
    ):
        browser.run(choose % value)
        assert browser.visible() == names


def test_keys_move_and_rate_but_not_while_a_reason_is_written(rated, browser, request):
    browser.open(rated)
    for key in "nnx":
        browser.press(key)
    excluded = {"datasets": {dataset(request): {"exclude": ["1e3"]}}}
    assert yaml.safe_load(browser.lines()) == excluded
    browser.press("r")
    browser.press("x")
    assert browser.run("document.activeElement.value") == "x"
    assert yaml.safe_load(browser.lines()) == excluded
    for key in ("Escape", "p", "a"):
        browser.press(key)
    assert browser.run("ratings")["sub-01"] == {"decision": "accept", "reason": ""}
    browser.press("u")
    assert "sub-01" not in browser.run("ratings")
    for key in "nx":
        browser.press(key)
    assert browser.lines() == ""


def test_a_link_leads_to_a_subject_with_an_odd_name(rated, browser):
    browser.open(rated)
    browser.run("[...document.querySelectorAll('a')].find((a) => a.textContent.startsWith('a\"b')).click()")
    browser.wait("current !== null")
    assert browser.run("nameOf(current)") == NAMES[3]


SHOWN = "current.querySelector('.view .shown figcaption').textContent"


def test_before_and_after_alternate_in_one_place(rated, browser):
    browser.open(rated)
    browser.press("n")
    boxes = "[...current.querySelectorAll('.view figure')].map((f) => JSON.stringify(f.getBoundingClientRect()))"
    assert len(set(browser.run(boxes))) == 1
    assert browser.run(SHOWN) == "T1 packed"
    browser.press("b")
    assert browser.run(SHOWN) == "T1 as it came"
    browser.run("current.querySelector('.view').click()")
    assert browser.run(SHOWN) == "T1 packed"
    browser.press("1")
    assert browser.run(SHOWN) == "T1 as it came"
    visible = "getComputedStyle(current.querySelector('.view .brain')).display"
    assert browser.run(visible) == "inline"
    browser.press("o")
    assert browser.run(visible) == "none"


def test_outlines_leave_the_picture_below_visible(browser, request, tmp_path):
    template = Picture(picture(120).jpeg, (60, 20), MIDDLE, {"template": "M2 2l116 0l0 36l-116 0z"})
    found = replace(cohort.compared(dataset(request), False, {}, [subject("sub-01")]), template=template)
    page.write(found, tmp_path / "page.html")
    browser.open(tmp_path / "page.html")
    browser.press("n")
    browser.run("document.querySelector('.outline[value=template]').click()")
    for key, grey in (("2", 200), ("1", 50), ("3", 120)):
        browser.press(key)
        box = browser.run("(({x, y, width, height}) => ({x, y, width, height}))(" + VIEW + ".getBoundingClientRect())")
        clip = {**box, "y": box["y"] + browser.run("scrollY"), "scale": 1}
        shown = browser.picture(clip=clip).astype(int)
        assert np.abs(np.median(shown, axis=(0, 1)) - grey).max() < 4
        assert ((shown[..., 0] > shown[..., 1] + 40) & (shown[..., 2] > shown[..., 1] + 20)).any()  # the outline


VIEW = "current.querySelector('.view')"


def changes(browser: Rated) -> int:
    """How often the visible picture changes in 2.5 s."""
    return int(
        browser.run(
            f"""new Promise((resolve) => {{
                let count = 0, last = {SHOWN};
                const timer = setInterval(() => {{ if ({SHOWN} !== last) {{ count++; last = {SHOWN}; }} }}, 20);
                setTimeout(() => {{ clearInterval(timer); resolve(count); }}, 2500);
            }})"""
        )
    )


def test_pictures_flicker_on_request_alone(rated, browser):
    browser.open(rated)
    browser.press("n")
    assert changes(browser) == 0
    browser.press("f")
    assert 2 <= changes(browser) <= 5
    browser.press("f")
    assert changes(browser) == 0


def test_with_reduced_motion_a_press_changes_the_picture_once(rated, browser):
    feature = {"name": "prefers-reduced-motion", "value": "reduce"}
    browser.call("Emulation.setEmulatedMedia", features=[feature])
    try:
        browser.open(rated)
        browser.press("n")
        before = browser.run(SHOWN)
        browser.press("f")
        assert browser.run(SHOWN) != before
        assert changes(browser) == 0
    finally:
        browser.call("Emulation.setEmulatedMedia", features=[])
