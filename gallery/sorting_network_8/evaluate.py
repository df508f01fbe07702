"""Sorting networks: by the 0-1 principle, a network sorts everything if it sorts the 256 inputs of zeros and ones."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from quiltwork.evolve import Certificate, InvalidScore, Score

N = 8
LONGEST = 1_000
"""Comparators that are looked at; nothing sensible has as many."""

UNSORTED_COST = 10
"""What an input that stays unsorted costs, in comparators.

Refusing whatever does not sort would leave nothing to climb: almost every change of a good network breaks it for a few
inputs. Since fewer than 19 comparators never sort and fewer than 9 leave many inputs unsorted, 10 for each puts every network
that fails above the cost of the best that sorts: the optimum of this cost is a sorting network.
"""

WIRES = tuple(sum(1 << word for word in range(2**N) if word >> wire & 1) for wire in range(N))
"""Bit w of `WIRES[i]` is what the 0-1 input number w puts on wire i: all inputs pass the network at once."""


def evaluate(candidate):
    """Count the comparators that ever exchange anything, and the inputs that stay unsorted: both exact."""
    pairs = _pairs(candidate.call("comparators"))
    wires, kept, depths = list(WIRES), [], [0] * N
    for i, j in pairs:
        low, high = wires[i], wires[j]
        if low & ~high:  # a comparator that never exchanges is dropped: the network does the same without it
            wires[i], wires[j] = low & high, low | high
            kept.append([i, j])
            depths[i] = depths[j] = 1 + max(depths[i], depths[j])
    wrong = 0
    for upper, lower in pairwise(wires):
        wrong |= upper & ~lower
    unsorted = wrong.bit_count()
    return Score(
        metrics={
            "cost": float(len(kept) + UNSORTED_COST * unsorted),
            "comparators": float(len(kept)),
            "unsorted": float(unsorted),
        },
        descriptors={"comparators": float(len(kept)), "depth": float(max(depths))},
        artifacts={"feedback.txt": _feedback(kept, len(pairs), max(depths), wrong)},
        construction=kept,
    )


def certify(construction) -> Certificate:
    """A network that sorts, as its list of comparators; raises `InvalidScore` for one that does not."""

    class Given:
        def call(self, _function):
            return construction

    score = evaluate(Given())
    if score.metrics["unsorted"]:
        raise InvalidScore(f"the network leaves {score.metrics['unsorted']:.0f} of {2**N} inputs unsorted")
    size = len(score.construction)
    return Certificate(
        value=Fraction(size),
        claim=f"{size} comparators sort every sequence of {N} numbers",
        data={"comparators": score.construction},
    )


def _pairs(reply):
    if not isinstance(reply, list):
        raise InvalidScore("comparators() must return a list of pairs of wires")
    if len(reply) > LONGEST:
        raise InvalidScore(f"{len(reply)} comparators are more than the {LONGEST} that are looked at")
    for pair in reply:
        whole = isinstance(pair, list) and len(pair) == 2 and all(type(wire) is int for wire in pair)
        if not whole or not 0 <= pair[0] < pair[1] < N:
            raise InvalidScore(f"a comparator is a pair [i, j] of wires with 0 <= i < j < {N}, not {str(pair)[:60]}")
    return reply


def _feedback(kept, drawn, depth, wrong):
    lines = [f"{len(kept)} of {drawn} comparators ever exchange anything; depth {depth}"]
    unsorted = [word for word in range(2**N) if wrong >> word & 1]
    lines += [f"{len(unsorted)} of {2**N} inputs stay unsorted" + (", such as" if unsorted else "")]
    lines += ["".join(str(word >> wire & 1) for wire in range(N)) for word in unsorted[:5]]
    return "\n".join(lines)
