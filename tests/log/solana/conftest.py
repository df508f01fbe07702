from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import httpx
import pytest

from quiltwork.log.solana import Pace, Payer, Rule, SolanaLog
from tests.log.solana.chain import FINAL_AFTER
from tests.log.solana.rpc import Cluster, cluster

PACE = Pace(slot_s=0.001, backoff_s=0.002, timeout_s=60.0, request_s=60.0)
"""A slot is a request here, so there is nothing to wait for; what may take long, may take long on a busy machine."""

PAYER = Payer.from_seed(b"p" * 32)
RICH = 10**12

_CLIENT = httpx.Client(trust_env=False, timeout=60.0, verify=False)

Open = Callable[..., SolanaLog]


def ask(where: Cluster, method: str, *params: object, node: str = "a") -> object:
    question = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    reply = _CLIENT.post(where.url_of(node), json=question).json()
    assert "error" not in reply, reply
    return reply["result"]


def settle(log: SolanaLog) -> None:
    """Let time pass until all that is there is final."""
    for _ in range(FINAL_AFTER + 2):
        log.head()


@pytest.fixture(scope="module")
def shared() -> Iterator[Cluster]:
    """One cluster for many logs, all in order."""
    with cluster() as made:
        ask(made, "requestAirdrop", PAYER.address, RICH)
        yield made


@pytest.fixture
def own() -> Iterator[Cluster]:
    """A cluster for a test that breaks it."""
    with cluster() as made:
        ask(made, "requestAirdrop", PAYER.address, RICH)
        yield made


@pytest.fixture
def opened() -> Iterator[Open]:
    """Opens a log on a cluster, `open(cluster, "name", nodes="ab", **options of SolanaLog)`, and closes it after the test."""
    logs: list[SolanaLog] = []

    def open_(where: Cluster, rule: Rule | str = "test", *, nodes: str = "a", **options: object) -> SolanaLog:
        rule = Rule(rule) if isinstance(rule, str) else rule
        urls = [where.url_of(name) for name in nodes]
        options = {"payer": PAYER, "pace": PACE} | options
        logs.append(SolanaLog(urls, rule, **options))  # type: ignore[arg-type]
        return logs[-1]

    yield open_
    for log in logs:
        log.close()


@pytest.fixture
def new_name() -> Callable[[], str]:
    return lambda: f"log {next(_NUMBERS)}"


_NUMBERS = count()
