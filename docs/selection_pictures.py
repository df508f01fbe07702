"""The pictures of docs/selection.md, drawn from docs/images/selection.json and from the code itself.

Each is an SVG that stands on its own, loads nothing, and is light or dark as the page that shows it. Equal facts give
equal bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

WIDTH = 720
STYLE = """
svg{--ground:#fbfbfa;--ink:#23262b;--soft:#62676f;--rule:#d9dbdf;--a:#2f6db3;--b:#b8632a;--c:#3c8a55;--d:#8a5aa8;--e:#8b8f98}
@media (prefers-color-scheme:dark){svg{--ground:#16191e;--ink:#e6e8eb;--soft:#a2a8b1;--rule:#363b44;
--a:#6ea8e8;--b:#e39a5f;--c:#74c08d;--d:#c197de;--e:#7d838d}}
.ground{fill:var(--ground)}text{fill:var(--ink);font:13px system-ui,sans-serif}.soft{fill:var(--soft)}.right{text-anchor:end}
.middle{text-anchor:middle}.rule{stroke:var(--rule);fill:none}.floor{fill:var(--rule);opacity:.45}
.a{fill:var(--a)}.b{fill:var(--b)}.c{fill:var(--c)}.d{fill:var(--d)}.e{fill:var(--e)}
.line{fill:none;stroke-width:2;stroke-linejoin:round}.line.a{stroke:var(--a)}.line.b{stroke:var(--b)}.line.c{stroke:var(--c)}
polyline{fill:none!important}
.crown{fill:none;stroke:var(--ink);stroke-width:2}
"""
COLOURS = "abcde"
GREEDS = (0.0, 1.0, 2.0, 4.0)


def draw_all(facts: Mapping[str, Any]) -> dict[str, str]:
    """Every picture by its file's name."""
    return {
        "parents.svg": parents(),
        "shares.svg": shares(facts),
        "archive.svg": archive(facts),
        "islands.svg": islands(facts),
        "pipeline.svg": pipeline(facts),
        "campaign.svg": campaign(facts),
    }


def share_of_tenth(tenth: int, greed: float) -> float:
    """The chance that a parent comes from the best tenth of an archive (0), the next one (1), ... of rank n u^(1 + greed)."""
    upper, lower = (((tenth + side) / 10) ** (1 / (1 + greed)) for side in (1, 0))
    return upper - lower


def parents() -> str:
    """How often a parent comes from each tenth of the ranking, for several greeds."""
    across, floor, height = 160, 158, 110
    parts = []
    for place, greed in enumerate(GREEDS):
        left = 20 + place * (across + 12)
        default = ", the default" if greed == 2.0 else ""
        parts.append(_text(left, 24, f"greed {greed:g}{default}"))
        for tenth in range(10):
            share = share_of_tenth(tenth, greed)
            tall = share / share_of_tenth(0, GREEDS[-1]) * height
            parts.append(_box(left + tenth * 15, floor - tall, 13, tall, "a", f"{share:.1%}"))
        best = share_of_tenth(0, greed)
        parts.append(_text(left, floor - best / share_of_tenth(0, GREEDS[-1]) * height - 5, f"{best:.0%}"))
        parts.append(_line([(left, floor), (left + 150, floor)], "rule"))
        parts.append(_text(left, floor + 17, "best tenth", "soft"))
        parts.append(_text(left + 150, floor + 17, "worst", "soft right"))
    return _svg(188, "Shares of parents from each tenth of the ranking, for greed 0, 1, 2 and 4", parts)


def shares(facts: Mapping[str, Any]) -> str:
    """Which part of the steps each proposer had."""
    windows: Sequence[Mapping[str, int]] = facts["shares"]
    arms = sorted({arm for window in windows for arm in window})
    left, right, top, floor = 44, 600, 16, 216
    wide = (right - left) / len(windows)
    parts = []
    for place, window in enumerate(windows):
        total, below = sum(window.values()), float(floor)
        for arm, colour in zip(arms, COLOURS, strict=False):
            tall = window.get(arm, 0) / total * (floor - top)
            below -= tall
            said = f"steps {place * facts['window']} to {(place + 1) * facts['window'] - 1}: {arm} {window.get(arm, 0)}"
            parts.append(_box(left + place * wide, below, wide - 1.5, tall, colour, said))
    height = float(floor)
    for arm, colour in zip(arms, COLOURS, strict=False):
        tall = windows[-1].get(arm, 0) / sum(windows[-1].values()) * (floor - top)
        height -= tall
        parts.append(_text(right + 22, height + tall / 2 + 4, arm))
        parts.append(_box(right + 6, height + tall / 2 - 5, 10, 10, colour))
    parts += [_text(left - 6, top + 10, "all", "soft right"), _text(left - 6, floor, "0", "soft right")]
    parts += [
        _text(left, floor + 18, "step 0", "soft"),
        _text(right, floor + 18, f"step {facts['steps']:,}", "soft right"),
    ]
    return _svg(244, "Shares of the proposers over a run", parts)


def archive(facts: Mapping[str, Any]) -> str:
    """What each island keeps, at several moments: one square per cell, fuller for a better rank."""
    across, up = facts["axes"]
    cell, gap, left, top = 17, 46, 118, 40
    parts = []
    everything = [value for moment in facts["maps"] for island in moment["islands"] for _, value in island]
    ranked = sorted(set(everything))
    for row, moment in enumerate(facts["maps"]):
        y = top + row * (up["bins"] * cell + 34)
        parts.append(_text(left - 14, y + 16, f"after {moment['steps']:,}", "right"))
        parts.append(_text(left - 14, y + 33, "steps", "right"))
        best = min(value for island in moment["islands"] for _, value in island)
        for column, island in enumerate(moment["islands"]):
            x = left + column * (across["bins"] * cell + gap)
            if not row:
                parts.append(_text(x, 24, f"island {column + 1}"))
            parts.append(_box(x, y, across["bins"] * cell, up["bins"] * cell, "floor"))
            for number, value in island:
                first, second = divmod(number, up["bins"])
                strength = 1.0 - 0.85 * ranked.index(value) / max(1, len(ranked) - 1)
                place = (x + first * cell + 1, y + (up["bins"] - 1 - second) * cell + 1)
                parts.append(_box(*place, cell - 2, cell - 2, "a", f"{facts['metric']} {value:.6g}", opacity=strength))
                if value == best:
                    parts.append(_box(*place, cell - 2, cell - 2, "crown"))
            parts.append(_text(x, y + up["bins"] * cell + 15, f"{across['name']} →", "soft"))
            side = x + across["bins"] * cell + 15
            parts.append(_text(side, y + up["bins"] * cell, f"{up['name']} →", "soft", turned=True))
    height = top + len(facts["maps"]) * (up["bins"] * cell + 34)
    return _svg(height, "The archives of three islands at three moments", parts)


def islands(facts: Mapping[str, Any]) -> str:
    """Each island's best over the run, with the migrations."""
    left, right, top, floor = 64, 640, 18, 236
    curves = facts["islands"]
    steps = facts["steps"]
    lowest = min(value for curve in curves for _, value in curve)
    highest = max(value for curve in curves for when, value in curve if when > 60)

    def place(when: float, value: float) -> tuple[float, float]:
        high = min(1.0, (value - lowest) / (highest - lowest))
        return left + when / steps * (right - left), floor - high * (floor - top)

    parts = []
    for when in range(facts["migrate_every"], steps, facts["migrate_every"]):
        x = left + when / steps * (right - left)
        parts.append(_line([(x, top), (x, floor)], "rule"))
    for number, (curve, colour) in enumerate(zip(curves, COLOURS, strict=False)):
        corners: list[tuple[float, float]] = []
        for when, value in curve:
            if corners:
                corners.append((place(when, 0)[0], corners[-1][1]))
            corners.append(place(when, value))
        corners.append((float(right), corners[-1][1]))
        apart = [(x, y + (number - 1) * 2.5) for x, y in corners]  # equal bests stay visible side by side
        parts.append(_line(apart, f"line {colour}"))
        parts.append(_box(right + 8, top + number * 20, 10, 10, colour))
        parts.append(_text(right + 23, top + 10 + number * 20, f"island {number + 1}"))
    parts.append(_text(left - 6, top + 10, f"{highest:.2f}", "soft right"))
    parts.append(_text(left - 6, floor, f"{lowest:.2f}", "soft right"))
    parts += [_text(left, floor + 22, "step 0", "soft"), _text(right, floor + 22, f"step {steps:,}", "soft right")]
    said = f"{facts['metric']}, fewer is better; a rule every {facts['migrate_every']} steps: migration"
    parts.append(_text((left + right) / 2, floor + 22, said, "soft middle"))
    return _svg(268, "The best of each island over a run", parts)


def pipeline(facts: Mapping[str, Any]) -> str:
    """The way of some steps from plan to history, along the entries of the log."""
    rows = facts["pipeline"]
    first, last = rows[0]["planned"], max(row["committed"] for row in rows)
    left, right, top, tall = 74, 690, 44, 15

    def x(entry: int) -> float:
        return left + (entry - first) / (last - first) * (right - left)

    parts = [_box(left, 12, 26, 8, "e"), _text(left + 32, 20, "being worked on")]
    parts += [_box(left + 150, 12, 26, 8, "b"), _text(left + 182, 20, "has its verdict, waits for its turn")]
    parts += [_line([(left + 420, 9), (left + 420, 23)], "line c"), _text(left + 428, 20, "becomes history")]
    for place, row in enumerate(rows):
        y = top + place * tall
        parts.append(_text(left - 8, y + 10, f"step {row['step']}", "soft right"))
        parts.append(_box(x(row["planned"]), y + 2, x(row["answered"]) - x(row["planned"]), 8, "e"))
        parts.append(_box(x(row["answered"]), y + 2, x(row["committed"]) - x(row["answered"]), 8, "b"))
        parts.append(_line([(x(row["committed"]), y - 1), (x(row["committed"]), y + 13)], "line c"))
    floor = top + len(rows) * tall
    parts.append(_text(left, floor + 16, f"entry {first} of the log", "soft"))
    parts.append(_text(right, floor + 16, f"entry {last}", "soft right"))
    return _svg(floor + 26, "Steps planned ahead, answered in any order, committed in their own order", parts)


def campaign(facts: Mapping[str, Any]) -> str:
    """The turns of one tuning campaign, and the best so far."""
    told = facts["campaign"]
    turns: Sequence[float | None] = told["turns"]
    passed = sorted(turn for turn in turns if turn is not None)
    left, right, top, floor = 64, 690, 18, 206
    lowest, highest = passed[0], passed[int(0.97 * (len(passed) - 1))]

    def place(turn: int, value: float) -> tuple[float, float]:
        high = min(1.0, (value - lowest) / (highest - lowest))
        return left + (turn + 0.5) / len(turns) * (right - left), floor - high * (floor - top)

    parts = []
    for turn in range(0, len(turns), told["generation"]):
        x = left + turn / len(turns) * (right - left)
        parts.append(_line([(x, top - 6), (x, floor + 4)], "rule"))
    best: list[tuple[float, float]] = []
    for turn, value in enumerate(turns):
        if value is None:
            continue
        x, y = place(turn, value)
        parts.append(f'<circle cx="{_n(x)}" cy="{_n(y)}" r="2.6" class="e"/>')
        if not best or y > best[-1][1]:
            best += [*([(x, best[-1][1])] if best else []), (x, y)]
    parts.append(_line([*best, (float(right), best[-1][1])], "line a"))
    parts.append(_text(left - 6, top + 8, f"{highest:.1f}", "soft right"))
    parts.append(_text(left - 6, floor + 4, f"{lowest:.1f}", "soft right"))
    parts += [_text(left, floor + 22, "turn 1", "soft"), _text(right, floor + 22, f"turn {len(turns)}", "soft right")]
    said = f"{facts['metric']} of each turn, and the best so far; a rule every {told['generation']} turns: a generation"
    parts.append(_text((left + right) / 2, floor + 22, said, "soft middle"))
    return _svg(238, "One tuning campaign, turn by turn", parts)


def _svg(height: float, label: str, parts: Iterable[str]) -> str:
    ground = f'<rect width="{WIDTH}" height="{_n(height)}" rx="6" class="ground"/>'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {_n(height)}" role="img" aria-label="{escape(label)}">'
    return "\n".join([head, f"<style>{STYLE}</style>", ground, *parts, "</svg>\n"])


def _text(x: float, y: float, text: str, kind: str = "", *, turned: bool = False) -> str:
    turn = f' transform="rotate(-90 {_n(x)} {_n(y)})"' if turned else ""
    return f'<text x="{_n(x)}" y="{_n(y)}" class="{kind}"{turn}>{escape(text)}</text>'


def _box(x: float, y: float, wide: float, tall: float, kind: str, said: str = "", *, opacity: float = 1.0) -> str:
    faint = f' opacity="{opacity:.2f}"' if opacity < 1.0 else ""
    title = f"<title>{escape(said)}</title>" if said else ""
    return f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(wide)}" height="{_n(tall)}" class="{kind}"{faint}>{title}</rect>'


def _line(points: Iterable[tuple[float, float]], kind: str) -> str:
    return f'<polyline points="{" ".join(f"{_n(x)},{_n(y)}" for x, y in points)}" class="{kind}"/>'


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
