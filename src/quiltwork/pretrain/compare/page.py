"""A comparison as one HTML file that loads nothing, and as data. Pure but for two files of the package that it reads."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

import quiltwork
from quiltwork.pretrain.architectures.config import OwnConfig
from quiltwork.pretrain.architectures.sizes import parameter_count
from quiltwork.pretrain.compare.axes import byte_axis, time_axis
from quiltwork.pretrain.compare.chart import LOSS_DIGITS, NARROW, WIDE, Across, chart, mark
from quiltwork.pretrain.compare.comparison import Comparison
from quiltwork.pretrain.compare.series import Curve, Summary, common_loss, seconds, summaries
from quiltwork.text.markup import tag
from quiltwork.text.numbers import duration, number, size
from quiltwork.text.strangers import plain

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Findings:
    """All that there is to show: what was compared, what came of it so far, and on which machine."""

    comparison: Comparison
    curves: tuple[Curve, ...]
    dense_bytes: int
    machine: str

    @property
    def summaries(self) -> list[Summary]:
        """The lines of the table."""
        compared = self.comparison
        return summaries(self.curves, dense_bytes=self.dense_bytes, members=compared.members, link=compared.link)


def as_data(found: Findings) -> dict[str, Any]:
    """Give everything as values of JSON: sizes in bytes, times in seconds, losses in nats per token."""
    compared = found.comparison
    return {
        "version": quiltwork.__version__,
        "machine": found.machine,
        "comparison": compared.model_dump(mode="json", exclude={"contestants"}),
        "dense_bytes": found.dense_bytes,
        "common_loss": common_loss(found.curves),
        "optimizers": [_plain(line, compared) for line in found.summaries],
    }


def _plain(line: Summary, compared: Comparison) -> dict[str, Any]:
    curve = line.curve
    return {
        **curve.contestant.model_dump(mode="json"),
        "diverged": curve.diverged,
        "steps": curve.last.step,
        "loss": _finite(line.loss),
        "gap_to_adamw": line.gap,
        "sent": line.sent,
        "fewer_than_fp32": _finite(line.fewer),
        "compute_s_per_step": line.step_s,
        "seconds": line.seconds,
        "reaches_common_loss": {"sent": line.reach_sent, "seconds": line.reach_s},
        "points": [
            {
                **point._asdict(),
                "loss": _finite(point.loss),
                "seconds": seconds(point, curve.contestant, compared.members, compared.link),
            }
            for point in curve.points
        ],
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def render(found: Findings) -> str:
    """Make the page."""
    style, compared = (HERE / "page.css").read_text("utf-8"), found.comparison
    policy = f"default-src 'none'; style-src '{_digest(style)}'; base-uri 'none'; form-action 'none'"
    sent = Across("bytes that each member has sent", lambda curve, point: point.sent, byte_axis, size)
    took = Across(
        f"time, over links of {compared.link.words}",
        lambda curve, point: seconds(point, curve.contestant, compared.members, compared.link),
        time_axis,
        duration,
    )
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            found=found,
            compared=compared,
            policy=policy,
            style=Markup(style),  # noqa: S704 - a file of the package
            lead=lead(compared),
            charts=[
                (title, chart(found.curves, across, WIDE), chart(found.curves, across, NARROW))
                for title, across in (("for what it sends", sent), ("for the time it takes", took))
            ],
            lines=found.summaries,
            goal=common_loss(found.curves),
            verdicts=list(verdicts(found)),
            facts=list(facts(found)),
        )
    )


def lead(compared: Comparison) -> str:
    """Say in a sentence what was compared."""
    if isinstance(compared.model, OwnConfig):
        model = f"A model of {compared.model.model}"
    else:
        model = (
            f"A {compared.model.kind.upper()} of {number(parameter_count(compared.model) / 1e6, 2)} million parameters"
        )
    return (
        f"{model}, trained {compared.steps:,} steps by {compared.members} "
        f"{'member' if compared.members == 1 else 'members'}, {compared.sequences:,} sequences of "
        f"{compared.data.sequence_length:,} tokens each in a step."
    )


def verdicts(found: Findings) -> Iterator[str]:
    """Say who reaches the loss that all reach for the fewest bytes, and who in the shortest time."""
    goal, link = common_loss(found.curves), found.comparison.link
    sent = [(line.reach_sent, line.curve) for line in found.summaries if line.reach_sent is not None]
    took = [(line.reach_s, line.curve) for line in found.summaries if line.reach_s is not None]
    if goal is not None and len(sent) > 1:
        yield _verdict(sent, size, goal, "with the fewest bytes", "the most")
        yield _verdict(took, duration, goal, f"first over links of {link.words}", "the longest")


def _verdict(lines: list[tuple[float, Curve]], words: Callable[[float], str], goal: float, how: str, worst: str) -> str:
    ordered = sorted(lines, key=lambda line: line[0])
    (least, first), (most, last) = ordered[0], ordered[-1]
    little, much = (words(amount).replace(" ", "\N{NO-BREAK SPACE}") for amount in (least, most))
    return (
        f"{first.contestant.label} reaches loss {number(goal, LOSS_DIGITS)} {how}, {little}; "
        f"{last.contestant.label} takes {worst}, {much}."
    )


def facts(found: Findings) -> Iterator[tuple[str, str]]:
    """Say how it was measured: pairs (what, how)."""
    compared, link = found.comparison, found.comparison.link
    sources = ", ".join(source.name for source in compared.data.sources)
    yield "loss", f"nats per token of text that is never trained on ({sources}); the same sequences for all"
    yield "data", f"the same first parameters and the same batches for all, from seed {compared.seed}"
    yield "bytes", "of the encoded updates as they would cross the network, each member's own, once"
    yield "computing", f"one core for each member: {found.machine}"
    shared = "nothing is sent" if compared.members == 1 else f"each update goes to {compared.members - 1} others"
    yield "network", f"{link.words} in each direction at every member; {shared}; nine tenths of a link carry updates"
    yield (
        "time",
        "rounds of computing and then exchanging, as the planner has it; with a late update, the longer of the two",
    )
    yield "learning rates", "a line up over a twentieth of the steps, then a cosine down to a tenth"


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def swatch(name: str) -> Markup:
    """Draw a contestant's mark, for the table."""
    return tag("svg", mark(name, (8, 8)), viewBox="0 0 16 16", class_="swatch", aria_hidden="true")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: plain(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        loss=_written_loss, size=size, duration=duration, number=number, swatch=swatch, times=_times
    )
    return environment


def _written_loss(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "\u2013"


def _times(value: float) -> str:
    return f"{value:,.0f}\u00d7" if value >= 9.95 else f"{value:.1f}\u00d7"
