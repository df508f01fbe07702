from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.evolve.certify import from_json, ratio, ratios, to_json, write_certificate
from quiltwork.evolve.score import Certificate


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_is_written_exactly(value: float) -> None:
    assert Fraction(ratio(value)) == Fraction(value)


@given(st.fractions(), st.text(max_size=20), st.lists(st.lists(st.fractions(), max_size=3), max_size=3))
def test_a_certificate_survives_the_way_through_a_file(
    value: Fraction, claim: str, table: list[list[Fraction]]
) -> None:
    certificate = Certificate(value, claim, {"rows": ratios(table), "n": len(table)})
    assert from_json(to_json(certificate)) == certificate


def test_the_file_says_its_format_and_is_text_that_people_can_read(tmp_path: Path) -> None:
    path = tmp_path / "certificate.json"
    write_certificate(Certificate(Fraction(1, 3), "a third", {"points": [["1/2"]]}), path)
    document = json.loads(path.read_text("utf-8"))
    assert document["format"] == "quiltwork-certificate/1"
    assert (document["value"], document["claim"]) == ("1/3", "a third")


def test_a_float_is_no_part_of_a_certificate() -> None:
    with pytest.raises(TypeError, match=r"data\['points'\]\[1\] holds 0.5"):
        to_json(Certificate(Fraction(1), "", {"points": ["1/2", 0.5]}))


@pytest.mark.parametrize("text", ["[]", "{}", '{"format": "quiltwork-certificate/1", "value": "1/0"}', "nonsense"])
def test_what_is_no_certificate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"certificate|Expecting"):
        from_json(text)
