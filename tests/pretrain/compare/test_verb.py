"""The command, as a user calls it."""

from __future__ import annotations

import json
import os
import signal
import time
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from quiltwork.cli.main import main
from quiltwork.pretrain.compare.contestants import NAMES
from tests.evolve.helpers import quiltwork_json, start
from tests.pretrain.compare import made
from tests.pretrain.compare.made import findings, seven

THREE = "adamw,distro,sparseloco"


def called(*words: object) -> int:
    """Run the command line in this process; gives how it ends."""
    with pytest.raises(SystemExit) as ended:
        main([*map(str, words)])
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--optimizers", "adam"], "there is no optimizer 'adam'. Did you mean adamw?"),
        (["--members", "0"], "--members 0: from 1 to 64 are possible."),
        (["--link", "fast"], "--link fast: that is not a bandwidth. Write it as 20Mbit/s, 1Gbit/s or 500kbit/s."),
        (["--lr", "adamw=x"], "--lr adamw=x: a name and a learning rate"),
        (["nowhere"], "There is no file nowhere, nor a preset of that name"),
    ],
)
def test_a_mistake_is_told_in_a_line(
    words: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called("pretrain", "compare", *words, "--out", tmp_path / "out") == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_command_trains_draws_and_remembers_what_was_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = [
        "pretrain",
        "compare",
        made.file(tmp_path),
        "--steps",
        "2",
        "--optimizers",
        THREE,
        "--data",
        tmp_path,
        "--out",
        out,
    ]
    assert called(*words) == 0
    told, progress = capsys.readouterr()
    assert all(f"\n{name} " in told for name in THREE.split(","))
    assert all(f"{name}: 2 steps, loss " in progress for name in THREE.split(","))
    assert told.rstrip().endswith("compare.html")
    page = (out / "compare.html").read_text()
    assert page.count("<polyline") == 4 * 3  # over bytes and over time, for desks and for phones

    assert (
        called("pretrain", "compare", "--data", tmp_path, "--out", out, "--link", "1Gbit/s", "--json", "--quiet") == 0
    )
    told, progress = capsys.readouterr()
    found = json.loads(told)
    assert progress == ""
    assert found["comparison"]["link"]["mbit"] == 1_000
    assert [each["name"] for each in found["optimizers"]] == THREE.split(",")
    assert json.loads((out / "compare.json").read_text()) == found


def test_help_names_every_optimizer(capsys: pytest.CaptureFixture[str]) -> None:
    assert called("pretrain", "compare", "--help") == 0
    told = "".join(capsys.readouterr().out.replace("│", " ").split())
    assert ",".join(NAMES) in told


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_killed_or_interrupted_it_goes_on_to_the_same_numbers(number: signal.Signals, tmp_path: Path) -> None:
    file = made.file(tmp_path)
    words = ["pretrain", "compare", file, "--steps", 30, "--optimizers", THREE, "--data", tmp_path]
    whole = quiltwork_json(*words, "--out", tmp_path / "whole")
    for kept in (0, 1):
        process = start(*words, "--out", tmp_path / "killed")
        until = time.monotonic() + 200
        while len(list((tmp_path / "killed" / "standings").glob("[a-z]*"))) <= kept and time.monotonic() < until:
            time.sleep(0.02)
        os.kill(process.pid, number)
        said, _ = process.communicate(timeout=60)
        assert process.returncode in (-signal.SIGKILL, 130), said
    again = quiltwork_json("pretrain", "compare", "--data", tmp_path, "--out", tmp_path / "killed")
    assert points(again) == points(whole)


def points(found: Any) -> list[list[tuple[float, ...]]]:
    names = ("step", "rounds", "loss", "sent")
    return [[tuple(point[name] for name in names) for point in each["points"]] for each in found["optimizers"]]


BOXES = """chart => [...chart.querySelectorAll("text.name")].map(text => text.getBBox()).map(
    box => [box.x, box.y, box.x + box.width, box.y + box.height])"""


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 820, 1440])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_in_a_browser_nothing_overlaps_and_nothing_is_cut(width: int, dark: bool, tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    from quiltwork.pretrain.compare.page import render

    (tmp_path / "page.html").write_text(render(findings(seven())))
    trouble: list[str] = []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light")
        page.set_default_timeout(120_000)
        page.on("console", lambda message: trouble.append(message.text))
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("request", lambda request: trouble.append(request.url) if not request.url.startswith("file:") else None)
        page.goto(f"file://{tmp_path}/page.html")
        assert page.evaluate("document.documentElement.scrollWidth") == width
        charts = page.locator("svg.chart:visible")
        assert charts.count() == 2
        for chart in charts.all():
            boxes = chart.evaluate(BOXES)  # of the letters, in the chart's own pixels
            assert len(boxes) == 7
            assert all(
                left >= 0 and right <= chart.evaluate("chart => chart.viewBox.baseVal.width")
                for left, _, right, _ in boxes
            )
            for one, other in combinations(boxes, 2):
                across = min(one[2], other[2]) - max(one[0], other[0])
                down = min(one[3], other[3]) - max(one[1], other[1])
                assert min(across, down) <= 2
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == (
            "rgb(22, 22, 26)" if dark else "rgb(250, 247, 241)"
        )
        browser.close()
    assert trouble == []
