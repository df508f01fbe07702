"""What a list of runs says of a run, and what its page learns while it goes on."""

from __future__ import annotations

from typing import Any

import msgspec

from quiltwork.evolve.display.gap import GapScale
from quiltwork.evolve.display.snapshot import Snapshot
from quiltwork.evolve.display.wording import reason, say_standing, standing
from quiltwork.evolve.state import State
from quiltwork.evolve.views.steps import PAGE, row
from quiltwork.evolve.views.watch import Watch
from quiltwork.keys import short
from quiltwork.text.strangers import plain

SPARKS = 48
"""Points of the small curve in a list."""

MOST_POINTS = 1_000
"""Points of the large curve: more than a screen has pixels to tell them apart."""

DOTS = 400
"""Programs drawn behind the curve when a page opens."""

MOST_ROWS_OF_A_KIND = 40
"""Arms, instructions and reasons shown."""

INSTRUCTION_LETTERS = 600


def card(watch: Watch) -> dict[str, Any]:
    """The run in a line. `sparks` are heights from 0 to 1, evenly over what was evaluated."""
    if watch.state.started is None:
        return {"standing": watch.standing}
    view = watch.snapshot()
    record = view.known[-1] if view.known else None
    return {
        "standing": watch.standing,
        "problem": plain(view.problem),
        "summary": plain(watch.problem.config.summary, 300),
        "metric": plain(view.metric),
        "maximize": view.maximize,
        "seed": view.seed,
        "steps": view.steps,
        "evaluations": view.evaluations,
        "best": view.best.value if view.best is not None else None,
        "known": None if record is None else _known(view)[-1],
        "budgets": budgets(watch.state),
        "sparks": sparks(view),
        "updated": watch.state.last_time / 1e9,
    }


def sparks(view: Snapshot) -> list[float]:
    """The curve as few heights. The scale shows the last digits, as in the large one."""
    scale = GapScale.over([point.value for point in view.curve] + [k.value for k in view.known], maximize=view.maximize)
    heights: list[float] = []
    place = 0
    for index in range(SPARKS if view.curve else 0):
        at = view.curve[0].evaluations + (view.evaluations - view.curve[0].evaluations) * index / (SPARKS - 1)
        while place + 1 < len(view.curve) and view.curve[place + 1].evaluations <= at:
            place += 1
        heights.append(round(scale(view.curve[place].value), 4))
    return heights


def budgets(state: State) -> list[dict[str, Any]]:
    """Every limit of the run with what is spent of it, the currency's first."""
    return [
        {"unit": limit.unit, "total": limit.amount, "spent": state.spent_in(limit.unit)}
        for limit in state.budget.limits
    ]


def delta(watch: Watch, entries: int) -> dict[str, Any]:
    """What is new since the log had so many entries: the small parts whole, curve, dots and rows as far as they are new."""
    state = watch.state
    if state.started is None:
        return {"entries": watch.entries, "from": 0, "standing": watch.standing}
    if entries > watch.entries:
        entries = 0  # the reader knew another log
    first = watch.committed_since(entries) if entries else 0
    bests = {improvement.step for improvement in state.improvements}
    newest = range(max(first, state.committed - PAGE), state.committed)
    return {
        "from": entries,
        "entries": watch.entries,
        "standing": watch.standing,
        "summary": _summary(watch),
        "curve": [
            [i.evaluations, i.cpu_s, i.value, i.step] for i in _thin([i for i in state.improvements if i.step >= first])
        ],
        "dots": _dots(watch, first),
        "rows": [row(watch, state.members[step], bests) for step in reversed(newest)],
        "new_steps": state.committed - first,
    }


def _thin(found: list[Any], most: int = MOST_POINTS) -> list[Any]:
    if len(found) <= most:
        return found
    return [found[round(i * (len(found) - 1) / (most - 1))] for i in range(most)]


def _dots(watch: Watch, first: int) -> list[list[Any]]:
    """Programs behind the curve: (evaluations by then, value, step, arm); an even part of them where there are many."""
    assert watch.state.config is not None
    metric = watch.state.config.metrics[0].name
    steps = _thin(list(range(first, watch.state.committed)), DOTS)
    scored = [watch.state.members[step] for step in steps]
    return [
        [watch.evaluated_by[member.step], member.metrics[metric], member.step, plain(member.arm)]
        for member in scored
        if member.fitness is not None and metric in member.metrics
    ]


def _summary(watch: Watch) -> dict[str, Any]:
    state, view = watch.state, watch.snapshot()
    started = state.started
    assert started is not None
    return {
        "problem": plain(view.problem),
        "about": plain(watch.problem.config.summary, 600),
        "metric": plain(view.metric),
        "maximize": view.maximize,
        "seed": view.seed,
        "steps": view.steps,
        "evaluations": view.evaluations,
        "valid": view.valid,
        "duplicates": view.duplicates,
        "cpu_s": view.cpu_s,
        "wall_s": view.wall_s,
        "tokens": state.tokens,
        "usd": state.usd,
        "budgets": budgets(state),
        "budget": str(state.budget),
        "known": _known(view),
        "best": _best(view),
        "arms": _arms(view, state),
        "asked": _asked(state),
        "instructions": _instructions(state),
        "islands": [msgspec.to_builtins(island) for island in view.islands],
        "refusals": [
            [plain(verdict), plain(reason(verdict)), count]
            for verdict, count in sorted(view.refusals.items(), key=lambda item: (-item[1], item[0]))
        ][:MOST_ROWS_OF_A_KIND],
        "updated": state.last_time / 1e9,
        "passport": [
            ["run", watch.run.name],
            ["version", started.version],
            ["began", watch.began / 1e9],
            ["history digest", state.digest.hex()],
            ["log", f"{watch.entries:,} entries"],
            ["problem", short(bytes.fromhex(started.problem))],
        ],
        "issues": state.issue_count,
    }


def _best(view: Snapshot) -> dict[str, Any] | None:
    if view.best is None:
        return None
    best = msgspec.to_builtins(view.best)
    return {**best, "note": plain(view.best.note, 600), "arm": plain(view.best.arm)}


def _known(view: Snapshot) -> list[dict[str, Any]]:
    found = []
    for known in view.known:
        words = {"word": "none", "words": "no value yet"}
        if view.best is not None:
            stands = standing(view.best.value, known.value, maximize=view.maximize)
            words = {"word": stands.word, "words": say_standing(stands)}
        found.append({"who": plain(known.who, 300), "value": known.value, "source": plain(known.source, 300), **words})
    return found


def _arms(view: Snapshot, state: State) -> list[dict[str, Any]]:
    """Who proposed: the bandit's arms, and those that it does not choose but that asked models for something."""
    rows = [{**msgspec.to_builtins(arm), **_spend(state, arm.name)} for arm in view.arms]
    return [{**arm, "name": plain(arm["name"])} for arm in rows][:MOST_ROWS_OF_A_KIND]


def _spend(state: State, name: str) -> dict[str, Any]:
    asked = state.asked.get(name)
    if asked is None:
        return {"usd": 0.0, "tokens": 0}
    return {"usd": asked.usd, "tokens": asked.prompt_tokens + asked.completion_tokens}


def _asked(state: State) -> list[dict[str, Any]]:
    """What models were asked, by arm: how many answers made a program, and what they used."""
    rows = [{"name": plain(name), **msgspec.to_builtins(asked)} for name, asked in state.asked.items()]
    return rows[:MOST_ROWS_OF_A_KIND]


def _instructions(state: State) -> list[dict[str, Any]]:
    """What models are told to do, the best first, with each one's part of the expected gain."""
    numbers = state.ranked_instructions()
    rates = [state.credit.rate(str(number)) for number in numbers]
    total = sum(rates) or 1.0
    return [
        {
            "number": number,
            "text": plain(state.instructions[number].text, INSTRUCTION_LETTERS),
            "parent": state.instructions[number].parent,
            "step": state.instructions[number].step,
            "credit": rate / total,
            "steps": state.credit.arms[str(number)].steps if str(number) in state.credit.arms else 0,
        }
        for number, rate in zip(numbers, rates, strict=True)
    ]
