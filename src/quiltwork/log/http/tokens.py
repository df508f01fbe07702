"""Who may do what with a log over HTTP: secrets with rights. None of them is kept, only what it hashes to."""

from __future__ import annotations

import hmac
import os
import secrets
import stat
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
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


def kept_tokens(path: Path, new: Sequence[frozenset[Right]]) -> dict[str, frozenset[Right]]:
    """Read a file of tokens, or make it (mode 0600) with a new token for each of these sets of rights.

    Each line holds rights and a token, such as "read,speak TOKEN". Raises UserError, which repeats no token.
    """
    try:
        if path.exists():
            return _read(path)
        made = {new_token(): rights for rights in new}
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.writelines(f"{','.join(sorted(rights))} {token}\n" for token, rights in made.items())
    except OSError as error:
        raise UserError(f"Cannot use the file of tokens {path}: {error.strerror}.") from error
    return made


def _read(path: Path) -> dict[str, frozenset[Right]]:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise UserError(f"Others may read the tokens in {path} (mode {mode:04o}). Close it: chmod 600 {path}")
    found: dict[str, frozenset[Right]] = {}
    for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1):
        words = line.split()
        if len(words) != 2:
            raise UserError(f"{path}, line {number}: it must hold rights and a token, such as: read,speak TOKEN")
        found[words[1]] = parse_rights(words[0])
    return found


def parse_rights(text: str) -> frozenset[Right]:
    """Read rights as people write them, "read,speak". Raises UserError."""
    try:
        return frozenset(Right(word.strip()) for word in text.split(","))
    except ValueError:
        raise UserError(f"{text!r} are no rights: write some of {','.join(Right)}.") from None


def _name(secret: str) -> bytes:
    return blake3(secret.encode("utf-8", "replace")).digest()
