"""Everything that happens is a signed entry in a log.

An entry says one thing (a `Body` under a `kind`), at a time, by an author who signs it, after the entry whose hash it
names. So a log cannot be changed without everybody seeing it: `verify` finds the entry.

A `Writer` signs and appends; a fold reads and `decode`s. Where the log lives is a choice: `MemoryLog`, `SqliteLog`, or
whatever else keeps the `Log` protocol and passes its conformance tests. To append, a writer names the head that it
has seen; if another was faster, that is a `Conflict` and nothing happens.

Where many speak at once, each makes a `Statement` for the log with a `Speaker`, and one `Sequencer` puts them in order;
`Speakers` then tells who speaks in an entry.

`docs/log.md` has every byte, and thirty lines of Python that verify a log without this package.
"""

from quiltwork.log.entry import GENESIS, Entry
from quiltwork.log.kinds import Body, InvalidBody, Links, Malformed, Unknown, decode, encode, kind
from quiltwork.log.memory import MemoryLog
from quiltwork.log.protocol import EMPTY, Broken, Conflict, Head, Log, LogCorrupt, LogUnavailable
from quiltwork.log.sequencer import Outcome, Receipt, Sequencer
from quiltwork.log.sqlite import SqliteLog
from quiltwork.log.statement import Refused, Relayed, Speaker, Speakers, Spoken, Statement, log_id
from quiltwork.log.verify import Verified, verify
from quiltwork.log.writer import Writer

__all__ = [
    "EMPTY",
    "GENESIS",
    "Body",
    "Broken",
    "Conflict",
    "Entry",
    "Head",
    "InvalidBody",
    "Links",
    "Log",
    "LogCorrupt",
    "LogUnavailable",
    "Malformed",
    "MemoryLog",
    "Outcome",
    "Receipt",
    "Refused",
    "Relayed",
    "Sequencer",
    "Speaker",
    "Speakers",
    "Spoken",
    "SqliteLog",
    "Statement",
    "Unknown",
    "Verified",
    "Writer",
    "decode",
    "encode",
    "kind",
    "log_id",
    "verify",
]
