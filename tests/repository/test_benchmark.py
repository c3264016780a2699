"""A small benchmark: what it compares, and that it notices who is incomplete."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from matplotlib.text import Annotation, Text

from benchmarks import contenders, measure, plot
from benchmarks.contenders import Contender
from benchmarks.measure import Run
from tests.support.paths import ROOT
from tests.support.programs import run_program

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.programs
def test_all_contenders_read_the_same_pool(tmp_path: Path) -> None:
    """Each program is in table, results and plot, with all of its requests."""
    aws = ["aws"] if contenders.runs("aws") else []
    command = [
        *(sys.executable, "-m", "benchmarks", "--users", "130", "--latencies", "5"),
        *("--postgres", "--output", str(tmp_path), "--only", "tap", "boto3", *aws),
    ]
    done = run_program(command, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("Every run read every user once.\n")
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    titles = [
        *("tap at 24/s (default)", "tap at 30/s", "tap at 30/s to Postgres", "boto3 loop"),
        *(["AWS CLI"] if aws else []),
    ]
    assert results["quota"] == 30
    assert [run["program"] for run in results["runs"]] == titles
    for run in results["runs"]:
        assert (run["users"], run["latency_ms"], run["limit_seconds"]) == (130, 5, 0.1)
        assert run["seconds"] > 0
        assert run["requests"] >= 3
        assert run["throttled"] == 0
        assert all(seconds > 0 for seconds in run["cpu"].values())
        assert all(10 < size < 1_000 for size in run["peak_mb"].values())
        assert f" {run['program']} " in done.stdout
    picture = ET.fromstring((tmp_path / "results.svg").read_text(encoding="utf-8"))  # noqa: S314
    texts = " ".join(element.text or "" for element in picture.iter())
    assert all(title in texts for title in titles)
    assert "emulated" in texts


@pytest.mark.programs
def test_the_memory_of_the_benchmark_is_not_that_of_a_program(tmp_path: Path) -> None:
    """A small program's peak stays small, however large the process is that measures it."""
    ballast = b"x" * 150_000_000
    measured = tmp_path / "usage"
    command = [sys.executable, "-S", "-m", "benchmarks.usage", str(measured)]
    subprocess.run([*command, sys.executable, "-S", "-c", ""], cwd=ROOT, check=True)
    assert 1_000_000 < json.loads(measured.read_text())["peak"] < len(ballast) / 2


@pytest.mark.programs
@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("print(9)", "Broken read 9 of 10 users"),
        ("raise SystemExit('no pool')", "one failed: no pool"),
    ],
)
def test_a_contender_that_is_incomplete_is_no_result(script: str, message: str) -> None:
    """A program that fails or loses users makes the run fail, however fast it was."""
    broken = Contender(
        "Broken",
        lambda _: {
            "one": [sys.executable, "-c", script],
            "two": [sys.executable, "-c", "import sys; sys.stdin.read(); print(9)"],
        },
        lambda task: int(task.output.read_text()),
    )
    with pytest.raises(measure.IncompleteError, match=message):
        measure.measure(broken, measure.Emulation(10, 0, 30))


def run(program: str, latency_ms: int, seconds: float) -> Run:
    """A run that is only drawn."""
    return Run(program, 1_800, latency_ms, 1.0, seconds, 30, 0, {}, {})


def test_the_plot_shows_each_run_where_it_is() -> None:
    """A line goes through the seconds of its program's runs, and the limit is where it is."""
    runs = [
        run("fast", 250, 2.0),
        run("fast", 60, 1.0),
        run("slow", 60, 4.0),
        run("slow", 250, 8.0),
    ]
    (axes,) = plot.draw(30, runs).axes
    fast, slow, limit = axes.lines
    assert np.array_equal(fast.get_xydata(), [[60, 1], [250, 2]])
    assert np.array_equal(slow.get_xydata(), [[60, 4], [250, 8]])
    assert np.array_equal(limit.get_ydata(), [1, 1])
    assert axes.get_ylim()[0] == 0
    assert "1,800 users of an emulated pool" in axes.get_title()


def test_lines_are_labelled_at_their_ends() -> None:
    """Each line has its label beside its end, in its colour, and no two labels overlap."""
    runs = [run(name, 60, seconds) for name, seconds in (("a", 1.0), ("b", 1.2), ("c", 9.0))]
    figure = plot.draw(30, runs)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    labels = {text.get_text(): text for text in axes.texts if isinstance(text, Annotation)}
    for line, name, seconds in zip(axes.lines, "abc", (1.0, 1.2, 9.0), strict=False):
        assert labels[name].get_color() == line.get_color()
        assert labels[name].xy == (60, seconds)
    boxes = [Text.get_window_extent(labels[name]) for name in "abc"]
    assert boxes[0].y1 <= boxes[1].y0
    assert boxes[1].y1 <= boxes[2].y0


def test_the_limit_does_not_strike_its_label_through() -> None:
    """The label of the limit stands clear of every line."""
    figure = plot.draw(30, [run("tap", 60, 1.1), run("tap", 250, 1.2), run("loop", 250, 8.0)])
    figure.draw_without_rendering()
    (axes,) = figure.axes
    (label,) = (text for text in axes.texts if "limit" in text.get_text())
    box = Text.get_window_extent(label)
    for line in axes.lines:
        assert not box.padded(1).overlaps(line.get_window_extent()), line.get_label()


def test_lines_that_coincide_are_both_seen() -> None:
    """Each program has a line, dashed where it would hide another that takes the same time."""
    runs = [
        *(run("tap", 60, 1.0), run("tap", 250, 1.02)),
        *(run("tap to Postgres", 60, 1.01), run("tap to Postgres", 250, 1.0)),
        *(run("loop", 60, 1.0), run("loop", 250, 8.0)),
    ]
    (axes,) = plot.draw(30, runs).axes
    assert [text.get_text() for text in axes.texts[:3]] == ["tap to Postgres", "tap", "loop"]
    assert [line.is_dashed() for line in axes.lines[:3]] == [False, True, False]
    assert len({line.get_color() for line in axes.lines[:3]}) == 3


def test_the_same_runs_make_the_same_file(tmp_path: Path) -> None:
    """The file holds neither a date nor anything random."""
    runs = [run("tap", 60, 1.0), run("tap", 250, 1.02)]
    for name in ("one.svg", "two.svg"):
        plot.save(tmp_path / name, 30, runs)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
