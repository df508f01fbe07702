"""Schedules: golden vectors from the formulas, Consilience's among them, and what holds of all."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from quiltwork.pretrain.schedules import (
    Constant,
    Cosine,
    Linear,
    Schedule,
    WarmupStableDecay,
    batch_size,
    raised_cosine,
)

CONSILIENCE = WarmupStableDecay(
    base_lr=2e-4,
    warmup_steps=2_000,
    stable_steps=161_000,
    cosine_decay_steps=150_000,
    cosine_decay_final_lr=2e-5,
    linear_decay_steps=12_000,
)
SMALL = Cosine(base_lr=4e-4, warmup_steps=250, total_steps=25_000, final_lr=4e-5)


def fp32(value: float) -> float:
    return float(np.float32(value))


@pytest.mark.parametrize(
    ("step", "rate"),
    [
        (0, 0.0),
        (1, 1e-7),
        (500, 5e-5),
        (1_000, 1e-4),
        (2_000, 2e-4),
        (162_999, 2e-4),
        (163_000, 2e-4),  # the cosine begins where the plateau ends
        (200_500, 2e-5 + 1.8e-4 * (1 + math.sqrt(0.5)) / 2),  # a quarter of the cosine
        (213_000, 2e-5 + 1.8e-4 * 0.75),  # a third
        (238_000, 1.1e-4),  # half
        (263_000, 2e-5 + 1.8e-4 * 0.25),  # two thirds
        (313_000, 2e-5),
        (319_000, 1e-5),
        (324_999, 2e-5 / 12_000),
        (325_000, 0.0),
        (10**9, 0.0),
    ],
)
def test_consiliences_learning_rate(step: int, rate: float) -> None:
    assert CONSILIENCE.rate(step) == pytest.approx(rate, rel=1e-6, abs=1e-18)


@pytest.mark.parametrize(
    ("step", "rate"),
    [
        (0, 0.0),
        (125, 2e-4),
        (250, 4e-4),
        (12_625, 2.2e-4),
        (8_500, 4e-5 + 3.6e-4 * 0.75),
        (25_000, 4e-5),
        (99_999, 4e-5),
    ],
)
def test_a_cosine_stays_at_its_end(step: int, rate: float) -> None:
    assert SMALL.rate(step) == pytest.approx(rate, rel=1e-6, abs=1e-18)


@pytest.mark.parametrize(
    ("step", "constant", "line"),
    [
        (0, 0.001, 0.001),
        (5, 0.0055, 0.0055),
        (9, 0.0091, 0.0091),
        (10, 0.01, 0.01),
        (55, 0.01, 0.00505),
        (100, 0.01, 0.0001),
        (200, 0.01, 0.0001),
        (-3, 0.001, 0.001),
    ],
)
def test_constant_and_linear(step: int, constant: float, line: float) -> None:
    same = {"base_lr": 0.01, "warmup_steps": 10, "warmup_init_lr": 0.001}
    assert Constant(**same).rate(step) == pytest.approx(constant, rel=1e-6)
    assert Linear(**same, total_steps=100, final_lr=0.0001).rate(step) == pytest.approx(line, rel=1e-6)


def test_learning_rates_are_the_same_bits_on_every_machine() -> None:
    assert [CONSILIENCE.rate(step).hex() for step in (1_234, 163_001, 200_000, 312_999, 320_001)] == [
        "0x1.02c9de0000000p-13",
        "0x1.a36e2e0000000p-13",
        "0x1.6d89f60000000p-13",
        "0x1.4f8b580000000p-16",
        "0x1.1790780000000p-17",
    ]


@given(st.integers(1, 10**9), st.data())
def test_the_cosine_of_four_operations_is_the_cosine(steps: int, data: st.DataObject) -> None:
    step = data.draw(st.integers(0, steps))
    assert abs(raised_cosine(step, steps) - (1 + math.cos(math.pi * step / steps)) / 2) < 3e-16


@pytest.mark.parametrize("steps", [10, 3_000, 10**9])
def test_the_end_of_a_cosine_is_right_to_the_last_digits(steps: int) -> None:
    """1 + cos(x) near pi loses all digits; sin^2 does not."""
    assert raised_cosine(steps - 1, steps) == pytest.approx(math.sin(math.pi / 2 / steps) ** 2, rel=1e-15)


RATES = st.floats(0, 1)
STEPS = st.integers(0, 2_000)


@st.composite
def falling(draw: st.DrawFn) -> WarmupStableDecay:
    rates = sorted((draw(RATES) for _ in range(3)), reverse=True)
    warmup, stable, cosine, line = (draw(STEPS) for _ in range(4))
    return WarmupStableDecay(
        base_lr=rates[0],
        warmup_init_lr=draw(RATES),
        warmup_steps=warmup,
        stable_steps=stable,
        cosine_decay_steps=cosine,
        cosine_decay_final_lr=rates[1],
        linear_decay_steps=line,
        linear_decay_final_lr=rates[2],
    )


@st.composite
def ended(draw: st.DrawFn) -> Linear | Cosine:
    high, low = sorted((draw(RATES), draw(RATES)), reverse=True)
    warmup = draw(STEPS)
    made = draw(st.sampled_from((Linear, Cosine)))
    return made(base_lr=high, final_lr=low, warmup_steps=warmup, total_steps=warmup + draw(STEPS))


ANY = st.one_of(falling(), ended(), st.builds(Constant, base_lr=RATES, warmup_steps=STEPS, warmup_init_lr=RATES))


@given(ANY, st.integers(-10, 20_000))
def test_every_rate_is_one_that_fp32_holds_and_lies_between_its_ends(schedule: Schedule, step: int) -> None:
    rate = schedule.rate(step)
    assert rate == fp32(rate)
    ends = [getattr(schedule, name) for name in type(schedule).model_fields if name.endswith("_lr")]
    assert fp32(min(ends)) <= rate <= fp32(max(ends))


@given(st.one_of(falling(), ended()), st.integers(0, 8_000))
def test_after_the_warm_up_a_rate_never_rises(schedule: Schedule, after: int) -> None:
    step = schedule.warmup_steps + after
    assert schedule.rate(step + 1) <= schedule.rate(step)


@given(ANY, st.integers(0, 10_000))
def test_a_rate_never_jumps(schedule: Schedule, step: int) -> None:
    """Between two steps at most what the steepest piece allows: pi/2 times the straight line, or a piece without steps."""
    ends = [getattr(schedule, name) for name in type(schedule).model_fields if name.endswith("_lr")]
    pieces = [schedule.warmup_steps] if schedule.warmup_steps else []
    if isinstance(schedule, WarmupStableDecay):
        pieces += [schedule.cosine_decay_steps, schedule.linear_decay_steps]
    elif not isinstance(schedule, Constant):
        pieces += [schedule.total_steps - schedule.warmup_steps]
    if not pieces or min(pieces) == 0:
        return  # a piece of no steps is a jump that was asked for
    steepest = (max(ends) - min(ends)) * math.pi / 2 / min(pieces)
    assert abs(schedule.rate(step + 1) - schedule.rate(step)) <= steepest + 1e-7


class Holder(BaseModel):
    schedule: Schedule


@pytest.mark.parametrize("schedule", [CONSILIENCE, SMALL, Constant(base_lr=1), Linear(base_lr=1, total_steps=3)])
def test_the_kind_says_which_schedule_a_config_means(schedule: Schedule) -> None:
    read = Holder.model_validate_json(Holder(schedule=schedule).model_dump_json()).schedule
    assert read == schedule
    assert type(read) is type(schedule)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: Holder.model_validate({"schedule": {"kind": "triangle", "base_lr": 1}}), "kind"),
        (lambda: Constant(base_lr=-1), "base_lr"),
        (lambda: Constant(base_lr=math.nan), "base_lr"),
        (lambda: Cosine(base_lr=1, total_steps=5, warmup_steps=6), "warmup_steps"),
        (lambda: CONSILIENCE.model_validate({**CONSILIENCE.model_dump(), "cosine_decay_final_lr": 1}), "do not fall"),
    ],
)
def test_what_is_no_schedule_is_said_to_be_none(make: Callable[[], object], word: str) -> None:
    with pytest.raises(ValidationError, match=word):
        make()


RAMP = {"start": 12_288, "end": 32_768, "warmup_tokens": 549_755_813_888}


@pytest.mark.parametrize(
    ("tokens", "sequences"),
    [
        (0, 12_288),
        (
            13_421_772,
            12_288,
        ),  # 20,480 sequences more over 2^39 tokens: one more every 2^39 / 20,480 = 26,843,545.6 tokens
        (13_421_773, 12_289),
        (274_877_906_944, 22_528),
        (549_755_813_887, 32_768),
        (549_755_813_888, 32_768),
        (10**15, 32_768),
        (-5, 12_288),
    ],
)
def test_consiliences_batch_grows_with_its_tokens(tokens: int, sequences: int) -> None:
    assert batch_size(tokens, **RAMP) == sequences


def test_without_a_ramp_the_batch_is_the_last() -> None:
    assert batch_size(0, start=4, end=16, warmup_tokens=0) == 16


@given(st.integers(1, 10**7), st.integers(0, 10**7), st.integers(1, 10**15), st.integers(0, 2 * 10**15))
def test_a_batch_grows_from_start_to_end_and_never_shrinks(start: int, more: int, warmup: int, tokens: int) -> None:
    now, later = (
        batch_size(seen, start=start, end=start + more, warmup_tokens=warmup) for seen in (tokens, tokens + 1)
    )
    assert start <= now <= later <= start + more
    assert later - now <= more // warmup + 1
