"""The page of a report: one HTML file with its figures and tables inside, readable without a network."""

import ast
import json
from pathlib import Path
from typing import Any

import yaml
from markupsafe import Markup

from uadbench.core import provenance
from uadbench.core.files import atomic, content
from uadbench.core.plugins import syntax_tree
from uadbench.core.templates import template
from uadbench.core.version import VERSION
from uadbench.evaluation.summary.comparisons import MARGIN
from uadbench.evaluation.voxels.jackknife import DECIDES
from uadbench.paper.catalogue import KINDS
from uadbench.paper.inputs import ALPHA
from uadbench.paper.writers.html import SCRIPT, STYLE, section
from uadbench.paper.writers.markdown import title
from uadbench.report import claims, examples, methods_section, opening, sizes, trainings
from uadbench.report.study import Study
from uadbench.viewer import scripts
from uadbench.viewer.volumes import embedded

TEMPLATE = Path(__file__).with_name("page.html.j2")


def write(study: Study, path: Path) -> None:
    """Write the report of a study at `path`. Raises HarnessError where a result of it is missing."""
    trained = trainings.trainings(study)
    software = trainings.software(trained)
    script = SCRIPT + TEMPLATE.with_name("printing.js").read_text(encoding="utf-8")
    viewer = scripts.own("volume.js", "keys.js", "planes.js", "panel.js", "compare.js")
    page = template(TEMPLATE).render(
        policy=scripts.policy(script, viewer),
        study=study,
        name=study.plan.name,
        version=VERSION,
        tables=[(made.name, title(made.name), Markup(section(made))) for made in study.tables],
        figures=[
            (figure.stem, f"data:image/png;base64,{embedded(content(figure))}", _caption(figure.stem))
            for figure in study.figures
        ],
        examples=examples.section(study),
        scripts=scripts,
        style=Markup(STYLE),
        script=Markup(script),
        viewer=viewer,
        title=opening.title(study),
        opening=opening.paragraph(study),
        paragraph=methods_section.paragraph(study),
        bibtex=methods_section.bibtex(study),
        config=yaml.safe_dump(json.loads(study.plan.config.deciding), default_flow_style=None, width=110),
        alpha=ALPHA,
        margin=MARGIN,
        decides=DECIDES,
        trained=trained,
        software=software,
        different=[name for name, values in software.items() if len(values) > 1],
        edited=trainings.edited(trained),
        period=trainings.period(trained),
        here=provenance.environment(),
        size_tables=sizes.tables(study),
        size_title=sizes.title,
        statements=claims.statements(study),
        size_rate=sizes.RATE,
        number=lambda value, text: "–" if value is None else text % value,
        settings=lambda values: yaml.safe_dump(values, default_flow_style=True, width=10_000).strip().strip("{}"),
    )
    with atomic(path) as partial:
        partial.write_text(page, encoding="utf-8")


def _caption(name: str) -> str:
    """First line of the docstring of a figure's module."""
    figures: Any = KINDS["figures"]
    if name not in figures.names():
        return name
    return (ast.get_docstring(syntax_tree(figures.path(name))) or name).partition("\n")[0]
