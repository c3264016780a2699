"""Draws seconds over latency."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from benchmarks.measure import Run

    Points = list[tuple[float, float]]

_SAME = 0.05
"""Programs whose seconds differ by less than this part are drawn as one line."""
_GAP = 0.05
"""The least distance of two labels, as a part of the axis."""


def save(path: Path, quota: int, runs: Sequence[Run]) -> None:
    """Write the plot as an SVG that is the same for the same runs.

    Args:
        path: The file.
        quota: Requests a second.
        runs: Runs that read the same pool.
    """
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "tap-cognito"}):
        draw(quota, runs).savefig(path, metadata={"Date": None})


def draw(quota: int, runs: Sequence[Run]) -> Figure:
    """Draw a line for each program, labelled at its end, and the limit across them.

    Args:
        quota: Requests a second.
        runs: Runs that read the same pool.

    Returns:
        The figure.
    """
    users, limit = runs[0].users, runs[0].limit_seconds
    figure = Figure(figsize=(8, 4.6), layout="constrained")
    axes = figure.add_subplot(
        title=f"Seconds to read {users:,} users of an emulated pool, quota {quota} requests/s",
        xlabel="latency of a request, ms",
        ylabel="seconds",
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.3)
    highest = max(run.seconds for run in runs)
    label_at = 0.0
    for label, points in sorted(_lines(runs), key=lambda line: line[1][-1][1]):
        latencies, seconds = zip(*points, strict=True)
        (line,) = axes.plot(latencies, seconds, marker="o", linewidth=2.5)
        label_at = max(seconds[-1], label_at)
        axes.annotate(
            label,
            (latencies[-1], label_at),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            color=line.get_color(),
            annotation_clip=False,
        )
        label_at += _GAP * highest * (1 + label.count("\n"))
    axes.axhline(limit, color="black", linestyle="--", linewidth=1.5)
    axes.text(4, limit, "the quota's limit", va="top")
    axes.set_xticks(sorted({run.latency_ms for run in runs}))
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    return figure


def _lines(runs: Sequence[Run]) -> Iterator[tuple[str, Points]]:
    """Merge the programs that take about as long as each other at every latency."""
    lines: list[tuple[list[str], Points]] = []
    for program in dict.fromkeys(run.program for run in runs):
        points: Points = sorted(
            (run.latency_ms, run.seconds) for run in runs if run.program == program
        )
        for names, drawn in lines:
            if all(
                abs(y / other - 1) < _SAME for (_, y), (_, other) in zip(points, drawn, strict=True)
            ):
                names.append(program)
                break
        else:
            lines.append(([program], points))
    return ((", ".join(names), points) for names, points in lines)
