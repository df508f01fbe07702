"""The tree inside a BLAKE3 id: each chunk of a blob proved by itself, against nothing but the id.

BLAKE3 (O'Connor, Aumasson, Neves, Wilcox-O'Hearn, 2020) hashes leaves of 1,024 bytes and joins them in a binary tree whose
root is the hash. A run of 64 leaves that starts at a multiple of 64 is a whole subtree, so its *chaining value* (32 bytes)
stands for it. The chaining values of all chunks of a blob are its *outline*: joined, they give the id, so a stranger's
outline is true or is refused; a chunk is true or is refused against the outline. (The idea is Bao's.)

The `blake3` package does not give chaining values, so the compression function (paper, section 2.2) is here, over numpy: as
many leaves at once as there are. It is about eight times slower than the package, which still hashes what need not be proved
in parts: a blob of one chunk, and every blob where it enters a store.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint32]

LEAF_BYTES = 1024
CHUNK_BYTES = 64 * LEAF_BYTES
"""Small enough that 8 MB feed sixteen connections to the end; large enough that its 32 bytes of outline weigh 0.05 %."""

VALUE_BYTES = 32

BATCH_CHUNKS = 32
"""Chunks hashed at once: 2 MiB keep the arrays in the processor's cache, and more gains nothing."""

_CHUNK_START, _CHUNK_END, _PARENT, _ROOT = 1, 2, 4, 8
_IV = np.array(
    [0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19], dtype=np.uint32
)
_PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
_MIXING_ORDER = (
    0,
    2,
    4,
    6,
    1,
    3,
    5,
    7,
    8,
    10,
    12,
    14,
    9,
    11,
    13,
    15,
)  # first and second words of columns, of diagonals
_ROUNDS = 7
_TURNS = {by: (np.array(by, np.uint32), np.array(32 - by, np.uint32)) for by in (16, 12, 8, 7)}


def _schedule() -> NDArray[np.int64]:
    order = np.arange(16)
    rounds = []
    for _ in range(_ROUNDS):
        rounds.append(order[list(_MIXING_ORDER)])
        order = order[list(_PERMUTATION)]
    return np.concatenate(rounds)


_SCHEDULE = _schedule()


def chunk_count(size: int) -> int:
    """How many chunks a blob of `size` bytes has; the empty blob has one, too."""
    return max(1, -(-size // CHUNK_BYTES))


def chunk_bytes(size: int, index: int) -> int:
    """How many bytes the chunk has: `CHUNK_BYTES`, or fewer in the last one."""
    return min(CHUNK_BYTES, size - index * CHUNK_BYTES)


def outline(data: bytes | memoryview) -> bytes:
    """The chaining values of all chunks, 32 bytes each; empty for a blob of one chunk, which its id proves by itself."""
    count = chunk_count(len(data))
    if count == 1:
        return b""
    view = memoryview(data)
    values = []
    for start in range(0, count, BATCH_CHUNKS):
        indexes = range(start, min(start + BATCH_CHUNKS, count))
        values += chunk_values([(i, view[i * CHUNK_BYTES : (i + 1) * CHUNK_BYTES]) for i in indexes])
    return b"".join(values)


def id_of_outline(values: bytes) -> str:
    """The id of the blob with these chunks (two at least): what an outline must give to be believed."""
    nodes: Words = np.frombuffer(values, dtype="<u4").reshape(-1, 8).astype(np.uint32)
    assert len(nodes) >= 2
    while len(nodes) > 2:
        nodes = _parents(nodes)
    return _bytes_of(_join(nodes[:1], nodes[1:], _PARENT | _ROOT)[0]).hex()


def chunk_values(chunks: Sequence[tuple[int, bytes | memoryview]]) -> list[bytes]:
    """The chaining values of chunks, given as (index, bytes), of a blob that has two chunks or more.

    Takes about 10 ms for 16 chunks (1 MiB) and holds the interpreter for most of it.
    """
    whole = [(position, index, data) for position, (index, data) in enumerate(chunks) if len(data) == CHUNK_BYTES]
    found: dict[int, bytes] = {}
    if whole:
        leaves_each = CHUNK_BYTES // LEAF_BYTES
        firsts = np.array([index * leaves_each for _, index, _ in whole], dtype=np.int64)
        counters = np.add.outer(firsts, np.arange(leaves_each)).ravel().astype(np.uint64)
        nodes = _leaves(b"".join(data for _, _, data in whole), counters)
        while len(nodes) > len(whole):
            nodes = _join(nodes[0::2], nodes[1::2], _PARENT)
        found = {position: _bytes_of(node) for (position, _, _), node in zip(whole, nodes, strict=True)}
    return [
        found[position] if position in found else _ragged_value(index, data)
        for position, (index, data) in enumerate(chunks)
    ]


def _ragged_value(index: int, data: bytes | memoryview) -> bytes:
    """The chaining value of the last chunk of a blob, whose last leaf may be short."""
    assert 0 < len(data) < CHUNK_BYTES
    first = index * (CHUNK_BYTES // LEAF_BYTES)
    full = len(data) // LEAF_BYTES
    nodes = _leaves(bytes(data[: full * LEAF_BYTES]), np.arange(first, first + full, dtype=np.uint64))
    if len(data) % LEAF_BYTES:
        short = _short_leaf(bytes(data[full * LEAF_BYTES :]), first + full)
        nodes = np.concatenate([nodes, short])
    while len(nodes) > 1:
        nodes = _parents(nodes)
    return _bytes_of(nodes[0])


def _parents(nodes: Words) -> Words:
    """One level up. A node without a partner rises alone, which gives BLAKE3's tree: the left side is full."""
    paired = len(nodes) // 2 * 2
    joined = _join(nodes[0:paired:2], nodes[1:paired:2], _PARENT)
    return joined if paired == len(nodes) else np.concatenate([joined, nodes[-1:]])


def _join(left: Words, right: Words, flags: int) -> Words:
    words = np.concatenate([left, right], axis=1).T
    keys = np.repeat(_IV[:, None], len(left), axis=1)
    return _compress(keys, np.ascontiguousarray(words), np.zeros(len(left), np.uint64), 64, flags).T


def _leaves(data: bytes, counters: NDArray[np.uint64]) -> Words:
    """(leaves, 8) chaining values of whole leaves."""
    count = len(counters)
    blocks = np.frombuffer(data, dtype="<u4").reshape(count, 16, 16).transpose(1, 2, 0).astype(np.uint32, order="C")
    values = np.repeat(_IV[:, None], count, axis=1)
    for number in range(16):
        flags = (_CHUNK_START if number == 0 else 0) | (_CHUNK_END if number == 15 else 0)
        values = _compress(values, blocks[number], counters, 64, flags)
    return values.T


def _short_leaf(data: bytes, counter: int) -> Words:
    values = _IV[:, None].copy()
    last = (len(data) - 1) // 64
    for number in range(last + 1):
        block = data[number * 64 : (number + 1) * 64]
        words = np.frombuffer(block.ljust(64, b"\0"), dtype="<u4").astype(np.uint32)[:, None]
        flags = (_CHUNK_START if number == 0 else 0) | (_CHUNK_END if number == last else 0)
        values = _compress(values, words, np.array([counter], np.uint64), len(block), flags)
    return values.T


def _compress(values: Words, words: Words, counters: NDArray[np.uint64], length: int, flags: int) -> Words:
    """The compression function on `lanes` inputs at once: values (8, lanes), words (16, lanes) -> values (8, lanes).

    The rounds work on rows of four: columns, then diagonals. A row that is turned for the diagonals is the same rows of a
    buffer, one to two of them copied to the other end, and looked at from another start.
    """
    lanes = words.shape[1]
    a, spare = values[:4].copy(), np.empty((4, lanes), np.uint32)
    b, c, d = np.empty((5, lanes), np.uint32), np.empty((6, lanes), np.uint32), np.empty((5, lanes), np.uint32)
    b[:4] = values[4:]
    c[:4] = _IV[:4, None]
    d[1], d[2] = counters & np.uint64(0xFFFFFFFF), counters >> np.uint64(32)
    d[3], d[4] = length, flags
    scheduled = words.take(_SCHEDULE, axis=0).reshape(_ROUNDS, 4, 4, lanes)
    for first, second, third, fourth in scheduled:
        _mix(a, b[:4], c[:4], d[1:], first, second, spare)
        b[4], c[4:], d[0] = b[0], c[:2], d[4]
        _mix(a, b[1:], c[2:], d[:4], third, fourth, spare)
        b[0], c[:2], d[4] = b[4], c[4:], d[0]
    return np.concatenate([a ^ c[:4], b[:4] ^ d[1:]])


def _mix(a: Words, b: Words, c: Words, d: Words, first: Words, second: Words, spare: Words) -> None:
    """The quarter round G on four columns (or diagonals) at once, in place."""
    for message, turn_d, turn_b in ((first, _TURNS[16], _TURNS[12]), (second, _TURNS[8], _TURNS[7])):
        np.add(a, b, out=a)
        np.add(a, message, out=a)
        np.bitwise_xor(d, a, out=d)
        _rotate_right(d, turn_d, spare)
        np.add(c, d, out=c)
        np.bitwise_xor(b, c, out=b)
        _rotate_right(b, turn_b, spare)


def _rotate_right(words: Words, turn: tuple[NDArray[np.uint32], NDArray[np.uint32]], spare: Words) -> None:
    right, left = turn
    np.right_shift(words, right, out=spare)
    np.left_shift(words, left, out=words)
    np.bitwise_or(words, spare, out=words)


def _bytes_of(node: NDArray[Any]) -> bytes:
    return node.astype("<u4").tobytes()
