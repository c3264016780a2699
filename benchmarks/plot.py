"""Draws seconds over latency."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.measure import Run

    Points = list[tuple[float, float]]

_SAME = 0.05
"""A line would hide another whose seconds differ by less than this part: it is dashed."""
_GAP = 0.055
"""The least distance of two labels, as a part of the axis."""
_MARKERS = "osD^v"


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
    gap = _GAP * max(run.seconds for run in runs)
    label_at = -gap
    drawn: list[Points] = []
    for program, points in sorted(_lines(runs).items(), key=lambda line: line[1][-1][1]):
        latencies, seconds = zip(*points, strict=True)
        above = any(_hides(points, other) for other in drawn)
        (line,) = axes.plot(
            latencies,
            seconds,
            linestyle=(0, (3, 3)) if above else "-",
            linewidth=2.5,
            marker=_MARKERS[len(drawn) % len(_MARKERS)],
            markersize=5 if above else 9,
        )
        label_at = max(seconds[-1], label_at + gap)
        axes.annotate(
            program,
            (latencies[-1], seconds[-1]),
            xytext=(1.05, label_at),
            textcoords=("axes fraction", "data"),
            va="center",
            color=line.get_color(),
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": line.get_color(), "relpos": (0, 0.5)},
        )
        drawn.append(points)
    axes.axhline(limit, color="black", linestyle=":", linewidth=1.5)
    axes.annotate(
        f"the quota's limit, {limit:.1f} s",
        (0, limit),
        xycoords=("axes fraction", "data"),
        xytext=(5, -5),
        textcoords="offset points",
        va="top",
    )
    axes.set_xticks(sorted({run.latency_ms for run in runs}))
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    return figure


def _lines(runs: Sequence[Run]) -> dict[str, Points]:
    """Map each program to its seconds by latency."""
    return {
        program: sorted((run.latency_ms, run.seconds) for run in runs if run.program == program)
        for program in dict.fromkeys(run.program for run in runs)
    }


def _hides(upper: Points, lower: Points) -> bool:
    """Return whether two lines run together at every latency."""
    pairs = zip(upper, lower, strict=True)
    return all(abs(y / other - 1) < _SAME for (_, y), (_, other) in pairs)
