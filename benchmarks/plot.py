"""Seconds over latency as an SVG, readable on light and on dark pages."""

from __future__ import annotations

from html import escape
from math import floor, log10
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Points = Sequence[tuple[float, float]]

_WIDTH, _HEIGHT = 720, 440
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 24, 84, 56

_STYLE = """
:root { --page: #ffffff; --text: #1f2328; --faint: #d8dee4;
  --c0: #0969da; --c1: #1a7f37; --c2: #bc4c00; --c3: #8250df; }
@media (prefers-color-scheme: dark) { :root { --page: #0d1117; --text: #e6edf3; --faint: #30363d;
  --c0: #58a6ff; --c1: #56d364; --c2: #f0883e; --c3: #d2a8ff; } }
text { font: 13px system-ui, sans-serif; fill: var(--text); }
.title { font-size: 16px; font-weight: 600; }
.grid { stroke: var(--faint); }
.line { fill: none; stroke-width: 2.5; }
.limit { stroke: var(--text); stroke-width: 1.5; stroke-dasharray: 6 4; }
"""
_DASHES = ("none", "3 5", "none", "3 5")


def svg(title: str, series: Mapping[str, Points], limit: float) -> str:
    """Draw one line for each series, and the limit across all.

    Args:
        title: What is shown.
        series: Latency in ms and seconds, by name; four at the most.
        limit: Seconds in which nobody can be faster.

    Returns:
        The text of the file.
    """
    points = [point for line in series.values() for point in line]
    x_ticks = sorted({x for x, _ in points})
    y_ticks = _ticks(max(limit, *(y for _, y in points)))
    x_end, y_end = 1.06 * x_ticks[-1] or 1.0, y_ticks[-1]

    def at(x: float, y: float) -> tuple[float, float]:
        right, top = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
        return _LEFT + x / x_end * (right - _LEFT), top - y / y_end * (top - _TOP)

    left, right = at(0, 0)[0], at(x_end, 0)[0]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="var(--page)"/>',
        _text(_LEFT, 26, title, "start", "title"),
        _text((left + right) / 2, _HEIGHT - 14, "latency of a request, ms", "middle"),
        _text(_LEFT, _TOP - 12, "seconds", "end"),
    ]
    for y in y_ticks:
        parts.append(_rule("grid", at(0, y), at(x_end, y)))
        parts.append(_text(left - 8, at(0, y)[1] + 4, f"{y:g}", "end"))
    parts += [_text(at(x, 0)[0], at(x, 0)[1] + 20, f"{x:g}", "middle") for x in x_ticks]
    parts.append(_rule("limit", at(0, limit), at(x_end, limit)))
    for number, line in enumerate(series.values()):
        color = f"var(--c{number})"
        places = [at(x, y) for x, y in sorted(line)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        dash = f'stroke-dasharray="{_DASHES[number]}"'
        parts.append(f'<polyline class="line" stroke="{color}" {dash} points="{path}"/>')
        # Every other mark is a ring: two that wait for the same answers lie on each other.
        ring = f'r="8" fill="none" stroke="{color}" stroke-width="2"'
        mark = ring if number % 2 else f'r="4" fill="{color}"'
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" {mark}/>' for x, y in places]
    parts += _legend(series)
    return "\n".join([*parts, "</svg>", ""])


def _legend(names: Iterable[str]) -> Iterable[str]:
    x = float(_LEFT)
    for number, name in enumerate(names):
        yield (
            f'<line class="line" stroke="var(--c{number})" stroke-dasharray="{_DASHES[number]}" '
            f'x1="{x}" y1="46" x2="{x + 22}" y2="46"/>'
        )
        yield _text(x + 28, 50, name, "start")
        x += 52 + 7 * len(name)
    yield _rule("limit", (x, 46), (x + 22, 46))
    yield _text(x + 28, 50, "limit", "start")


def _ticks(highest: float) -> list[float]:
    """Round numbers from 0 to at least the highest value, about six."""
    rough = highest / 5
    power = 10 ** floor(log10(rough))
    step = next(step * power for step in (1, 2, 5, 10) if step * power >= rough)
    return [step * number for number in range(-int(-highest // step) + 1)]


def _rule(kind: str, start: tuple[float, float], end: tuple[float, float]) -> str:
    (x1, y1), (x2, y2) = start, end
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, anchor: str, kind: str = "") -> str:
    attributes = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{attributes}>{escape(text)}</text>'
