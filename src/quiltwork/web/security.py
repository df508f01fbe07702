"""Who may ask, and what a page may do: everything passes here before any route sees it.

The server can start programs, so it answers only to whoever has its token; a page of another site, a name that was made to
point here (DNS rebinding) and a form that was posted from elsewhere (CSRF) get nothing.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Iterable
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
"""What a page may load. No inline script or style, no evaluated text, and no text becomes an element by accident."""

FILE_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
"""For what strangers made: opened by itself it has no origin, and runs and loads nothing. Pictures style themselves."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), usb=()",
    "Cache-Control": "no-store",
}

SAFE = ("GET", "HEAD")


class Door(NamedTuple):
    """Where the server listens and what opens it. `names` are the host names that it answers to, in lower case."""

    port: int
    token: str
    names: frozenset[str]
    any_address: bool = False

    @property
    def cookie(self) -> str:
        """The cookie's name. Cookies know no ports, so two servers of one machine need two names."""
        return f"quiltwork-{self.port}"


def loopback_names() -> frozenset[str]:
    """What a browser on this machine calls it."""
    return frozenset({"localhost", "127.0.0.1", "[::1]"})


class Guard:
    """The middleware. Refuses with 421 a strange host, 401 who has no token, 403 what another site asks for."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self.app = app
        self.door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)

        async def protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                found = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    found.setdefault(name, value)
            await send(message)

        answer = self._refuse(scope, headers)
        await (answer or self.app)(scope, receive, protected)

    def _refuse(self, scope: Scope, headers: Headers) -> Response | None:
        """An answer that ends the matter, or None to let it through."""
        if scope["type"] != "http":
            return _say(HTTPStatus.FORBIDDEN, "Only HTTP is spoken here.")
        if not self._known_host(headers.getlist("host")):
            return _say(HTTPStatus.MISDIRECTED_REQUEST, "This server does not answer to that name.")
        query = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        if scope["method"] in SAFE and (given := [value for key, value in query if key == "token"]):
            return self._exchange(scope["path"], given, [pair for pair in query if pair[0] != "token"])
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        by_header = self._opens(bearer)
        if not by_header and not self._opens(cookie_parser(headers.get("cookie", "")).get(self.door.cookie, "")):
            return _say(
                HTTPStatus.UNAUTHORIZED,
                "This server answers to those who have its token.\n"
                "Open the address that `quiltwork web` printed where it was started.",
            )
        if scope["method"] not in SAFE and not by_header and not self._same_origin(headers):
            return _say(HTTPStatus.FORBIDDEN, "This was asked for by a page of another site, and is refused.")
        return None

    def _opens(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "replace"), self.door.token.encode())

    def _exchange(self, path: str, given: list[str], rest: Iterable[tuple[str, str]]) -> Response:
        """Turn a token in the address into a cookie, so that it is in no history, bookmark or picture of the screen."""
        if len(given) != 1 or not self._opens(given[0]):
            return _say(
                HTTPStatus.UNAUTHORIZED, "The token in this address is not the one that `quiltwork web` printed."
            )
        tail = urlencode(list(rest))
        # One leading slash: "//elsewhere" would be an address at another host.
        answer = RedirectResponse(
            "/" + path.lstrip("/\\") + (f"?{tail}" if tail else ""), status_code=HTTPStatus.SEE_OTHER
        )
        answer.set_cookie(self.door.cookie, self.door.token, httponly=True, samesite="strict", path="/")
        return answer

    def _known_host(self, hosts: list[str]) -> bool:
        if len(hosts) != 1:
            return False
        name, port = _split(hosts[0])
        return port == self.door.port and (name in self.door.names or (self.door.any_address and _is_address(name)))

    def _same_origin(self, headers: Headers) -> bool:
        """Whether a page of ours asks: browsers say so themselves, and no page can make them lie."""
        if headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return False
        origin = urlsplit(headers.get("origin", ""))
        return origin.scheme == "http" and origin.netloc.lower() == headers["host"].lower()


def _split(host: str) -> tuple[str, int]:
    """Part "name:port"; none means 80. A port that is no number is one that nobody has."""
    name, colon, port = host.lower().rpartition(":")
    if not colon or host.endswith("]"):
        return host.lower(), 80
    return name, int(port) if port.isdecimal() and len(port) <= 5 else -1


def _is_address(name: str) -> bool:
    """Whether a host is given by its address: only a name can be made to point somewhere else."""
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def _say(status: HTTPStatus, text: str) -> Response:
    return PlainTextResponse(f"{text}\n", status)
