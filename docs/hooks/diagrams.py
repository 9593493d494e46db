"""Diagrams of the site: a flowchart of a page, in mermaid's notation, becomes a picture without any script."""

from __future__ import annotations

import html
import re
from itertools import pairwise

BLOCK = re.compile(r"^```mermaid\n(.*?)^```$", re.DOTALL | re.MULTILINE)
ARROW = re.compile(r"^\s*(\w+) --> (\w+)\s*$", re.MULTILINE)
WIDTH, HEIGHT, GAP, ROW, LANE = 84, 30, 30, 48, 20  # of a box; between columns; from row to row, with a box or a line
SWEEPS = 12


def columns(arrows: list[tuple[str, str]]) -> dict[str, int]:
    """Column of every box: the longest way to it. Raises ValueError for arrows in a circle."""
    names = list(dict.fromkeys(name for arrow in arrows for name in arrow))
    place = dict.fromkeys(names, 0)
    for _ in names:
        moved = {b: place[a] + 1 for a, b in sorted(arrows, key=lambda arrow: place[arrow[0]]) if place[b] <= place[a]}
        if not moved:
            return place
        place.update(moved)
    raise ValueError("the arrows of a flowchart form a circle")


def ways(arrows: list[tuple[str, str]], place: dict[str, int]) -> list[list[tuple[str, str]]]:
    """For every arrow its stations from box to box; between them one in each column, of the arrow's own."""
    made = []
    for a, b in arrows:
        between = [(f"{a} {b}", str(column)) for column in range(place[a] + 1, place[b])]
        made.append([(a, ""), *between, (b, "")])
    return made


def rows(stations: dict[tuple[str, str], int], lines: list[list[tuple[str, str]]]) -> dict[tuple[str, str], float]:
    """Height of every station: columns are sorted, again and again, by the mean height of the neighbours."""
    neighbours: dict[tuple[str, str], list[tuple[str, str]]] = {station: [] for station in stations}
    for line in lines:
        for a, b in pairwise(line):
            neighbours[a].append(b)
            neighbours[b].append(a)
    listed = [[s for s in stations if stations[s] == column] for column in range(max(stations.values()) + 1)]
    height = dict.fromkeys(stations, 0.0)
    for sweep in range(SWEEPS):
        for column in listed if sweep % 2 == 0 else reversed(listed):
            known = [s for s in neighbours if sweep or stations[s] < stations[column[0]]]
            mean = {}
            for s in column:
                near = [height[n] for n in neighbours[s] if n in known]
                mean[s] = sum(near) / len(near) if near else 0.0
            column.sort(key=lambda s: mean[s])
            sizes = [LANE if s[1] else ROW for s in column]
            middle = sum(mean.values()) / len(column)
            top = middle - sum(sizes) / 2
            for s, size in zip(column, sizes, strict=True):
                height[s] = top + size / 2
                top += size
    lowest = min(height.values())
    return {station: value - lowest + ROW / 2 for station, value in height.items()}


def draw(flowchart: str) -> str:
    """The SVG of a flowchart from left to right, whose lines are `a --> b`; colours and font are those of the page.

    Raises ValueError for a flowchart without arrows, or with a circle.
    """
    arrows = ARROW.findall(flowchart)
    if not arrows:
        raise ValueError("a flowchart has no arrow `a --> b`")
    place = columns(arrows)
    lines = ways(arrows, place)
    stations = {s: place[s[0]] if not s[1] else int(s[1]) for line in lines for s in line}
    y = rows(stations, lines)
    x = {station: column * (WIDTH + GAP) for station, column in stations.items()}
    shapes = []
    for line in lines:
        start, end = line[0], line[-1]
        path = f"M{x[start] + WIDTH},{y[start]:.0f}"
        at, level = x[start] + WIDTH, y[start]
        for station in line[1:]:
            bend = (at + x[station]) / 2
            path += f" C{bend:.0f},{level:.0f} {bend:.0f},{y[station]:.0f} {x[station]},{y[station]:.0f}"
            at, level = x[station], y[station]
            if station != end:
                at += WIDTH
                path += f" H{at}"
        shapes.append(f'<path d="{path}" marker-end="url(#tip)"/>')
    for (name, lane), column in stations.items():
        if not lane:
            left, middle = column * (WIDTH + GAP), y[name, ""]
            shapes.append(f'<rect x="{left}" y="{middle - HEIGHT / 2:.0f}" width="{WIDTH}" height="{HEIGHT}" rx="4"/>')
            shapes.append(f'<text x="{left + WIDTH / 2:.0f}" y="{middle + 5:.0f}">{html.escape(name)}</text>')
    wide, high = max(x.values()) + WIDTH, max(y.values()) + ROW / 2
    said = "; ".join(f"{a} to {b}" for a, b in arrows)
    return (
        f'<div class="flowchart"><svg viewBox="-2 0 {wide + 4} {high:.0f}" role="img" aria-label="{said}">'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0,0 L8,4 L0,8 z"/></marker></defs>{"".join(shapes)}</svg></div>'
    )


def on_page_markdown(markdown: str, *, page, config, files) -> str:
    return BLOCK.sub(lambda found: draw(found.group(1)), markdown)
