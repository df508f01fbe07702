"""Readers of one chain agree, whenever they begin, however a node pages, and whatever they keep: over made-up rows, no HTTP."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from quiltwork.log import Entry, Head
from quiltwork.log.solana.fold import Fold
from quiltwork.log.solana.listing import Listing
from quiltwork.log.solana.parts import parse
from quiltwork.log.solana.view import View
from quiltwork.log.solana.wire import base58
from tests.log.solana.chain import Row
from tests.log.solana.rpc import METHODS, Node
from tests.log.solana.test_fold import HONEST, RULE, batch, folded
from tests.log.speech import BOB

MINE = base58(RULE.id)


@dataclass
class PaperChain:
    """Blocks of rows that a test writes; what `tests.log.solana.rpc` needs to list them."""

    slot: int = 1
    rows: list[Row] = field(default_factory=list)

    def post(self, memo: str, *, failed: bool = False) -> None:
        self.slot += random.Random(len(self.rows)).randrange(2)  # some share a block
        err = {"InstructionError": [0, "Custom"]} if failed else None
        name = f"signature {len(self.rows)}"
        self.rows.append(Row(name, self.slot, err, f"[{len(memo)}] {memo}", frozenset([MINE]), b""))

    def listed(self, address: str, up_to: int) -> Iterator[Row]:
        return (row for row in reversed(self.rows) if row.slot <= up_to and address in row.keys)


class DirectNode:
    """A node that is asked without a network."""

    host = "paper"

    def __init__(self, chain: PaperChain, page_rows: int) -> None:
        self.history_checked_at = 0.0
        self.node = Node(chain, page_rows=page_rows)  # type: ignore[arg-type]

    def call(self, method: str, *params: Any) -> Any:
        return METHODS[method](self.node, list(params))


@dataclass
class Reader:
    cache: Path | None
    view: View = field(init=False)

    def __post_init__(self) -> None:
        self.view = View(RULE, Listing(RULE, "confirmed"), self.cache)

    def read(self, node: DirectNode) -> list[Entry]:
        head = self.view.refresh(node)  # type: ignore[arg-type]
        entries = list(self.view.entries(0, head.length))
        assert head.length == len(entries)
        assert not entries or head == Head(entries[-1].seq + 1, entries[-1].hash)
        return entries


Step = Callable[[PaperChain, list[Reader], Path], None]


def post(index: int, failed: bool) -> Step:
    def step(chain: PaperChain, readers: list[Reader], folder: Path) -> None:
        chain.post(HONEST[index].memo, failed=failed)

    return step


def post_batch(seed: int) -> Step:
    """A batch on the head as all see it, its parts in any order, so that the log goes on."""

    def step(chain: PaperChain, readers: list[Reader], folder: Path) -> None:
        head = of_all_rows(chain)[1]
        parts = list(batch(head, seed % 5, identity=BOB)[1])
        random.Random(seed).shuffle(parts)
        for part in parts[: seed % 7 + 2]:
            chain.post(part.memo)

    return step


def spam(count: int) -> Step:
    def step(chain: PaperChain, readers: list[Reader], folder: Path) -> None:
        for _ in range(count):
            chain.post("gm")

    return step


def wait(slots: int) -> Step:
    def step(chain: PaperChain, readers: list[Reader], folder: Path) -> None:
        chain.slot += slots

    return step


def begin(cached: bool) -> Step:
    def step(chain: PaperChain, readers: list[Reader], folder: Path) -> None:
        readers.append(Reader(folder / f"{len(readers)}.db" if cached else None))

    return step


def restart(index: int) -> Step:
    def step(chain: PaperChain, readers: list[Reader], folder: Path) -> None:
        if readers:
            old = readers[index % len(readers)]
            old.view.close()
            readers[index % len(readers)] = Reader(old.cache)

    return step


STEPS = st.one_of(
    st.builds(post, st.integers(0, len(HONEST) - 1), st.booleans()),
    st.builds(post_batch, st.integers(0, 2**16)),
    st.builds(spam, st.integers(1, 6)),
    st.builds(wait, st.integers(1, 30)),
    st.builds(begin, st.booleans()),
    st.builds(restart, st.integers(0, 9)),
)


def of_all_rows(chain: PaperChain) -> tuple[list[Entry], Head]:
    """What the rule makes of the whole chain at once."""
    fold = Fold(RULE)
    parts = [parse(str(row.memo).partition("] ")[2]) for row in chain.rows if row.err is None]
    return folded(fold, [part for part in parts if part]), fold.head


@settings(max_examples=15, deadline=None)
@given(st.lists(STEPS, max_size=25), st.integers(2, 9))
def test_readers_agree_whenever_they_begin_and_restart(steps: list[Step], page_rows: int) -> None:
    chain = PaperChain()
    with TemporaryDirectory() as name:
        node, readers = DirectNode(chain, page_rows), [Reader(None), Reader(Path(name) / "first.db")]
        for step in steps:
            step(chain, readers, Path(name))
            seen = [reader.read(node) for reader in readers]
            assert all(each == seen[0] for each in seen)
        chain.slot += 100
        readers.append(Reader(None))
        assert all(reader.read(node) == of_all_rows(chain)[0] for reader in readers)
        for reader in readers:
            reader.view.close()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 11), min_size=1, max_size=30), st.randoms())
def test_rows_that_are_listed_late_change_nothing_in_the_end(hidden: list[int], dice: random.Random) -> None:
    """A reader that looks while an index is filled in any order sees what one sees who comes after."""
    chain = PaperChain()
    memos = [part.memo for part in [*batch(Head(0, bytes(32)), 1)[1], *batch(Head(0, bytes(32)), 2, identity=BOB)[1]]]
    dice.shuffle(memos)
    for memo in memos:
        chain.post(memo)
    node, early = DirectNode(chain, 1_000), Reader(None)
    whole, _ = of_all_rows(chain)
    node.node.hidden = {chain.rows[index].signature for index in hidden if index < len(chain.rows)}
    chain.slot += 1
    told = early.read(node) if fits(chain, node.node.hidden, whole) else []
    while node.node.hidden:
        node.node.hidden.pop()
        if fits(chain, node.node.hidden, whole):
            assert early.read(node)[: len(told)] == told
    assert early.read(node) == Reader(None).read(node) == whole


def fits(chain: PaperChain, hidden: set[str], whole: list[Entry]) -> bool:
    """Whether what is listed now tells a beginning of the truth; if not, the reader will rightly say `TakenBack`."""
    listed = PaperChain(chain.slot, [row for row in chain.rows if row.signature not in hidden])
    entries, _ = of_all_rows(listed)
    return entries == whole[: len(entries)]
