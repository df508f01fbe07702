"""Who may do what with a log over HTTP: secrets with rights. None of them is kept, only what it hashes to."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import NamedTuple

from blake3 import blake3

from quiltwork.errors import UserError

MIN_TOKEN_CHARACTERS = 16
"""Shorter secrets can be guessed. Those of `new_token` have 32."""

MAX_TOKENS = 1_000
"""All of them are compared at every request, a microsecond each."""


class Right(StrEnum):
    """What a token is good for."""

    READ = "read"
    """To read and follow the log."""
    SPEAK = "speak"
    """To submit statements."""
    WRITE = "write"
    """To append whole entries."""


class Grant(NamedTuple):
    """What a token was found to be: a name that tells nothing of the secret, and its rights."""

    name: bytes
    rights: frozenset[Right]


class Tokens:
    """Secrets with their rights. Raises UserError for secrets that cannot be used, or too many."""

    def __init__(self, rights: Mapping[str, Collection[Right]]) -> None:
        if any(len(secret) < MIN_TOKEN_CHARACTERS for secret in rights):
            raise UserError(f"A token needs at least {MIN_TOKEN_CHARACTERS} characters, or it can be guessed.")
        if not all(usable(secret) for secret in rights):
            raise UserError("A token must be of letters, digits and signs, without spaces: it travels in a header.")
        if len(rights) > MAX_TOKENS:
            raise UserError(f"{len(rights)} tokens are more than the {MAX_TOKENS} that a server looks through.")
        self._grants = [Grant(_name(secret), frozenset(each)) for secret, each in rights.items()]

    def grant(self, secret: str) -> Grant | None:
        """Find what a secret is good for; None if it is no token. Takes the same time whichever it is."""
        name, found = _name(secret), None
        for grant in self._grants:
            if hmac.compare_digest(grant.name, name):
                found = grant
        return found


def usable(secret: str) -> bool:
    """Tell whether a secret can travel in a header of HTTP."""
    return bool(secret) and all("!" <= character <= "~" for character in secret)


def new_token() -> str:
    """Make a secret that nobody can guess: 192 bits."""
    return secrets.token_urlsafe(24)


def parse_rights(text: str) -> frozenset[Right]:
    """Read rights as people write them, "read,speak". Raises UserError."""
    try:
        return frozenset(Right(word.strip()) for word in text.split(","))
    except ValueError:
        raise UserError(f"{text!r} are no rights: write some of {','.join(Right)}.") from None


def _name(secret: str) -> bytes:
    return blake3(secret.encode("utf-8", "replace")).digest()
