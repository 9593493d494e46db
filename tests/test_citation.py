"""Metadata for citations and archives agree with the package."""

import json
import re
import tomllib

import yaml

import uadbench
from tests.commands import ROOT
from uadbench.report.methods_section import entries

CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
ZENODO = json.loads((ROOT / ".zenodo.json").read_text(encoding="utf-8"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_one_version():
    assert {CITATION["version"], ZENODO["version"], PROJECT["version"]} == {uadbench.__version__}


def test_a_date_of_release_needs_a_release():
    (latest,) = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)[:1]
    assert ("date-released" in CITATION) == (latest != "Unreleased")


def test_one_title_licence_and_description():
    assert CITATION["title"] == ZENODO["title"] == PROJECT["name"]
    assert CITATION["license"] == ZENODO["license"] == PROJECT["license"]
    assert CITATION["abstract"] in ZENODO["description"]
    assert CITATION["keywords"] == ZENODO["keywords"]
    authors = [one.get("name") or f"{one['family-names']}, {one['given-names']}" for one in CITATION["authors"]]
    assert authors == [creator["name"] for creator in ZENODO["creators"]]


def test_the_paper_is_related():
    (paper, *_) = CITATION["references"]
    assert paper["title"] in re.sub("[{}]", "", entries()["disyre"])
    related = {entry["identifier"] for entry in ZENODO["related_identifiers"]}
    cited = {each["value"] for reference in CITATION["references"] for each in reference.get("identifiers", [])}
    assert related == cited
    assert "arXiv:" + re.search(r"eprint = {([\d.]+)}", entries()["disyre"])[1] in cited


def test_references_are_those_of_reports():
    """Year, journal, volume and authors' names, by the identifier at arXiv."""
    found = {re.search(r"eprint = {([\d.]+)}", entry)[1]: entry for entry in entries().values() if "eprint" in entry}
    for reference in CITATION["references"]:
        (identifier,) = (each["value"].removeprefix("arXiv:") for each in reference["identifiers"])
        entry = found[identifier]
        named = {key: re.search(rf"\b{key} = {{(.+)}}", entry) for key in ("year", "journal", "volume", "number")}
        stated = {**reference, "number": reference.get("issue")}
        assert {key: value[1] for key, value in named.items() if value} == {
            key: str(stated[key]) for key in named if stated.get(key)
        }
        authors = " and ".join(f"{one['family-names']}, {one['given-names']}" for one in reference["authors"])
        assert f"author = {{{authors}}}" in entry
