"""The results as tables in Markdown, with ratios; where we lose, they say so."""

from __future__ import annotations

import statistics
from pathlib import Path

import task
from crash import RUNS
from records import Row, machine
from speed import PRELOADS

BEGIN, END = "<!-- peers -->", "<!-- /peers -->"
NAMES = ("quiltwork", "openevolve", "shinka")
TITLES = ("Quiltwork", "OpenEvolve 0.4.0", "ShinkaEvolve 0.0.7")
Rows = dict[str, Row]


def write(path: Path, text: str) -> bool:
    """Put the tables between the markers of a document; whether it has them."""
    document = path.read_text() if path.exists() else ""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        return False
    path.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}")
    return True


def markdown(rows: Rows, source: Path) -> str:
    """All tables."""
    if not rows:
        return "Nothing has been measured yet.\n"
    days = sorted(row["measured"] for row in rows.values())
    loads = sorted(row["load"] for row in rows.values())
    head = (
        f"Measured {days[0]} to {days[-1]} UTC on {machine()}; load before each measurement {loads[0]:g} to {loads[-1]:g}, "
        f"median {statistics.median(loads):g}. Source: `benchmarks/results/{source.name}`.\n"
    )
    parts = [_numbers(rows), _hostile(rows), _quality(rows), _missing(rows)]
    return "\n".join([head, *filter(None, parts)])


def _numbers(rows: Rows) -> str:
    lines = [f"| what | {' | '.join(TITLES)} | Quiltwork is |", "|---|---|---|---|---|"]
    for count in PRELOADS:
        at = f"{count:,} programs at start" if count else "an empty start"
        lines.append(_line(rows, f"iterations/s, instant model, {at}", f"overhead/{{}}/{count}", "per_s", more=True))
        lines.append(_line(rows, f"CPU ms per iteration, {at}", f"overhead/{{}}/{count}", "cpu_ms"))
        lines.append(_line(rows, f"peak PSS of all processes, MB, {at}", f"overhead/{{}}/{count}", "all_mb"))
        lines.append(_line(rows, f"peak PSS of the first process, MB, {at}", f"overhead/{{}}/{count}", "main_mb"))
    lines.append(_line(rows, "iterations/s, a model that takes 2 s", "latency/{}", "per_s", more=True))
    lines.append(_line(rows, "peak PSS of all processes there, MB", "latency/{}", "all_mb"))
    lines.append(_line(rows, "peak PSS of the first process there, MB", "latency/{}", "main_mb"))
    if "per_s" in (sixteen := rows.get("latency/openevolve, 16 processes", {})):
        ours = rows.get("latency/quiltwork", {})
        more = _ratio(ours.get("per_s"), sixteen["per_s"], more=True)
        lines.append(
            f"| the same, OpenEvolve with 16 processes | {_number(ours.get('per_s'))} | {_number(sixteen['per_s'])}, "
            f"{sixteen['all_mb']:.0f} MB | | {more} |"
        )
    lines.append(_line(rows, "`kill -9`: replies paid for and lost", "crash/{}", "lost"))
    lines.append(_line(rows, "… replies asked for again after resuming", "crash/{}", "asked_again"))
    lines.append(_line(rows, "… processes left after 8 s", "crash/{}", "orphans"))
    lines.append(_line(rows, f"histories in {RUNS} runs with one seed (1 is right)", "seed/{}", "histories"))
    lines.append(_line(rows, "import, s", "size/{}", "import_s"))
    lines.append(_line(rows, "import, CPU s", "size/{}", "import_cpu_s"))
    lines.append(_line(rows, "installed, MB", "size/{}", "mb"))
    return "\n".join(line for line in lines if line) + "\n"


def _line(rows: Rows, what: str, key: str, name: str, *, more: bool = False) -> str:
    values = [rows.get(key.format(system), {}).get(name) for system in NAMES]
    if all(value is None for value in values):
        return ""
    ratios = [
        f"{_ratio(values[0], value, more=more)} {title.split()[0]}"
        for value, title in zip(values[1:], TITLES[1:], strict=True)
        if _ratio(values[0], value, more=more)
    ]
    return f"| {what} | {' | '.join(_number(value) for value in values)} | {', '.join(ratios)} |"


def _ratio(ours: float | None, theirs: float | None, *, more: bool) -> str:
    """How much better we are; worse is said in words."""
    if ours is None or theirs is None or not ours or not theirs:
        return ""
    better = ours / theirs if more else theirs / ours
    return f"{better:.3g}x better than" if better >= 1.0 else f"**{1 / better:.3g}x worse than**"


def _number(value: float | None) -> str:
    if value is None:
        return "not measured"
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def _hostile(rows: Rows) -> str:
    cases = [case for case in task.ATTACKS if any(f"hostile/{name}/{case}" in rows for name in NAMES)]
    if not cases:
        return ""
    lines = [f"| hostile program | {' | '.join(TITLES)} |", "|---|---|---|---|"]
    for case in cases:
        lines.append(f"| {case} | {' | '.join(_verdict(rows.get(f'hostile/{name}/{case}')) for name in NAMES)} |")
    sums = []
    for name in NAMES:
        found = [row for case in cases if "contained" in (row := rows.get(f"hostile/{name}/{case}", {}))]
        sums.append(f"{sum(r['contained'] and r['goes_on'] and r['unharmed'] for r in found)} of {len(found)}")
    return "\n".join([*lines, f"| **all well** | {' | '.join(sums)} |"]) + "\n"


def _verdict(row: Row | None) -> str:
    if row is None or "missing" in row:
        return "not measured"
    if row["contained"] and row["goes_on"] and row["unharmed"]:
        return f"well ({row['remark']})" if row["remark"] else "well"
    wrong = [
        "" if row["contained"] else "not contained",
        "" if row["goes_on"] else "the run does not go on",
        "" if row["unharmed"] else "later scores harmed",
    ]
    return f"**{', '.join(filter(None, wrong))}**" + (f": {row['remark']}" if row["remark"] else "")


def _quality(rows: Rows) -> str:
    runs = {key.split("/")[1:3] and tuple(key.split("/")[1:4]): row for key, row in rows.items() if _is_run(key, row)}
    if not runs:
        return ""
    model = next(iter(runs.values()))["model"]
    problems = list(dict.fromkeys(problem for problem, _, _ in runs))
    kinds = list(dict.fromkeys(kind for _, kind, _ in runs))
    lines = [
        f"Best score after the same number of replies of {model}: median of the seeds (best), and how many replies became a "
        "program that could be scored.\n",
        f"| problem | {' | '.join(kinds)} |",
        "|---" * (len(kinds) + 1) + "|",
    ]
    for problem in problems:
        cells = [_cell([row for (p, k, _), row in runs.items() if (p, k) == (problem, kind)]) for kind in kinds]
        sample = next(row for (p, _, _), row in runs.items() if p == problem)
        arrow = "higher" if sample["direction"] == "maximize" else "lower"
        lines.append(
            f"| {problem} ({sample['metric']}, {arrow} is better, from {sample['start']:g}) | {' | '.join(cells)} |"
        )
    return "\n".join(lines) + "\n"


def _is_run(key: str, row: Row) -> bool:
    return key.startswith("quality/") and "best" in row


def _cell(found: list[Row]) -> str:
    if not found:
        return "not measured"
    best = max if found[0]["direction"] == "maximize" else min
    scored, replies = sum(r["scored"] for r in found), sum(r["replies"] for r in found)
    middle = statistics.median(r["best"] for r in found)
    return f"{middle:.6g} ({best(r['best'] for r in found):.6g}); {scored}/{replies}, {len(found)} seeds"


def _missing(rows: Rows) -> str:
    lacking: dict[str, list[str]] = {}
    for key, row in rows.items():
        if "missing" in row:
            lacking.setdefault(row["missing"], []).append(key)
    remarks = [f"- {', '.join(keys)}: not measured, because {reason}" for reason, keys in lacking.items()]
    remarks += [
        f"- {key}: {row['remark']}" for key, row in rows.items() if row.get("remark") and "contained" not in row
    ]
    return "\n".join(remarks) + "\n" if remarks else ""
