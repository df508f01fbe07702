"""A log on Solana: entries as memo transactions, read back over JSON-RPC (extra `solana`).

The memo program knows no conflicts, so the rule is the readers': in the order of the chain, the first batch that is whole and
chains on the head wins, and all others built on that head are nothing, for every reader alike.

    rule.py        which log, whose entries: its hash is the address                          (pure)
    batch.py       entries <-> bytes                                                          (pure)
    parts.py       bytes <-> parts <-> the text of memos, linked by hashes                    (pure)
    fold.py        parts in the order of the chain -> entries that count                      (pure)
    wire.py        memos <-> transactions of at most 1,232 bytes; payers and fees
    rpc.py         JSON-RPC to several nodes, with patience
    listing.py     the rows of the address, oldest first
    settled.py     what is final, in memory or in a file
    view.py        what is final and what is not yet
    courier.py     memos to the chain
    log.py         `SolanaLog`

`docs/solana.md` has every byte.
"""

from quiltwork.log.solana.batch import MAX_BATCH_BYTES, BatchTooLarge
from quiltwork.log.solana.log import Estimate, SolanaLog
from quiltwork.log.solana.rpc import Pace
from quiltwork.log.solana.rule import Rule
from quiltwork.log.solana.view import TakenBack
from quiltwork.log.solana.wire import Fees, Payer

__all__ = [
    "MAX_BATCH_BYTES",
    "BatchTooLarge",
    "Estimate",
    "Fees",
    "Pace",
    "Payer",
    "Rule",
    "SolanaLog",
    "TakenBack",
]
