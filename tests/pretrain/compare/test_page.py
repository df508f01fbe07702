"""The page, the data and the table of a comparison."""

from __future__ import annotations

import json
import math
import re
from html import unescape

from quiltwork.pretrain.compare.page import as_data, render
from quiltwork.pretrain.compare.told import table
from tests.pretrain.compare.made import curve, findings, seven

LOST = curve("demo", (0, 5.5, 0, 0.0), (3, math.nan, 100, 0.1), diverged="Training diverged: the loss is nan.")
DENSE = curve("adamw", (0, 5.5, 0, 0.0), (200, 2.5, 88_000_000, 4.0))


def test_the_page_is_one_file_that_loads_nothing_and_runs_nothing() -> None:
    page = unescape(render(findings(seven())))
    assert "default-src 'none'" in page
    assert not re.search(r"<script|<link|<img|\bsrc=|@import|url\(|https?://", page)


def test_the_page_says_what_was_compared_who_won_and_all_numbers() -> None:
    page = unescape(render(findings(seven())))
    assert (
        "A GPT of 0.11 million parameters, trained 200 steps by 4 members, 4 sequences of 64 tokens each in a step."
        in page
    )
    assert "DisTrO reaches loss 2.507 with the fewest bytes" in page
    assert "Dense AdamW takes the longest" in page
    assert page.count("<tr>") == 8
    assert "20 Mbit/s in each direction at every member; each update goes to 3 others" in page


def test_a_name_from_a_file_is_only_text() -> None:
    found = findings(seven())
    found.comparison.__dict__["name"] = "<b>name</b>"
    assert "<b>name" not in render(found)


def test_the_data_are_json_and_repeat_the_points() -> None:
    data = json.loads(json.dumps(as_data(findings((DENSE, LOST))), allow_nan=False))
    dense, lost = data["optimizers"]
    assert dense["points"][1] == {
        "step": 200,
        "rounds": 200,
        "loss": 2.5,
        "sent": 88_000_000,
        "compute_s": 4.0,
        "seconds": dense["seconds"],
    }
    assert dense["seconds"] > 4.0 + 88e6 * 3 * 8 / 20e6
    assert (lost["loss"], lost["diverged"]) == (None, LOST.diverged)
    assert data["comparison"]["link"] == {"mbit": 20.0, "delay_ms": 0.0}


def test_one_that_diverged_is_told_on_the_page_and_in_the_table() -> None:
    found = findings((DENSE, LOST))
    assert "diverged after step 3" in render(found)
    assert "demo diverged after step 3: Training diverged: the loss is nan." in table(found)


def test_the_table_has_a_line_for_each_and_says_who_was_first() -> None:
    lines = table(findings(seven())).splitlines()
    assert [line.split()[0] for line in lines[1:8]] == [each.contestant.name for each in seven()]
    assert len({len(line) for line in lines[:8]}) == 1
    assert "time at 20 Mbit/s" in lines[0]
    assert any("first over links of 20 Mbit/s" in line for line in lines[8:])
