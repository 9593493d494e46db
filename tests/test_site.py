"""The site: generated pages agree with code and schema, links lead somewhere, and other hosts are not needed."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote

import pytest

from tests.commands import ROOT
from tests.viewer.browser import CONTRAST, needed, started, visit
from uadbench.cli import COMMANDS

REPOSITORY = "https://example.org/lab/uadbench"
REFERENCES = ("demo", "all-methods")


def hook(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"site_{name}", ROOT / "docs" / "hooks" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def build(folder: Path, **variables: str) -> Path:
    """The site as `make site` builds it, in another folder. With --quiet the build would not be strict."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    bare = {key: value for key, value in os.environ.items() if not key.startswith("UADBENCH_")}
    bare |= {"NO_MKDOCS_2_WARNING": "1", "PYTHONDONTWRITEBYTECODE": "1", **variables}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=bare)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """As it is published. Without a repository's address other texts stand in place of links, which `rewrite` makes."""
    return build(tmp_path_factory.mktemp("published") / "site", UADBENCH_REPOSITORY_URL=REPOSITORY)


class Page(HTMLParser):
    """Links of a page, the files that it loads, its anchors and its words."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links, self.loaded, self.anchors, self.words = [], [], set(), []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.anchors.add(found.get("id"))
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        loads = tag == "link" and found.get("rel") in ("stylesheet", "icon", "preload", "modulepreload", "preconnect")
        self.loaded += [found["href"]] if loads else []
        self.loaded += [found[key] for key in ("src", "data-src", "poster") if key in found]

    def handle_data(self, data):
        self.words.append(data)


def test_every_link_of_the_site_leads_to_a_page_and_a_heading(site):
    pages = {path: Page(path) for path in site.rglob("*.html") if path.name != "404.html"}
    assert len(pages) >= 20
    for path, page in pages.items():
        for link in page.links:
            target, _, anchor = unquote(link).partition("#")
            if "://" in target or target.startswith("mailto:"):
                continue
            leads = (path.parent / target).resolve() if target else path
            leads = leads / "index.html" if leads.is_dir() else leads
            assert leads.is_file(), f"{path.relative_to(site)}: {link}"
            if anchor and leads in pages:
                assert anchor in pages[leads].anchors, f"{path.relative_to(site)}: {link}"


def test_the_site_loads_nothing_from_other_hosts(site):
    for path in site.rglob("*.html"):
        for address in (each for each in Page(path).loaded if not each.startswith("data:")):
            assert not re.match(r"(https?:)?//", address), f"{path.relative_to(site)}: {address}"
            if path.name != "404.html":  # served at any depth
                assert (path.parent / address.partition("?")[0]).is_file(), f"{path.relative_to(site)}: {address}"
        assert 'data-md-component="source"' not in path.read_text(encoding="utf-8")
    for path in [*site.rglob("*.js"), *site.rglob("*.css")]:
        text = path.read_text(encoding="utf-8")
        assert "unpkg" not in text, path.name
        assert not re.search(r"url\(['\"]?(https?:)?//|@import", text), path.name
    assert not list(site.rglob("*.map"))


def test_the_site_is_small_and_holds_no_code_of_its_build(site):
    assert sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) < 10e6
    assert not list(site.rglob("*.py"))


def test_the_first_page_leads_to_a_finished_report_and_a_scored_scan(site):
    shown = ["reference/demo/report.html", "reference/demo/score.html"]
    assert [link for link in Page(site / "index.html").links if link in shown] == shown
    assert {Path(path).name for path in shown} <= set(Page(site / "reference" / "demo" / "index.html").links)
    report, scored = ((site / path).read_text(encoding="utf-8") for path in shown)
    cells = re.findall(
        r"\d\.\d\d ± \d\.\d\d", (ROOT / "docs/reference/demo/paper/table2.md").read_text(encoding="utf-8")
    )
    assert cells
    assert all(cell in report for cell in cells)
    assert report.count("data:image/png;base64,") == len(list((ROOT / "docs/reference/demo/paper").glob("*.png"))) > 5
    assert 'id="examples-viewer"' in report
    assert "simulated scans" in report
    assert "The method was trained on simulated scans." in scored
    assert 'id="restoration"' in scored
    assert all('<a href="index.html">' in page for page in (report, scored))


@needed
def test_every_text_of_the_site_can_be_read_in_both_schemes(site):
    """Code of all kinds, too: each class of Pygments that the theme colours."""
    page = site / "contrast.html"
    text = (site / "index.html").read_text(encoding="utf-8")
    page.write_text(text.replace("<body ", '<body data-ready="yes" ', 1), encoding="utf-8")
    css = next(site.glob("assets/stylesheets/main.*.css")).read_text(encoding="utf-8")
    kinds = sorted(set(re.findall(r"\.highlight \.([a-z]+[0-9]?)\b", css)))
    assert {"c1", "k", "mi", "nb", "s2"} <= set(kinds)
    assert 'role="dialog" aria-label=' in text
    act = f"""
    const code = document.querySelector(".highlight code"), found = {{}};
    code.innerHTML = {json.dumps("".join(f'<span class="{kind}">{kind} </span>' for kind in kinds))};
    document.head.insertAdjacentHTML("beforeend", "<style>* {{ transition: none !important; }}</style>");
    for (const scheme of ["default", "slate"]) {{
      document.body.dataset.mdColorScheme = scheme;
      found[scheme] = ({CONTRAST.read_text(encoding="utf-8")})();
    }}
    return [found, getComputedStyle(document.querySelector(".md-content p a")).textDecorationLine];"""
    found = visit(page, act).value
    page.unlink()
    assert found == [{"default": [], "slate": []}, "underline"]


@needed
@pytest.mark.parametrize("name", ["index.html", "claims.html", *(f"reference/{one}/index.html" for one in REFERENCES)])
def test_no_column_of_a_table_is_lost_on_paper(site, name):
    """A4 between margins of 12 mm is 703 CSS pixels wide."""
    page = (site / name).with_name("paper.html")
    text = (site / name).read_text(encoding="utf-8")
    page.write_text(text.replace("<body ", '<body data-ready="yes" ', 1), encoding="utf-8")
    visit(page, "document.fonts && await document.fonts.ready;", size=(703, 1000))
    page.unlink()
    started().call("Emulation.setEmulatedMedia", media="print")
    act = """[...document.querySelectorAll("table")].map((table) => {
      const ends = [...table.rows].flatMap((row) => [...row.cells].map((cell) => cell.getBoundingClientRect().right));
      let room = innerWidth;
      for (let one = table; one; one = one.parentElement)
        if (getComputedStyle(one).overflowX !== "visible") room = Math.min(room, one.getBoundingClientRect().right);
      return Math.max(...ends) - room;
    })"""
    beyond = started().run(act)
    assert beyond
    assert max(beyond) <= 1


def test_links_to_other_files_lead_to_the_repository(site):
    assert f"{REPOSITORY}/blob/main/baselines/mood22.py" in Page(site / "architecture.html").links
    assert f"{REPOSITORY}/blob/main/docs/reference/demo/evaluation/results.csv" in Page(site / "own-scans.html").links
    for page in map(Page, site.rglob("*.html")):
        for link in (link for link in page.links if link.startswith(f"{REPOSITORY}/")):
            kind, branch, path = link.removeprefix(f"{REPOSITORY}/").split("/", 2)
            assert branch == "main"
            path = ROOT / path.partition("#")[0]
            assert path.is_dir() if kind == "tree" else path.is_file(), link


@pytest.mark.parametrize(
    ("page", "markdown", "expected"),
    [
        ("index.md", "[a](docs/data.md#x)", "[a](data.md#x)"),
        ("index.md", "![a](docs/reference/demo/paper/figure3.png)", "![a](reference/demo/paper/figure3.png)"),
        ("reference/demo/README.md", "[a](../../running.md)", "[a](../../running.md)"),
        ("reference/demo/README.md", "[a](../../../README.md)", "[a](../../index.md)"),
        ("data.md", "[a](../CHANGELOG.md)", "[a](changelog.md)"),
        ("data.md", "[the schema](../uadbench/schemas/config.schema.json)", "[the schema](config.md)"),
        ("index.md", "[a](docs/reference/demo/README.md#report)", "[a](reference/demo/report.html)"),
        ("reference/demo/README.md", "[a](README.md#score-page)", "[a](score.html)"),
        ("reference/demo/README.md", "[a](README.md#what-follows)", "[a](README.md#what-follows)"),
        ("data.md", "[a](https://example.org/b.md)", "[a](https://example.org/b.md)"),
        ("data.md", "[a](#own)", "[a](#own)"),
        ("data.md", "[baselines/vae.py](../baselines/vae.py)", "`baselines/vae.py`"),
        ("data.md", "[a file](../baselines/vae.py)", "a file"),
        ("data.md", "[a](hooks/links.py)", "a"),
        ("data.md", "```bash\n[a](../b.py)\n```\n", "```bash\n[a](../b.py)\n```\n"),
        ("data.md", "<!-- not run by the tests: long -->\n```bash\n```\n", "```bash\n```\n"),
    ],
)
def test_links_of_a_page_without_a_repository(page, markdown, expected):
    assert hook("links").rewrite(markdown, page, hidden=lambda place: place.startswith("hooks/")) == expected


def test_links_to_files_and_folders_of_a_repository():
    rewrite = hook("links").rewrite
    assert rewrite("[a](../config.yaml#L3)", "data.md", "https://x.org/y/", "v1") == (
        "[a](https://x.org/y/blob/v1/config.yaml#L3)"
    )
    assert rewrite("[a](../baselines)", "data.md", "https://x.org/y", "v1") == "[a](https://x.org/y/tree/v1/baselines)"


def test_the_page_on_configs_has_every_key_of_the_schema():
    schema = json.loads((ROOT / "uadbench" / "schemas" / "config.schema.json").read_text(encoding="utf-8"))
    page = hook("pages").config_page()
    for key, below in schema["properties"].items():
        assert f"\n## {key}\n" in page
        for inner in below.get("properties", ()):
            assert f"| `{inner}` |" in page
    (named,) = schema["properties"]["datasets"]["patternProperties"].values()
    for key in named["properties"]:
        assert f"| `NAME.{key}` |" in page
    assert "| `tasks" not in page
    kinds = ["one of `t1`, `t2`, `flair`, `t1c` (required)", "list of integers, at least 1, at most 255"]
    for words in (*kinds, "number, above 0", "mapping of integers, above 0", "list of strings"):
        assert f"| {words} " in page


def test_the_page_on_the_command_line_has_every_command_and_option():
    page = hook("pages").command_line_page()
    headings = re.findall(r"^### (\S+)$", page, re.MULTILINE)
    assert sorted(headings) == sorted(COMMANDS.names())
    for name, section in zip(headings, re.split(r"^### \S+$", page, flags=re.MULTILINE)[1:], strict=True):
        command = COMMANDS.load(name).command
        for param in command.params:
            for option in (option for option in param.opts if option.startswith("--")):
                assert option in section, f"{name} {option}"
        assert command.help.split()[0] in section


def test_a_flowchart_becomes_a_picture():
    diagrams = hook("diagrams")
    text = "flowchart LR\n    a --> b\n    b --> c\n    a --> c\n    a --> d\n    d --> e\n    c --> e\n"
    svg = diagrams.draw(text)
    assert re.findall(r"<text[^>]*>(\w+)</text>", svg) == ["a", "b", "c", "d", "e"]
    assert svg.count("marker-end") == 6
    boxes = [tuple(map(int, box)) for box in re.findall(r'<rect x="(-?\d+)" y="(-?\d+)"', svg)]
    for n, (x, y) in enumerate(boxes):
        for other, below in boxes[n + 1 :]:
            assert x != other or abs(y - below) >= diagrams.HEIGHT
    by_name = dict(zip("abcde", boxes, strict=True))
    assert by_name["a"][0] < by_name["b"][0] < by_name["c"][0] < by_name["e"][0]
    starts = re.findall(r'<path d="M(\d+),(\d+)[^"]*?(\d+),(\d+)" marker-end', svg)
    middle = diagrams.HEIGHT // 2
    for (first, last), (x, y, to, at) in zip(diagrams.ARROW.findall(text), starts, strict=True):
        assert abs(int(y) - by_name[first][1] - middle) <= 1
        assert abs(int(at) - by_name[last][1] - middle) <= 1
        assert (int(x), int(to)) == (by_name[first][0] + diagrams.WIDTH, by_name[last][0])


@pytest.mark.parametrize("study", ["demo", "all-methods"])
def test_the_page_of_a_reference_study_has_its_tables_and_figures(site, study):
    folder = ROOT / "docs" / "reference" / study
    page = Page(site / "reference" / study / "index.html")
    pictures = {path.name for path in folder.glob("*.png")}
    assert pictures <= set(page.loaded) if pictures else "report.html" in page.links
    data = [*folder.glob("*.csv"), *folder.glob("evaluation/*.csv")]
    assert {path.name for path in data} <= {link.rpartition("/")[2] for link in page.links}
    words = " ".join(" ".join(page.words).split())
    for path in folder.rglob("*.md"):
        cells = re.findall(r"\| *(\d\.\d\d ± \d\.\d\d) *\|", path.read_text(encoding="utf-8"))
        assert set(cells) <= set(re.findall(r"\d\.\d\d ± \d\.\d\d", words)), path.name


@pytest.mark.parametrize(("text", "message"), [("flowchart LR\n", "no arrow"), ("a --> b\nb --> a\n", "a circle")])
def test_a_flowchart_that_cannot_be_drawn_stops_the_build(text, message):
    with pytest.raises(ValueError, match=message):
        hook("diagrams").draw(text)


def test_the_data_flow_of_the_site_has_the_boxes_of_its_page(site):
    drawn = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").split("```mermaid\n")[1].split("```")[0]
    names = set(re.findall(r"\w+(?= -->)|(?<=--> )\w+", drawn))
    html = (site / "architecture.html").read_text(encoding="utf-8")
    assert set(re.findall(r"<text[^>]*>(\w+)</text>", html)) == names
    assert "mermaid" not in html
