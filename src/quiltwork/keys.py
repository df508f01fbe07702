"""Identities: who signed what. Ed25519 (RFC 8032) by way of `cryptography`; an author is a 32-byte public key."""

from __future__ import annotations

import os
import secrets
import stat
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from quiltwork.errors import UserError

SEED_BYTES = 32
AUTHOR_BYTES = 32
SIGNATURE_BYTES = 64

AUTHORS_REMEMBERED = 1_024
"""Public keys kept ready for verification: unpacking one costs a third of using it."""


class KeyFileError(UserError):
    """A key file cannot be read, written or trusted."""


class Identity:
    """A private key that signs. It never prints itself."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.author = key.public_key().public_bytes_raw()
        self.sign = key.sign

    @classmethod
    def generate(cls) -> Identity:
        """Make a new identity from the system's randomness."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> Identity:
        """Derive the identity that belongs to a 32-byte seed; ValueError for another length."""
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def load_or_create(cls, path: Path) -> Identity:
        """Read the identity in a key file, or make the file (mode 0600). Raises KeyFileError.

        Two processes that create the same file at once end up with the same identity.
        """
        try:
            if not path.exists():
                _create(path)
            return cls.from_seed(_read_seed(path))
        except OSError as error:
            raise KeyFileError(f"Cannot use the key file {path}: {error.strerror}.") from error

    def __repr__(self) -> str:
        return f"Identity({short(self.author)})"


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_bytes(SEED_BYTES).hex() + "\n")
        file.flush()
        os.fsync(file.fileno())  # a key that has signed something must never be lost
    try:
        os.link(unfinished, path)  # unlike a rename, never replaces a key that another process has just made
    except FileExistsError:
        pass
    finally:
        unfinished.unlink()


def _read_seed(path: Path) -> bytes:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise KeyFileError(f"Others may read the key file {path} (mode {mode:04o}). Close it: chmod 600 {path}")
    text = path.read_bytes()
    try:
        seed = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        seed = b""
    if len(seed) != SEED_BYTES:
        raise KeyFileError(
            f"{path} is not a key file: it must hold one line of {2 * SEED_BYTES} hexadecimal digits. "
            "Restore it from a copy, or move it away to start with a new identity."
        )
    return seed


def home() -> Path:
    """`$QUILTWORK_HOME`, or `~/.config/quiltwork`: this user's identity, `models.toml` and `prices.toml`."""
    said = os.environ.get("QUILTWORK_HOME")
    return Path(said) if said else Path.home() / ".config" / "quiltwork"


def default_identity() -> Identity:
    """Give this user's own identity: `identity.key` in `home()`."""
    return Identity.load_or_create(home() / "identity.key")


def verify(author: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether `signature` (64 bytes) is the author's (32 bytes) for this message; False if ill-formed."""
    try:
        _public_key(author).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@lru_cache(maxsize=AUTHORS_REMEMBERED)
def _public_key(author: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(author)


def short(author: bytes) -> str:
    """Give the first eight digits of an author, for people to read; not enough to prove anything."""
    return author[:4].hex()
