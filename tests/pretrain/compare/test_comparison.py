"""What is asked for on the command line, and what comes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from quiltwork.errors import UserError
from quiltwork.pretrain.compare.comparison import Asked, Link, arranged, mbit_of
from quiltwork.pretrain.compare.contestants import ALL, NAMES, chosen
from quiltwork.pretrain.optimizers.config import AdamWConfig
from tests.pretrain.compare import made


@pytest.mark.parametrize(
    ("text", "mbit"),
    [
        ("20Mbit/s", 20.0),
        ("20 mbit/s", 20.0),
        ("1.5Gbit/s", 1_500.0),
        ("500kbps", 0.5),
        (".5Mbps", 0.5),
        ("9600bit/s", 0.0096),
    ],
)
def test_a_bandwidth_is_read_as_people_write_it(text: str, mbit: float) -> None:
    assert mbit_of(text) == pytest.approx(mbit)


@pytest.mark.parametrize("text", ["fast", "20", "0Mbit/s", "-3Mbit/s", "20MB/s", "nan bit/s", "99999999Gbit/s", ""])
def test_what_is_no_bandwidth_is_refused_with_one_that_is(text: str) -> None:
    with pytest.raises(UserError, match=r"--link .*not a bandwidth. Write it as 20Mbit/s"):
        mbit_of(text)


@pytest.mark.parametrize(("mbit", "words"), [(20, "20 Mbit/s"), (1_500, "1.5 Gbit/s"), (0.5, "500 kbit/s")])
def test_a_link_is_told_as_people_write_it(mbit: float, words: str) -> None:
    assert Link(mbit=mbit).words == words
    assert Link(mbit=mbit, delay_ms=25).words == f"{words}, 25 ms"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"optimizers": "adamw,demoo"}, r"--optimizers: there is no optimizer 'demoo'. Did you mean demo\?"),
        ({"optimizers": "sgd"}, "there is no optimizer 'sgd'. There are adamw, demo, distro"),
        ({"optimizers": " , "}, "--optimizers names none"),
        ({"rates": ("demo",)}, "--lr demo: a name and a learning rate above 0"),
        ({"rates": ("demo=fast",)}, "--lr demo=fast"),
        ({"rates": ("demo=-1",)}, "--lr demo=-1"),
        ({"rates": ("demo=nan",)}, "--lr demo=nan"),
        ({"rates": ("dimo=0.1",)}, r"--lr: there is no optimizer 'dimo'. Did you mean demo\?"),
        ({"optimizers": "adamw", "rates": ("demo=0.1",)}, "--lr demo: it does not take part"),
        ({"members": 0}, "--members 0: from 1 to 64 are possible"),
        ({"members": 65}, "--members 65"),
        ({"members": 17}, "17 members share 16 sequences of a step"),
        ({"steps": 0}, "--steps 0: from 1 to 100,000 are possible"),
        ({"every": 0}, "--every 0"),
        ({"link": "fast"}, "--link fast"),
        ({"delay_ms": -1.0}, "--delay-ms -1"),
        ({"config": "nowhere.toml"}, "no file nowhere.toml, nor a preset"),
        ({"config": "consilience-40b"}, "million parameters.* are the most"),
    ],
)
def test_what_cannot_be_compared_is_told(given: dict[str, object], says: str) -> None:
    with pytest.raises(UserError, match=says):
        made.compared(**given)


def test_nothing_asked_for_is_everything_on_a_small_model() -> None:
    comparison = made.compared()
    assert comparison.contestants == ALL
    assert (comparison.members, comparison.sequences, comparison.link) == (4, 4, Link())


def test_the_order_is_that_of_the_picture_and_a_name_counts_once() -> None:
    assert [each.name for each in chosen("sparseloco,adamw, adamw")] == ["adamw", "sparseloco"]


def test_a_runs_file_gives_model_data_and_the_dials_of_its_own_optimizer(tmp_path: Path) -> None:
    comparison = made.compared(config=str(made.file(tmp_path)))
    own, *others = comparison.contestants
    assert (own.optimizer, own.lr) == (AdamWConfig(beta2=0.9), 0.003)
    assert others == list(ALL[1:])
    assert (comparison.name, comparison.members, comparison.sequences, comparison.steps) == ("tiny", 3, 2, 4)


def test_what_is_not_asked_for_again_is_as_before() -> None:
    before = made.compared(optimizers="adamw,diloco", rates=("adamw=0.001",), every=7, steps=30, seed=5, link="1Gbit/s")
    assert arranged(Asked(), before) == before
    after = arranged(Asked(optimizers="adamw,demo", delay_ms=3), before)
    assert [(each.name, each.lr) for each in after.contestants] == [("adamw", 0.001), ("demo", ALL[1].lr)]
    assert after.link == Link(mbit=1_000, delay_ms=3)
    assert (after.steps, after.seed, after.data.seed) == (30, 5, 5)


def test_members_share_the_batch() -> None:
    four = made.compared()
    assert [arranged(Asked(members=count), four).sequences for count in (1, 3, 8, 16)] == [16, 5, 2, 1]


@pytest.mark.parametrize("steps", [1, 2, 10, 200, 2_000])
def test_rates_rise_and_fall_whatever_the_number_of_steps(steps: int) -> None:
    comparison = made.compared(steps=steps)
    contestant = comparison.contestants[0]
    schedule = comparison.schedule(contestant)
    rates = [schedule.rate(step) for step in range(steps)]
    assert 0 < min(rates) <= max(rates) <= contestant.lr * 1.000001
    assert rates == sorted(rates[: rates.index(max(rates)) + 1]) + sorted(rates[rates.index(max(rates)) + 1 :])[::-1]


def test_only_those_that_step_alone_exchange_less_often() -> None:
    assert {each.name: each.every for each in made.compared(every=9).contestants} == {
        name: 9 if name in ("diloco", "sparseloco", "sparseloco_muon") else 1 for name in NAMES
    }
