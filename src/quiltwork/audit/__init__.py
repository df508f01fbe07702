"""Which contributions from strangers are checked again, by whom, and what a lie costs.

A room where strangers contribute draws, when a round is closed, which contributions are computed again (`draw`), from a seed
that nobody knew when they were committed. Each is a `Case`: the author discloses what it computed from, two verifiers compute
it again, a third if they differ. Results are like enough or not by a threshold that was measured (`threshold`). What comes of a
case is written into the `Standing` of everybody involved, which says how often the member is audited from then on, whether it
may verify, and when it is ejected. `detection` says what all this is worth: exact probabilities, for the cheat and for the
innocent.

All of it is pure: frozen values and functions from one to the next, which the fold of a room calls for its own entries. Honest
machines crash, so silence never ejects anybody; honest machines differ in the last bit, so one failed audit does not either.
"""

from quiltwork.audit.case import Case, Outcome, Verdict, advance, answer, excuse, judge, open_case
from quiltwork.audit.config import AuditConfig
from quiltwork.audit.draw import draw_panel, is_drawn
from quiltwork.audit.standing import (
    Sanction,
    Standing,
    audit_rate,
    contributed,
    eligible,
    sanction,
    settle,
    was_audited,
)
from quiltwork.audit.threshold import Kind, Thresholds

__all__ = [
    "AuditConfig",
    "Case",
    "Kind",
    "Outcome",
    "Sanction",
    "Standing",
    "Thresholds",
    "Verdict",
    "advance",
    "answer",
    "audit_rate",
    "contributed",
    "draw_panel",
    "eligible",
    "excuse",
    "is_drawn",
    "judge",
    "open_case",
    "sanction",
    "settle",
    "was_audited",
]
