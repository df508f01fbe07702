"""What members join with: `URL#token`."""

from __future__ import annotations

from urllib.parse import urlsplit

from quiltwork.errors import UserError


def parse_invitation(text: str) -> tuple[str, str]:
    """Part `URL#token`. Raises UserError that says what is missing."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UserError(f"{text.partition('#')[0]!r} is not an invitation. It looks like http://host:port#token.")
    if not parts.fragment:
        raise UserError(
            "The invitation has no token: it is the part after #. Quote it in a shell, '...#...', or what follows # is lost."
        )
    return text.partition("#")[0].rstrip("/"), parts.fragment
