"""The benchmark, in little: what it compares, and that it notices who is incomplete."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks import contenders, measure, plot
from benchmarks.contenders import Contender
from support import TIMEOUT

ROOT = Path(__file__).parent.parent


def test_all_contenders_read_the_same_pool(tmp_path: Path) -> None:
    """Each contender is in table, results and plot, with all of its requests."""
    aws = ["aws"] if contenders.runs(["aws"]) else []
    command = [
        *(sys.executable, "-m", "benchmarks", "--users", "130", "--latencies", "5"),
        *("--postgres", "--output", str(tmp_path), "--only", "tap", "boto3", *aws),
    ]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("Every run returned every user once.\n")
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert (results["users"], results["quota"], results["limit_seconds"]) == (130, 30, 0.1)
    titles = ["tap-cognito", "tap-cognito to Postgres", "boto3 loop", *(["AWS CLI"] if aws else [])]
    assert [run["contender"] for run in results["runs"]] == titles
    for run in results["runs"]:
        assert run["latency_ms"] == 5
        assert run["requests"] >= 3
        assert run["throttled"] == 0
        assert run["ratio"] == pytest.approx(run["seconds"] / 0.1, rel=0.02)
        assert all(seconds > 0 for seconds in run["cpu"].values())
        assert f" {run['contender']} " in done.stdout
    picture = ET.fromstring((tmp_path / "results.svg").read_text(encoding="utf-8"))  # noqa: S314
    texts = [element.text for element in picture.iter() if element.tag.endswith("}text")]
    assert {*titles, "limit", "seconds", "latency of a request, ms"} <= set(texts)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("print(9)", "Broken read 9 of 10 users"),
        ("raise SystemExit('no pool')", "one failed: no pool"),
    ],
)
def test_a_contender_that_is_incomplete_is_no_result(script: str, message: str) -> None:
    """Who fails or loses users is an error of the run, however fast it was."""
    broken = Contender(
        "Broken",
        lambda _: {
            "one": [sys.executable, "-c", script],
            "two": [sys.executable, "-c", "import sys; sys.stdin.read(); print(9)"],
        },
        lambda task: int(task.output.read_text()),
    )
    with pytest.raises(measure.IncompleteError, match=message):
        measure.measure(broken, measure.Emulation(10, 0, 30, 30))


def test_the_plot_shows_each_point_where_it_is() -> None:
    """Higher is slower, further right is more latency, and the limit is below everybody."""
    series = {"one": [(60.0, 10.0), (250.0, 20.0)], "two <&>": [(60.0, 40.0), (250.0, 80.0)]}
    picture = ET.fromstring(plot.svg("title", series, limit=8.0))  # noqa: S314 - our own
    namespace = "{http://www.w3.org/2000/svg}"
    circles = [
        (float(each.attrib["cx"]), float(each.attrib["cy"]))
        for each in picture.iter(f"{namespace}circle")
    ]
    (one_60, one_250, two_60, two_250) = circles
    assert one_60[0] == two_60[0] < one_250[0] == two_250[0]
    assert one_60[1] > one_250[1] > two_60[1] > two_250[1]
    rules = [each for each in picture.iter(f"{namespace}line") if each.attrib["class"] == "limit"]
    assert float(rules[0].attrib["y1"]) == float(rules[0].attrib["y2"]) > one_60[1]
