"""Outlines of masks as SVG path data, which the quality page draws over pictures and hides on request."""

import itertools

import numpy as np

#: units of the path per pixel: the corners of an outline lie halfway between corners of pixels
UNITS = 2


def path(mask: np.ndarray) -> str:
    """Path data of the outline of a mask (rows, columns), bool, first row at the top; "" for an empty mask.

    Coordinates are UNITS per pixel, origin in the upper left corner. The outline joins the middles of the edges between
    pixels inside and outside of the mask, in closed lines around each part and each hole.
    """
    return "".join(_drawn(line) for line in _lines(_edges(mask)))


def _edges(mask: np.ndarray) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """Edges of pixels on the border of a mask, clockwise around it: the ends (x, y) by the start (x, y)."""
    padded = np.pad(mask, 1)
    inside = padded[1:-1, 1:-1]
    # Neighbour beyond the edge, and corners of the pixel where the edge starts and ends.
    sides = (
        (padded[:-2, 1:-1], (0, 0), (1, 0)),
        (padded[1:-1, 2:], (1, 0), (1, 1)),
        (padded[2:, 1:-1], (1, 1), (0, 1)),
        (padded[1:-1, :-2], (0, 1), (0, 0)),
    )
    edges: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for beyond, start, end in sides:
        for row, column in np.argwhere(inside & ~beyond).tolist():
            edges.setdefault((column + start[0], row + start[1]), []).append((column + end[0], row + end[1]))
    return edges


def _lines(edges: dict[tuple[int, int], list[tuple[int, int]]]) -> list[list[tuple[int, int]]]:
    """Closed lines through the middles of the edges, in UNITS."""
    lines = []
    while edges:
        first = at = next(iter(edges))
        line = []
        while True:
            ends = edges[at]
            to = ends.pop()
            if not ends:
                del edges[at]
            line.append((at[0] + to[0], at[1] + to[1]))
            at = to
            if at == first:
                break
        lines.append(line)
    return lines


def _drawn(line: list[tuple[int, int]]) -> str:
    """A closed line with its straight runs merged."""
    steps: list[list[int]] = []
    for (x, y), (next_x, next_y) in itertools.pairwise(line):
        step = [next_x - x, next_y - y]
        if steps and steps[-1][0] * step[1] == steps[-1][1] * step[0] and np.dot(steps[-1], step) > 0:
            steps[-1] = [steps[-1][0] + step[0], steps[-1][1] + step[1]]
        else:
            steps.append(step)
    return f"M{line[0][0]} {line[0][1]}" + "".join(f"l{x} {y}" for x, y in steps) + "z"
