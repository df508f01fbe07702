"""A small JSON-RPC server over a `Chain`: the methods that `SolanaLog` uses, as a node answers them, faults included.

Time passes by asking: every request but `sendTransaction` makes a block. So tests wait for nothing, and a slow machine changes
nothing. All nodes are in one thread and share one chain; a node's name is the path of its URL.
"""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from solders.transaction import VersionedTransaction
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from quiltwork.log.solana.wire import PACKET_BYTES
from tests.log.serving import running
from tests.log.solana.chain import CONFIRMED_AFTER, FINAL_AFTER, STATUSES_REMEMBERED, Chain, Row, Weather

Method = Callable[["Node", list[Any]], Any]


class RpcError(Exception):
    def __init__(self, code: int, message: str, data: Any = None) -> None:
        self.error = {"code": code, "message": message} | ({"data": data} if data is not None else {})


@dataclass
class Node:
    """One node, and what is wrong with it. Tests turn these switches while it runs."""

    chain: Chain
    down: bool = False  # 503
    busy: int = 0  # so many of the next requests are one too many: 429
    garbage: bool = False  # answers, but not in JSON
    behind: int = 0  # slots that it has not seen yet
    lists_memos: bool = True
    first_block: int = 0  # what came before was dropped
    page_rows: int = 1_000  # lists no more at once, whatever is asked
    hidden: set[str] = field(default_factory=set)  # signatures that its index does not have yet
    unsure: set[str] = field(default_factory=set)  # signatures whose status it does not list
    forgetful: bool = False  # knows the status of nothing unless asked to search
    asked: Counter[str] = field(default_factory=Counter)

    @property
    def slot(self) -> int:
        return self.chain.slot - self.behind


class Cluster:
    """Nodes by name, made when they are first mentioned. `weather` is everybody's."""

    def __init__(self) -> None:
        self.weather = Weather()
        self.url = ""
        self._chain: Chain | None = None
        self._nodes: dict[str, Node] = {}

    @property
    def chain(self) -> Chain:
        """LiteSVM may be used by the thread that made it only: the server's, with its first request."""
        self._chain = self._chain or Chain(self.weather)
        return self._chain

    def node(self, name: str = "a") -> Node:
        if name not in self._nodes:
            self._nodes[name] = Node(self.chain)
        return self._nodes[name]

    def url_of(self, name: str = "a") -> str:
        return f"{self.url}/{name}"

    async def answer(self, request: Request) -> Response:
        question = json.loads(await request.body())
        node = self.node(request.path_params["node"])
        node.asked[question["method"]] += 1
        if node.down:
            return Response("no backend", 503)
        if node.busy:
            node.busy -= 1
            return JSONResponse({"error": "too many requests"}, 429, {"retry-after": "0"})
        if node.garbage:
            return Response("<html>Bad gateway</html>", 200)
        if question["method"] != "sendTransaction":
            self.chain.next_block()
        reply: dict[str, Any] = {"jsonrpc": "2.0", "id": question["id"]}
        try:
            reply["result"] = METHODS.get(question["method"], unknown_method)(node, question["params"])
        except RpcError as refused:
            reply["error"] = refused.error
        return JSONResponse(reply)


@contextmanager
def cluster() -> Iterator[Cluster]:
    made = Cluster()
    with running(Starlette(routes=[Route("/{node}", made.answer, methods=["POST"])])) as served:
        made.url = served.url
        yield made


# The methods


def get_latest_blockhash(node: Node, params: list[Any]) -> Any:
    blockhash, valid_until = node.chain.blockhash
    return _in_context(node, {"blockhash": blockhash, "lastValidBlockHeight": valid_until})


def get_block_height(node: Node, params: list[Any]) -> Any:
    return node.slot


def get_first_available_block(node: Node, params: list[Any]) -> Any:
    return node.first_block


def request_airdrop(node: Node, params: list[Any]) -> Any:
    return node.chain.fund(params[0], params[1])


def send_transaction(node: Node, params: list[Any]) -> Any:
    encoded, options = params
    assert options["encoding"] == "base64"
    wire = base64.b64decode(encoded, validate=True)
    if len(wire) > PACKET_BYTES:
        raise RpcError(-32602, f"decoded VersionedTransaction too large: {len(wire)} bytes (max: {PACKET_BYTES} bytes)")
    try:
        transaction = VersionedTransaction.from_bytes(wire)
    except ValueError as error:
        raise RpcError(-32602, f"failed to deserialize VersionedTransaction: {error}") from error
    if not all(transaction.verify_with_results()):
        raise RpcError(-32003, "Transaction signature verification failure")
    if not options.get("skipPreflight") and (err := node.chain.preflight(transaction)) is not None:
        raise RpcError(-32002, f"Transaction simulation failed: {err}", {"err": err, "logs": []})
    node.chain.submit(transaction)
    return str(transaction.signatures[0])


def get_signature_statuses(node: Node, params: list[Any]) -> Any:
    signatures, options = params
    if len(signatures) > 256:
        raise RpcError(-32602, "Too many inputs provided; max 256")
    oldest = 0 if options.get("searchTransactionHistory") else max(1, node.slot - STATUSES_REMEMBERED)

    def status(signature: str) -> Any:
        row = node.chain.knows(signature)
        if row is None or not oldest <= row.slot <= node.slot or (node.forgetful and oldest):
            return None
        return {"slot": row.slot, "err": row.err, "confirmationStatus": _level(node, row)}

    return _in_context(node, [status(signature) for signature in signatures])


def get_signatures_for_address(node: Node, params: list[Any]) -> Any:
    address, options = params
    _must_have_reached(node, options)
    if not 1 <= options["limit"] <= 1_000:
        raise RpcError(-32602, "Invalid limit; max 1000")
    rows = node.chain.listed(address, node.slot - _depth(options["commitment"]))
    listed: list[dict[str, Any]] = []
    begun = "before" not in options
    for row in rows:
        if row.slot < node.first_block or row.signature == options.get("until"):
            break
        if len(listed) == min(options["limit"], node.page_rows):
            break
        if begun and row.signature not in node.hidden:
            memo = row.memo if node.lists_memos else None
            told = {"signature": row.signature, "slot": row.slot, "err": row.err, "memo": memo, "blockTime": None}
            listed.append(told | {"confirmationStatus": None if row.signature in node.unsure else _level(node, row)})
        begun = begun or row.signature == options["before"]
    return listed


def get_transaction(node: Node, params: list[Any]) -> Any:
    signature, options = params
    assert options["encoding"] == "base64"
    row = node.chain.knows(signature)
    if row is None or row.slot > node.slot - _depth(options["commitment"]):
        return None
    return {"slot": row.slot, "transaction": [base64.b64encode(row.wire).decode(), "base64"], "version": "legacy"}


def unknown_method(node: Node, params: list[Any]) -> Any:
    raise RpcError(-32601, "Method not found")


METHODS: dict[str, Method] = {
    re.sub("_(.)", lambda letter: letter[1].upper(), method.__name__): method
    for method in (
        get_latest_blockhash,
        get_block_height,
        get_first_available_block,
        request_airdrop,
        send_transaction,
        get_signature_statuses,
        get_signatures_for_address,
        get_transaction,
    )
}


def _in_context(node: Node, value: Any) -> Any:
    return {"context": {"slot": node.slot}, "value": value}


def _must_have_reached(node: Node, options: Any) -> None:
    if node.slot < options.get("minContextSlot", 0):
        raise RpcError(-32016, "Minimum context slot has not been reached", {"contextSlot": node.slot})


def _depth(commitment: str) -> int:
    return {"confirmed": CONFIRMED_AFTER, "finalized": FINAL_AFTER}[commitment]


def _level(node: Node, row: Row) -> str:
    depth = node.slot - row.slot
    return "finalized" if depth >= FINAL_AFTER else "confirmed" if depth >= CONFIRMED_AFTER else "processed"
