"""Where a program comes from: its ancestors as a graph, the line of first parents in full."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from quiltwork.evolve.display.wording import standing
from quiltwork.evolve.member import Member
from quiltwork.evolve.views.steps import first_metric, row
from quiltwork.evolve.views.watch import NotThere, Watch, whole_number
from quiltwork.text.numbers import small

MOST_GENERATIONS = 120
"""Generations of the line that are drawn, the newest and the program that the run began with."""

MOST_NODES = 200
"""Nodes of the graph, with those that gave something to the line beside it."""


def graph(watch: Watch, words: Mapping[str, str]) -> dict[str, Any]:
    """The ancestors of step `step` (none: the best). `nodes` has the line first, newest first; `edges` are [from, to, first].

    `left_out` counts the generations between the last two of the line that are not drawn.
    """
    state = watch.state
    step = whole_number(words, "step", -1 if state.best is None else state.best)
    if step not in state.members:
        raise NotThere(f"{watch.run.name}: there is no step {step} yet whose ancestors could be shown")
    line = list(_line(watch, step))
    left_out = max(0, len(line) - MOST_GENERATIONS)
    if left_out:
        line = [*line[: MOST_GENERATIONS - 1], line[-1]]
    shown = dict.fromkeys(line)
    edges = [[parent, child, True] for child, parent in pairwise(line)]
    for child in line:
        for other in state.members[child].parents[1:]:
            if other in state.members and (other in shown or len(shown) < MOST_NODES):
                shown[other] = None
                edges.append([other, child, False])
    bests = {improvement.step for improvement in state.improvements}
    nodes = [{**row(watch, state.members[each], bests), **_gain(watch, state.members[each])} for each in shown]
    return {"step": step, "nodes": nodes, "edges": edges, "line": line, "left_out": left_out}


def _line(watch: Watch, step: int) -> list[int]:
    """A step, its first parent, and so on; parents are older, so it ends."""
    found = [step]
    while (parents := watch.state.members[found[-1]].parents) and parents[0] in watch.state.members:
        found.append(parents[0])
    return found


def _gain(watch: Watch, member: Member) -> dict[str, Any]:
    """What a member gained over its first parent, in words."""
    parent = watch.state.members.get(member.parents[0]) if member.parents else None
    here = first_metric(watch, member)
    there = first_metric(watch, parent) if parent is not None else None
    if here is None or there is None or here == there:
        return {"gain": "", "gained": False}
    assert watch.state.config is not None
    stands = standing(here, there, maximize=watch.state.config.metrics[0].direction == "maximize")
    sign = "+" if stands.difference > 0 else "\N{MINUS SIGN}"
    return {"gain": f"{sign}{small(abs(stands.difference))}", "gained": stands.difference > 0}
