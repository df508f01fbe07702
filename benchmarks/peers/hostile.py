"""Part (c): hostile programs among honest ones, one run per case and system."""

from __future__ import annotations

import math
import re
import tempfile
from pathlib import Path

import task
from records import Results, Row
from speed import Done, run
from systems import System

REPLIES = 16
HOSTILE_AT = (2, 4, 6, 8)
"""Four of the replies are hostile: as many as saturate two workers of OpenEvolve with two threads each."""

LIMIT_S = {"quiltwork": 5, "openevolve": 5, "shinka": 30}
"""For one program. ShinkaEvolve counts the start of its process, and its own waiting, as the program's time."""

RUN_LIMIT_S = 300.0
MEMORY_MB = 1_500.0
"""More than this at once is no containment of a program that takes three GiB."""

OUTPUT_MB = 20.0
PROCESSES = 60
HONEST = re.compile(r"# honest (\d+)")


def hostile(systems: list[System], results: Results) -> None:
    """All cases, the systems side by side."""
    for case in task.ATTACKS:
        for system in systems:

            def measure(case: str = case, system: System = system) -> Row:
                return _measure(case, system, results)

            results.measure(f"hostile/{system.name}/{case}", measure)


def _measure(case: str, system: System, results: Results) -> Row:
    script = ["honest"] * REPLIES
    for index in HOSTILE_AT:
        script[index] = case
    with tempfile.TemporaryDirectory(prefix="quiltwork-victims-", ignore_cleanup_errors=True) as name:
        mark = Path(name)  # a folder of the user's, outside the run's own
        (mark / "victim").write_text("untouched")
        options = {"replies": script, "mark": name}
        with run(system, results, options, wall_s=RUN_LIMIT_S, replies=REPLIES, limit_s=LIMIT_S[system.name]) as done:
            written = sum(path.stat().st_size for path in done.folder.rglob("*") if path.is_file()) / 2**20
            return _judge(case, done, written, mark)


def _judge(case: str, done: Done, written_mb: float, mark: Path) -> Row:
    outcome, tried = done.outcome, done.tried
    honest = {int(m[1]): t.score for t in tried if (m := HONEST.search(t.code)) and int(m[1]) < REPLIES}
    wrong = sum(score is None or abs(score - task.knob_of(number)) > 1e-9 for number, score in honest.items())
    wanted = REPLIES - len(HOSTILE_AT)
    scores = [t.score for t in tried if t.score is not None]
    remarks = {
        "memory": f"{outcome.peak_all_mb:.0f} MB at once" if outcome.peak_all_mb > MEMORY_MB else "",
        "inf": "an infinite score is kept" if any(math.isinf(score) for score in scores) else "",
        "nan": "nan is kept as a score" if any(math.isnan(score) for score in scores) else "",
        "orphan": f"{len(outcome.left)} processes outlive the run" if outcome.left else "",
        "key": "the key was taken" if (mark / "stolen").exists() and task.KEY in (mark / "stolen").read_text() else "",
        "evaluator": f"{sum(s == task.FORGED for s in scores)} forged scores" if task.FORGED in scores else "",
        "fork bomb": f"{outcome.peak_processes} processes at once" if outcome.peak_processes > PROCESSES else "",
        "output flood": f"{written_mb:.0f} MB written" if written_mb > OUTPUT_MB else "",
        "file for the next": "the next one reads it" if (mark / "note").exists() else "",
        "symlink": "a file of the user's was overwritten" if (mark / "victim").read_text() != "untouched" else "",
    }
    # OpenEvolve forgets programs that better ones displace, so not all honest ones need be there
    goes_on = outcome.code == 0 and done.stats["answered"] >= REPLIES and len(honest) >= wanted // 2
    remark = remarks.get(case, "")
    if outcome.left and not remark:
        remark = f"{len(outcome.left)} processes outlive the run"
    if not goes_on:
        how = "it hung" if outcome.timed_out else f"exit status {outcome.code}"
        remark = "; ".join(filter(None, [remark, f"{done.stats['answered']} of {REPLIES} replies used, {how}"]))
    contained = not remarks.get(case) and (case not in ("orphan", "fork bomb") or not outcome.left)
    return {
        "contained": contained,
        "goes_on": goes_on,
        "unharmed": goes_on and wrong == 0,
        "remark": "; ".join(filter(None, [remark, f"{wrong} honest scores wrong" if wrong else ""])),
    }
