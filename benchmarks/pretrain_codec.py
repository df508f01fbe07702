"""What payloads of `pretrain` take: bits per value that is sent, and processor time to encode and to decode them.

    python benchmarks/pretrain_codec.py [--millions 4] [--repeat 3]

Places are drawn at random, `kept` in each row; times are the best of the repetitions, on one core. Psyche's packing, beside
it, is an index of 8 bits (rows up to 256) or 16 and a sign.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from quiltwork.pretrain.codec.base import Kind
from quiltwork.pretrain.codec.sparse import Rows, Sparse, SparseCodec
from quiltwork.pretrain.codec.subsets import subsets
from quiltwork.pretrain.codec.values import Signs, TwoLevels, Values


@dataclass(frozen=True)
class Case:
    """Rows of one shape, and how their values are coded."""

    what: str
    width: int
    kept: int
    values: Values


CASES = (
    Case("DeMo, chunk 64, 8 kept", 4_096, 8, Signs()),
    Case("DeMo, chunk 64, 32 kept", 4_096, 32, Signs()),
    Case("DeMo, chunk 16, 12 kept", 256, 12, Signs()),
    Case("SparseLoCo, 16 of 64", 64, 16, TwoLevels()),
)


def best(action: Callable[[], object], repeat: int) -> float:
    times = []
    for _ in range(repeat):
        start = time.process_time()
        action()
        times.append(time.process_time() - start)
    return min(times)


def draw(case: Case, rows: int) -> Sparse:
    random = np.random.default_rng(1)
    places = np.concatenate(
        [
            random.random((min(4_096, rows - at), case.width), np.float32).argpartition(case.kept - 1, 1)[
                :, : case.kept
            ]
            for at in range(0, rows, 4_096)
        ]
    )
    values = random.choice(np.array([-1, 1], np.float32), places.shape)
    return Sparse(np.sort(places, axis=1).astype(np.int64), values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millions", type=float, default=4, help="parameters of the tensor, in millions of 2^20")
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    print(
        "| rows | bits per value | entropy | Psyche | encode, MB/s | decode, MB/s | encode + decode, ms per 2^20 parameters |"
    )
    print("|---|---|---|---|---|---|---|")
    for case in CASES:
        rows = round(given.millions * 2**20 / case.width)
        codec, layout, sent = (
            SparseCodec(Kind.DEMO, case.values),
            [Rows(rows, case.width, case.kept)],
            [draw(case, rows)],
        )
        subsets(case.width, case.kept)
        payload = codec.encode(layout, sent)
        encode = best(lambda c=codec, r=layout, s=sent: c.encode(r, s), given.repeat)
        decode = best(lambda c=codec, r=layout, p=payload: c.decode(r, p), given.repeat)
        value_bits = 1 if isinstance(case.values, Signs) else 2
        entropy = math.log2(math.comb(case.width, case.kept)) / case.kept + value_bits
        psyche = (8 if case.width <= 256 else 16) + value_bits
        size = len(payload)
        print(
            f"| {case.what} | {8 * size / (rows * case.kept):.2f} | {entropy:.2f} | {psyche} | {size / encode / 1e6:.0f} | "
            f"{size / decode / 1e6:.0f} | {1e3 * encode / given.millions:.1f} + {1e3 * decode / given.millions:.1f} |"
        )


if __name__ == "__main__":
    main()
