"""Pages of the site that its build writes: overview, changelog, config, command line; tables of reference studies."""

from __future__ import annotations

import html
import inspect
import json
import re
from pathlib import Path
from typing import Any

import click
from mkdocs.structure.files import File

from uadbench.cli import COMMANDS, SECTIONS, uadbench
from uadbench.core.study_folder import CONFIG

ROOT = Path(__file__).resolve().parents[2]
#: files of a reference study in the order of its page; others are not shown
TABLES = ("table2", "table1", "detection", "lesions", "subjects", "subgroups", "cost", "choosing")
FIGURES = ("figure3", "figure2", "figure1", "order", "froc", "subgroups", "curves")
DIALOG = 'data-md-component="search" role="dialog"'


def text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def plural(said: str) -> str:
    """`integers, at least 1` of `integer, at least 1`."""
    return re.sub(r"\b(string|integer|number|boolean|mapping|list)\b", r"\1s", said, count=2)


def kind(schema: dict[str, Any]) -> str:
    """Type and range of a value of a JSON schema in words, such as `integer, at least 1`."""
    if "const" in schema:
        return f"`{schema['const']}`"
    if "anyOf" in schema:
        return " or ".join(kind(one) for one in schema["anyOf"])
    if "enum" in schema:
        return "one of " + ", ".join(f"`{value}`" for value in schema["enum"])
    names = schema.get("type", "any")
    said = names if isinstance(names, str) else " or ".join(names)
    said = {"object": "mapping", "array": "list"}.get(said, said)
    if said == "list" and "items" in schema and "properties" not in schema["items"]:
        said += f" of {plural(kind(schema['items']))}"
    elif said == "mapping" and isinstance(schema.get("additionalProperties"), dict):
        inner = schema["additionalProperties"]
        said += "" if "properties" in inner else f" of {plural(kind(inner))}"
    for key, words in (("minimum", "at least"), ("exclusiveMinimum", "above"), ("maximum", "at most")):
        if key in schema:
            said += f", {words} {schema[key]}"
    return said


def rows(schema: dict[str, Any], prefix: str = "") -> list[tuple[str, str, str]]:
    """Key, type and description of every key below a mapping or a list of mappings, nested keys joined by dots."""
    found = []
    named = next(iter(schema.get("patternProperties", {}).values()), None)
    places = [(schema, ""), (named, "NAME."), (schema.get("items"), "")]
    for inner, mark in [*places, *((one, "") for one in schema.get("anyOf", ()))]:
        for key, below in inner.get("properties", {}).items() if isinstance(inner, dict) else ():
            needed = " (required)" if key in inner.get("required", ()) else ""
            found.append((f"{prefix}{mark}{key}", kind(below) + needed, below.get("description", "")))
            found += rows(below, f"{prefix}{mark}{key}.")
    return found


def cell(words: str) -> str:
    """Plain words as the cell of a Markdown table."""
    return html.escape(" ".join(words.split()), quote=False).replace("|", "\\|").replace("*", "\\*")


def table(head: tuple[str, ...], lines: list[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ("---",) * len(head), *lines))


def config_page() -> str:
    """Every key of a config, from the schema for editors."""
    schema = json.loads(text("uadbench/schemas/config.schema.json"))
    parts = [
        "# Config",
        schema["description"],
        "The build of this page reads `uadbench/schemas/config.schema.json`, generated from the classes that check a "
        "config before any job starts. The first line of `config.yaml` names it for editors, which then complete keys.",
    ]
    for key, below in schema["properties"].items():
        needed = ", required" if key in schema["required"] else ""
        parts += [f"## {key}", f"*{kind(below)}{needed}*", cell(below.get("description", ""))]
        if listed := rows(below):
            parts.append(table(("key", "type", "meaning"), [(f"`{a}`", b, cell(c)) for a, b, c in listed]))
    parts += ["## The default experiment", "`config.yaml`:", f"```yaml\n{text('config.yaml')}```"]
    return "\n\n".join(part for part in parts if part) + "\n"


def paragraphs(help_text: str) -> str:
    """The help text of a command as Markdown; click's mark of preformatted text becomes a code block."""
    made = []
    for part in re.split(r"\n\s*\n", inspect.cleandoc(help_text)):
        if part.startswith("\b"):
            made.append("```text\n" + part.removeprefix("\b").strip("\n") + "\n```")
        else:
            made.append(cell(part))
    return "\n\n".join(made)


def options(command: click.Command, context: click.Context) -> str:
    """Options of a command with type, default and environment variable, as `--help` prints them."""
    records = [param.get_help_record(context) for param in command.get_params(context)]
    lines = [(f"`{option}`", cell(words)) for option, words in filter(None, records) if "--help" not in option]
    return table(("option", "meaning"), lines) if lines else ""


def command_line_page() -> str:
    """Every command in its section, from the help texts of the commands."""
    group = click.Context(uadbench, info_name="uadbench", **uadbench.context_settings)
    parts = [
        "# Command line",
        "The build of this page reads the same help texts as `uadbench --help` and `uadbench COMMAND --help`. "
        "`python -m uadbench` is the same program.",
        options(uadbench, group),
    ]
    for title, names in SECTIONS.items():
        parts.append(f"## {title}")
        for name in names:
            command = COMMANDS.load(name).command
            context = click.Context(command, info_name=name, parent=group, **command.context_settings)
            usage = f"uadbench {name} {' '.join(command.collect_usage_pieces(context))}"
            parts += [
                f"### {name}",
                f"```text\n{usage}\n```",
                paragraphs(command.help or ""),
                options(command, context),
            ]
    return "\n\n".join(part for part in parts if part) + "\n"


def reference(folder: Path) -> str:
    """Tables and figures of a reference study, a folder of docs/reference, as sections behind its README."""
    tables = [path for name in TABLES for path in folder.rglob(f"{name}.md")]
    figures = [path for name in FIGURES for path in folder.glob(f"{name}.png")]
    parts = ["## Tables", *(path.read_text(encoding="utf-8") for path in tables)] if tables else []
    if (folder / CONFIG).is_file():  # an excerpt of a study, with a report (shown.py)
        parts += ["## Figures", "All are in the [report](README.md#report)."]
    elif figures:
        parts += ["## Figures", *(f"![{path.stem}]({path.name})" for path in figures)]
    if data := sorted([*folder.glob("*.csv"), *folder.glob("evaluation/*.csv")]):
        parts += ["## Data", "\n".join(f"* [{path.name}]({path.relative_to(folder).as_posix()})" for path in data)]
    return "\n\n".join(parts)


def on_page_markdown(markdown: str, *, page, config, files) -> str:
    if re.fullmatch(r"reference/[^/]+/README\.md", page.file.src_uri):
        markdown = f"{markdown}\n\n{reference(ROOT / 'docs' / Path(page.file.src_uri).parent)}\n"
    return markdown.replace("\\<", "&lt;")  # an escape that this converter of Markdown does not know


def on_post_page(output: str, *, page, config) -> str:
    """The page, with a name for readers who do not see it on the theme's dialog for search."""
    return output.replace(DIALOG, f'{DIALOG} aria-label="Search"')


def on_files(files, *, config):
    made = {
        "index.md": text("README.md"),
        "changelog.md": text("CHANGELOG.md"),
        "config.md": config_page(),
        "command-line.md": command_line_page(),
    }
    for page, content in made.items():
        files.append(File.generated(config, page, content=content))
    return files
