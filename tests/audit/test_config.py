from __future__ import annotations

import pytest
from pydantic import ValidationError

from quiltwork.audit import AuditConfig


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"suspect_quorum": 1}, "less than quorum"),
        ({"case_rounds": 5}, "at least"),
        ({"rate": 1.5}, "rate"),
        ({"proven_factor": 0.0}, "proven_factor"),  # the long-proven are audited, too
        ({"watched_rate": 0.0}, "watched_rate"),
        ({"audit_percent": 3}, "audit_percent"),
    ],
)
def test_rules_that_cannot_work_are_refused_with_the_reason(fields: dict[str, float], word: str) -> None:
    with pytest.raises(ValidationError, match=word):
        AuditConfig.model_validate(fields)


def test_every_rule_says_why_it_is_what_it_is() -> None:
    assert all(field.description for field in AuditConfig.model_fields.values())
