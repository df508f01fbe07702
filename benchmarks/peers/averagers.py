"""Peers that average a tensor, each a process: hivemind's averager, our exchange, or a member of a run.

`pretrain_peers.py` starts them, tells them lines of JSON on standard input, and hears what they say on standard output. The first
kind runs in hivemind's environment, so nothing of ours is imported before it is needed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import numpy as np

PEERS = 4

FRESH_VALUES = 1024
"""That differ from one repetition to the next, so that no payload is that of before."""

GIVE_UP_S = 60.0
"""hivemind's `averaging_timeout`; ours has a round's longest time of as much."""

NEXT_CHUNK_S = 15.0
"""hivemind's Optimizer's default; the averager alone would wait for ever."""


class Tensors:
    """What peer `index` has in each repetition: mostly the same."""

    def __init__(self, side: int, index: int) -> None:
        self._index = index
        self._values = np.random.default_rng(index).standard_normal((side, side), dtype=np.float32)

    def of(self, repetition: int) -> np.ndarray:
        """A fresh copy."""
        values = self._values.copy()
        draws = np.random.default_rng((self._index, repetition)).standard_normal(FRESH_VALUES, dtype=np.float32)
        values.reshape(-1)[:FRESH_VALUES] = draws
        return values


def exact_mean(side: int, weights: dict[int, int], repetition: int) -> np.ndarray:
    """Of these peers' tensors, in fp64."""
    parts = (weight * Tensors(side, index).of(repetition).astype(np.float64) for index, weight in weights.items())
    return sum(parts, np.zeros((side, side))) / sum(weights.values())


def encode(tensor: np.ndarray) -> bytes:
    """The payload of an optimizer that sends whole gradients."""
    from quiltwork.pretrain.codec.base import Kind
    from quiltwork.pretrain.codec.dense import encode_dense

    return encode_dense(Kind.ADAMW, [tensor])


def decode(payload: bytes, side: int) -> np.ndarray:
    """And back."""
    from quiltwork.pretrain.codec.base import Kind
    from quiltwork.pretrain.codec.dense import decode_dense

    return decode_dense(Kind.ADAMW, [(side, side)], payload)[0]


def mean(parts: list[tuple[int, np.ndarray]]) -> np.ndarray:
    """By weights, in fp32, in their order: so that all peers get the same bits."""
    total = np.zeros_like(parts[0][1])
    for weight, part in parts:
        total += np.float32(weight) * part
    return total / np.float32(sum(weight for weight, _ in parts))


def tell(**what: Any) -> None:
    """One line for the driver."""
    print(json.dumps(what), flush=True)


def hivemind_peer(args: argparse.Namespace) -> None:
    """Runs in hivemind's environment."""
    import torch
    from hivemind import DHT
    from hivemind.averaging import DecentralizedAverager
    from hivemind.averaging.allreduce import AllreduceException
    from hivemind.averaging.control import AveragingStage
    from hivemind.averaging.matchmaking import MatchmakingException
    from hivemind.p2p import P2PDaemonError

    torch.set_num_threads(1)
    tensors = Tensors(args.side, args.index)
    dht = DHT(initial_peers=args.join or None, start=True)
    averager = DecentralizedAverager(
        [torch.from_numpy(tensors.of(0))],
        dht,
        start=True,
        prefix="bench",
        target_group_size=PEERS,
        allreduce_timeout=GIVE_UP_S,
        next_chunk_timeout=NEXT_CHUNK_S,
    )
    tell(here=[str(address) for address in dht.get_visible_maddrs()])
    control = None
    for line in sys.stdin:
        said = json.loads(line)
        repetition = said["repetition"]
        if said["do"] == "prepare":
            with averager.get_tensors() as held:
                held[0].copy_(torch.from_numpy(tensors.of(repetition)))
            found = True
            if said["find_first"]:
                control = averager.step(
                    gather=args.index, wait=False, require_trigger=True, timeout=GIVE_UP_S, allow_retries=False
                )
                until = time.monotonic() + GIVE_UP_S
                while control.stage.value < AveragingStage.AWAITING_TRIGGER.value and time.monotonic() < until:
                    time.sleep(0.02)
                found = control.stage is AveragingStage.AWAITING_TRIGGER
            tell(ready=repetition, found=found)
            continue
        began = time.time()
        why, group = "", None
        try:
            if control is not None:
                control.allow_allreduce()
                group = control.result(GIVE_UP_S + 5)
            else:
                group = averager.step(gather=args.index, timeout=GIVE_UP_S, allow_retries=False)
        except (AllreduceException, MatchmakingException, P2PDaemonError, CancelledError, TimeoutError) as error:
            why = repr(error)[:300]
        done = time.time()
        control = None
        indexes = sorted(group.values()) if group else []
        wrong = None
        if indexes:
            with averager.get_tensors() as held:
                wrong = float(
                    np.abs(held[0].numpy() - exact_mean(args.side, dict.fromkeys(indexes, 1), repetition)).max()
                )
        tell(done=repetition, began=began, at=done, of=indexes, wrong=wrong, why=why)
    averager.shutdown()
    dht.shutdown()


def exchange_peer(args: argparse.Namespace) -> None:
    """Ours, without a run: the names of payloads come from the driver."""
    asyncio.run(_exchange_peer(args))


async def _exchange_peer(args: argparse.Namespace) -> None:
    import torch

    from quiltwork.blobs import FolderBlobs
    from quiltwork.blobs.exchange import PROTOCOL, Exchange
    from quiltwork.blobs.tcp import TcpTransport
    from quiltwork.pretrain.optimizers.base import root

    torch.set_num_threads(1)
    tensors = Tensors(args.side, args.index)
    loop, heard = asyncio.get_running_loop(), asyncio.Queue[dict[str, Any]]()

    def listen() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(heard.put_nowait, json.loads(line))
        loop.call_soon_threadsafe(heard.put_nowait, {"do": "end"})

    threading.Thread(target=listen, daemon=True).start()
    async with Exchange(FolderBlobs(args.folder / "blobs"), [TcpTransport(PROTOCOL)]) as exchange:
        tell(here=exchange.addresses)
        while (said := await heard.get())["do"] != "end":
            repetition = said["repetition"]
            mine = tensors.of(repetition)
            tell(ready=repetition, found=True)
            assert (await heard.get())["do"] == "go"
            began = time.time()

            def encoded(mine: np.ndarray = mine) -> tuple[bytes, str]:
                payload = encode(mine)
                return payload, exchange.store.put(payload)

            payload, id = await asyncio.to_thread(encoded)
            tell(offer=id, size=len(payload), index=args.index, addresses=exchange.addresses)
            payloads = {args.index: payload}

            async def fetch(offer: dict[str, Any], payloads: dict[int, bytes] = payloads) -> None:
                got = await exchange.fetch(offer["offer"], offer["size"], offer["addresses"], deadline_s=GIVE_UP_S)
                payloads[offer["index"]] = got.data

            async with asyncio.TaskGroup() as fetching:
                for _ in range(PEERS - 1):
                    fetching.create_task(fetch(await heard.get()))

            def averaged(payloads: dict[int, bytes] = payloads) -> tuple[Any, str]:
                found = mean([(1, decode(payloads[index], args.side)) for index in sorted(payloads)])
                return found, root({"tensor": torch.from_numpy(found)}).hex()

            found, hash = await asyncio.to_thread(averaged)
            done = time.time()
            wrong = float(np.abs(found - exact_mean(args.side, dict.fromkeys(payloads, 1), repetition)).max())
            tell(done=repetition, began=began, at=done, of=sorted(payloads), wrong=wrong, why="", hash=hash)


def round_peer(args: argparse.Namespace) -> None:
    """Ours, a member of a run whose trainer trains nothing: it has its tensor."""
    from quiltwork.pretrain.join import join

    folder = args.folder / f"member{args.index}"
    asyncio.run(join(args.invitation, folder, name=f"m{args.index}", threads=1, make=_averaging(args)))


def _averaging(args: argparse.Namespace) -> Callable[..., Any]:
    import torch

    from quiltwork.audit import Kind
    from quiltwork.pretrain.effects import Applied, Apply, Train
    from quiltwork.pretrain.optimizers.base import Step, optimizer_of
    from quiltwork.pretrain.trainer import Model, Trainer, Worked

    class Mean:
        """An optimizer whose update is the tensor, and whose model is the mean."""

        begin = begin_own = staticmethod(lambda parameters: {})

        def local_step(
            self, parameters: Any, shared: Any, own: Any, batches: Any, gradient: Any, **rates: float
        ) -> Step:
            found, loss = gradient(parameters, batches[0])
            return Step(encode(found["tensor"].numpy()), {}, loss)

        def check(self, payload: bytes, parameters: Any) -> None:
            decode(payload, args.side)

        def aggregate(self, parameters: Any, shared: Any, updates: Any, lr: float) -> tuple[Any, Any]:
            return {"tensor": torch.from_numpy(mean([(w, decode(data, args.side)) for w, data in updates]))}, shared

    class Averaging(Trainer):
        """A trainer that has its gradient already. A commitment's loss says whose it is."""

        def __init__(
            self, recipe: Any, *, unit_sequences: int, folder: Path, blobs: Any, threads: int, **_: Any
        ) -> None:
            torch.set_num_threads(threads)
            self.recipe, self.blobs, self.unit_sequences = recipe, blobs, unit_sequences
            self.kind = Kind(dtype="fp32", device="cpu")
            self.optimizer: Any = optimizer_of(recipe.optimizer) if args.compressed else Mean()
            first = {"tensor": torch.zeros(args.side, args.side)}
            self._first = Model(first, self.optimizer.begin(first))
            self.models, self._states = {}, folder / "states"
            self._states.mkdir(parents=True, exist_ok=True)
            self._tensors = Tensors(args.side, args.index)
            self.data: Any = self

        def fingerprint(self) -> bytes:
            return b"no data"

        def work(self, train: Train) -> Worked:
            mine = {"tensor": torch.from_numpy(self._tensors.of(train.round))}
            tell(began=train.round, at=time.time(), index=args.index)
            found = self.optimizer.local_step(
                *self._model(train.base),
                self.own(train.own, train.base),
                [torch.zeros(1, 2)],
                lambda parameters, batch: (mine, float(args.index)),
                lr=self._rate(train.step),
                previous_lr=self._rate(train.step - 1),
            )
            return found.payload, found.own, float(args.index)

        def apply(self, apply: Apply) -> Applied:
            applied = super().apply(apply)
            done, closed = time.time(), apply.closed
            weights = {int(commit.body.loss): len(commit.body.units) for commit in closed.updates}
            of = sorted(weights)
            size = max((commit.body.size for commit in closed.commits), default=0)
            tell(done=closed.number, at=done, of=of, hash=applied.model.hex(), size=size, index=args.index)
            if not args.compressed and args.index == 0 and closed.number == CHECKED and of:
                found = self._model(closed.number).parameters["tensor"].numpy()
                tell(wrong=float(np.abs(found - exact_mean(args.side, weights, closed.number)).max()), index=0)
            return applied

    return Averaging


CHECKED = 2
"""The repetition, not a counted one, whose mean is compared with the exact one: that takes time from the next."""


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--role", choices=("hivemind", "exchange", "round"), required=True)
    parser.add_argument("--side", type=int, required=True, help="of the matrix")
    parser.add_argument("--index", type=int, required=True, help="whose tensor it has")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--invitation", help="of the run, for a round")
    parser.add_argument("--compressed", action="store_true", help="send DeMo-exact's update, in a round")
    parser.add_argument("--join", nargs="+", help="addresses of a hivemind peer that is there")
    args = parser.parse_args()
    {"hivemind": hivemind_peer, "exchange": exchange_peer, "round": round_peer}[args.role](args)


if __name__ == "__main__":
    main()
