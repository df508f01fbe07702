"""What all readers of one log must agree on. The log's address is its hash, so that those who do not never meet."""

from __future__ import annotations

import re

import msgspec
from blake3 import blake3

from quiltwork.errors import UserError
from quiltwork.keys import AUTHOR_BYTES
from quiltwork.log.entry import MAX_INTEGER

DOMAIN = b"quiltwork.solana/1\n"
"""Goes into every hash of this format. Another rule of reading is another domain, and so another address."""

TAG_BYTES = 8
"""Of the log's id, in every memo: enough to tell logs apart for a person or an index; what is secure is the rest."""

_NAME = re.compile(r"[!-~](?:[ -~]{0,62}[!-~])?")


class Rule(msgspec.Struct, frozen=True):
    """Which log this is and whose entries count. Raises UserError for what is no rule.

    `name` is 1 to 64 printable ASCII characters. Rows in slots before `since` do not count; a node that has dropped blocks
    after `since` is not asked. With `signed`, an entry counts only if its author signed it, and if `authors` are given (32
    bytes each), only if one of them did. Without it, whoever pays for a transaction can break the log's verification.
    """

    name: str
    since: int = 0
    signed: bool = True
    authors: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise UserError(f"{self.name!r} cannot name a log on Solana: give 1 to 64 printable ASCII characters.")
        if not 0 <= self.since <= MAX_INTEGER:
            raise UserError(f"A log cannot begin in slot {self.since}: `since` is a whole number from 0 to 2^63-1.")
        if any(len(author) != AUTHOR_BYTES for author in self.authors):
            raise UserError(f"The authors of a log are public keys of {AUTHOR_BYTES} bytes each.")
        if self.authors and not self.signed:
            raise UserError("A log that names its authors must be signed: anybody can write down another's public key.")

    @property
    def id(self) -> bytes:
        """BLAKE3-256 of the rule: 32 bytes that are the log's address on the chain as well."""
        said = [self.name, self.since, self.signed, sorted(set(self.authors))]
        return blake3(DOMAIN + msgspec.msgpack.encode(said)).digest()
