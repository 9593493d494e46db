"""Small charts as inline SVG for the quality page."""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup, escape

WIDTH, HEIGHT = 220, 56


def distribution(values: Sequence[float], low: float, high: float, title: str) -> Markup:
    """Histogram of the values of a cohort, with dashed lines at limits within the displayed range.

    title: of the measure, for readers who do not see the chart.
    """
    first, last = min(values), max(values)
    # Values that are equal up to rounding make one bar.
    margin = max(0.05 * (last - first), 0.01 * max(abs(first), abs(last)), 1e-3)
    first, last = first - margin, last + margin
    # Limits are displayed unless they would compress the values' range.
    for limit in (low, high):
        if np.isfinite(limit) and first - (last - first) < limit < last + (last - first):
            first, last = min(first, limit - margin), max(last, limit + margin)
    counts, edges = np.histogram(values, int(np.clip(2 * np.sqrt(len(values)), 8, 40)), range=(first, last))

    def across(value: float) -> float:
        return (value - first) / (last - first) * WIDTH

    width = across(edges[1])
    tall = counts / counts.max() * (HEIGHT - 4)
    bars = "".join(
        f'<rect x="{across(edge):.1f}" y="{HEIGHT - bar:.1f}" width="{max(width - 1, 0.5):.1f}" height="{bar:.1f}"/>'
        for edge, bar in zip(edges[:-1], tall, strict=True)
        if bar
    )
    lines = "".join(
        f'<line x1="{across(limit):.1f}" x2="{across(limit):.1f}" y1="0" y2="{HEIGHT}"/>'
        for limit in (low, high)
        if first < limit < last
    )
    label = f"{title}: {len(values)} subjects, from {min(values):.3g} to {max(values):.3g}"
    return Markup(
        f'<svg class="distribution" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">'
        f'{bars}{lines}<path d="M0 {HEIGHT - 0.5}H{WIDTH}"/></svg>'
    )


def curve(shares: np.ndarray, mean: np.ndarray, top: float, title: str) -> Markup:
    """A subject's histogram (filled) and the cohort's mean histogram (line); fractions above `top` are clipped.

    title: as in `distribution`.
    """
    return Markup(
        f'<svg class="curve" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f'<path class="own" d="M0 {HEIGHT}'
        f'{_steps(shares, top)}V{HEIGHT}Z"/><path class="mean" d="M0 {HEIGHT}{_steps(mean, top)}"/></svg>'
    )


def _steps(shares: np.ndarray, top: float) -> str:
    width = WIDTH / len(shares)
    heights = HEIGHT - np.clip(shares / max(top, 1e-9), 0, 1) * (HEIGHT - 2)
    return "".join(f"V{y:.0f}H{(i + 1) * width:.0f}" for i, y in enumerate(heights))
