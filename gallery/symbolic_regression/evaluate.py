"""How well a formula meets the measured saturation pressure of water, on rows that it was fitted to and on others."""

from __future__ import annotations

import math

from quiltwork.evolve import InvalidScore, Score

# Degrees Celsius and kilopascals: the standard steam table (IAPWS), 0 to 100 degrees in steps of five.
TABLE = (
    (0, 0.6113), (5, 0.8726), (10, 1.2281), (15, 1.7056), (20, 2.3388), (25, 3.1690), (30, 4.2455), (35, 5.6267),
    (40, 7.3814), (45, 9.5898), (50, 12.3440), (55, 15.7520), (60, 19.9320), (65, 25.0220), (70, 31.1760), (75, 38.5630),
    (80, 47.3730), (85, 57.8150), (90, 70.1170), (95, 84.5290), (100, 101.3200),
)  # fmt: skip
TRAINING = TABLE[::2]
HELD_OUT = TABLE[1::2]


def evaluate(candidate):
    """Score a formula on the rows 0, 10, ..., 100; it never sees a pressure, so it cannot look one up."""
    found = pressures(candidate, TRAINING)
    errors = [(p - truth) / truth for p, (_, truth) in zip(found, TRAINING, strict=True)]
    worst = max(range(len(errors)), key=lambda i: abs(errors[i]))
    return Score(
        metrics={"error_percent": rms_percent(errors)},
        descriptors={"steepness": math.log(max(found[-1], 1e-3) / max(found[0], 1e-3))},
        artifacts={
            "feedback.txt": "".join(
                f"{t:4d} C: {100 * e:+9.3f} %\n" for (t, _), e in zip(TRAINING, errors, strict=True)
            )
            + f"worst at {TRAINING[worst][0]} C\n"
        },
    )


def held_out(candidate):
    """Score the best formula on the rows between: 5, 15, ..., 95."""
    found = pressures(candidate, HELD_OUT)
    return Score(
        metrics={
            "error_percent": rms_percent([(p - truth) / truth for p, (_, truth) in zip(found, HELD_OUT, strict=True)])
        }
    )


def pressures(candidate, rows):
    """The formula's values as finite floats; raises InvalidScore for anything else."""
    found = candidate.call("table", [float(t) for t, _ in rows])
    if not isinstance(found, list) or len(found) != len(rows):
        raise InvalidScore(f"table() must return {len(rows)} numbers")
    for (t, _), p in zip(rows, found, strict=True):
        if isinstance(p, bool) or not isinstance(p, int | float) or not abs(p) <= 1e6:
            raise InvalidScore(f"pressure({t}) is {str(p)[:40]}, not a number of kilopascals")
    return [float(p) for p in found]


def rms_percent(errors):
    """Root mean square, in percent."""
    return 100.0 * math.sqrt(math.fsum(e * e for e in errors) / len(errors))
