"""Certificates: a claim about a construction in exact arithmetic, as a JSON file that a stranger checks without this library.

The ladder: a search works in floats, an evaluator repairs what rounding broke until the construction is valid as it stands,
in exact arithmetic, and a certificate writes that construction down as rationals together with the value that follows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from quiltwork.evolve.score import Certificate, Data

FORMAT = "quiltwork-certificate/1"


def ratio(value: float | Fraction) -> str:
    """A float or a rational, exactly, as "p/q"."""
    exact = Fraction(value)
    return f"{exact.numerator}/{exact.denominator}"


def ratios(table: Sequence[Sequence[float | Fraction]]) -> list[list[str]]:
    """A table of numbers, exactly, as "p/q"."""
    return [[ratio(value) for value in row] for row in table]


def to_json(certificate: Certificate) -> str:
    """The certificate's text: the same for the same certificate. Raises `TypeError` for a float, which is never exact."""
    _refuse_floats(certificate.data, "data")
    document = {
        "format": FORMAT,
        "claim": certificate.claim,
        "value": ratio(certificate.value),
        "data": certificate.data,
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def from_json(text: str) -> Certificate:
    """Read what `to_json` wrote; raises `ValueError` for anything else."""
    document = json.loads(text)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError(f"not a certificate of format {FORMAT}")
    try:
        return Certificate(Fraction(document["value"]), document["claim"], document["data"])
    except (KeyError, ZeroDivisionError, TypeError) as error:
        raise ValueError(f"a certificate needs value, claim and data: {error!r}") from error


def write_certificate(certificate: Certificate, path: Path) -> None:
    """Write the certificate to a file."""
    path.write_text(to_json(certificate), "utf-8")


def _refuse_floats(data: Data, where: str) -> None:
    items: Any = ()
    if isinstance(data, Mapping):
        items = data.items()
    elif isinstance(data, list | tuple):
        items = enumerate(data)
    elif not isinstance(data, str | int | None):
        raise TypeError(f'{where} holds {data!r}: a certificate holds text and integers, and rationals as "p/q"')
    for key, value in items:
        _refuse_floats(value, f"{where}[{key!r}]")
