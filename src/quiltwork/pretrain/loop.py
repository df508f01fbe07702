"""A member as a process: the node's effects carried out on a real log, a real network and a real trainer.

Training, applying and auditing share one thread, since they share the cores; checking what arrives, speaking and fetching go
on beside it. What fails is reported to the node, which decides anew; what nobody can mend ends the member with its reason.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from quiltwork.audit import Kind
from quiltwork.blobs import BlobUnavailable
from quiltwork.blobs.exchange import Exchange, TooSlow
from quiltwork.errors import UserError
from quiltwork.pretrain import checkpoint
from quiltwork.pretrain.beacon import Onion
from quiltwork.pretrain.duties import Holdings
from quiltwork.pretrain.effects import (
    Apply,
    Audit,
    Disclose,
    Effect,
    Fetch,
    Forget,
    Keep,
    Load,
    Result,
    Say,
    Train,
)
from quiltwork.pretrain.entries import Joined, Left, Ticked
from quiltwork.pretrain.facts import Health, RunState
from quiltwork.pretrain.home import REVEALS, Home, Shelf
from quiltwork.pretrain.listening import Entries
from quiltwork.pretrain.node import Node
from quiltwork.pretrain.remains import Remains, delete
from quiltwork.pretrain.trainer import Trainer, data_fingerprint
from quiltwork.pretrain.voice import TICK_S, Refused, Voice

Done = TypeVar("Done")

LINGER_S = 60.0
"""How long a member whose run is over serves those who do not have the last model yet, where there is no server that does."""

FETCH_S = 600.0
"""How long one blob may take. What nobody wants any more is broken off earlier."""

SMALL_BYTES = 1 << 20
"""So much is asked for at the likeliest holder and at the server first, and at all only after that was in vain: to connect to
everybody takes longer than the blob does."""

PIECES_AT_ONCE = 4
"""Of a checkpoint."""

GOODBYE_S = 5.0
"""How long a member that leaves tries to say so."""

VAIN_S, VAIN_TRIES = 30.0, 3
"""A member that for so long, and so many times in a row, can do nothing of what it is given goes: others wait for it in every
round. What it cannot fetch is not counted, unless it is its own disk that does not take it."""


class Member:
    """Takes part in the run that `voice` speaks in, with `trainer`, until it is over, `leave` is called, or it is ejected.

    `relay` is where all can fetch what members publish, beside the members themselves; `publish` puts blobs there. In a run
    whose members tell the time this one does so every `tick_s` seconds. `watch` is called with the state after every batch of
    entries.
    """

    def __init__(
        self,
        home: Home,
        voice: Voice,
        exchange: Exchange,
        trainer: Trainer,
        shelf: Shelf,
        *,
        name: str = "",
        version: str = "",
        relay: str = "",
        publish: Callable[[bytes], object] | None = None,
        tick_s: float = TICK_S,
        watch: Callable[[RunState], None] = lambda state: None,
    ) -> None:
        self.home, self.voice, self.exchange, self.trainer, self.shelf = home, voice, exchange, trainer, shelf
        self.relay, self.publish, self.watch = relay, publish, watch
        self._tick_s = tick_s
        self._lingers_until = 0.0
        self._said = (name, version)
        onion = home.onion()
        holdings = Holdings(self._joining(onion), onion, states=trainer.known_states())
        self.node = Node(voice.author, holdings)
        self.trouble = ""
        """What went wrong last, for who looks."""
        self._remains, self._resumed = Remains(), False
        self._tasks: dict[Hashable, tuple[Effect, asyncio.Task[None]]] = {}
        self._compute = ThreadPoolExecutor(1, thread_name_prefix="compute")
        self._speak = ThreadPoolExecutor(1, thread_name_prefix="speak")
        self._check = ThreadPoolExecutor(1, thread_name_prefix="check")
        self._publishing = ThreadPoolExecutor(2, thread_name_prefix="publish")
        self._leaving = asyncio.Event()
        self._failure: BaseException | None = None
        self._unfit: UserError | None = None
        self._vain: dict[type[Effect], tuple[float, int]] = {}

    def _joining(self, onion: Onion) -> Joined:
        name, version = self._said
        kind = self.trainer.kind
        return Joined(
            beacon=onion.anchor,
            addresses=self.exchange.addresses,
            name=name,
            data=data_fingerprint(self.trainer),
            dtype=kind.dtype,
            device=kind.device,
            version=version,
        )

    def leave(self) -> None:
        """Go, in good order. May be called from a signal handler of the event loop."""
        self._leaving.set()

    @property
    def ejected(self) -> bool:
        """Whether the run does not want this member any more."""
        member = self.node.state.members.get(self.node.author)
        return member is not None and member.health is Health.EJECTED

    # --- the run ------------------------------------------------------------------------------------------------------

    async def run(self) -> str:
        """Take part. Returns why it ended: "finished", "ejected" or "left". Raises what nobody can mend."""
        entries = Entries(self.voice, asyncio.get_running_loop())
        waiting = asyncio.create_task(self._leaving.wait())
        ticking = asyncio.create_task(self._tick())
        try:
            while True:
                arriving = asyncio.create_task(entries.next())
                done, _ = await asyncio.wait((arriving, waiting), return_when=asyncio.FIRST_COMPLETED)
                if arriving not in done:
                    arriving.cancel()
                    if self._failure is not None:
                        raise self._failure
                    return await self._goodbye()
                for entry in arriving.result():
                    self.node.hear(entry)
                    self._remains.see(self.node.state)
                self._renew_onion()
                self.watch(self.node.state)
                if self._failure is not None:
                    raise self._failure
                if self.ejected:
                    return "ejected"
                if self.node.finished and not self._lingers():
                    return "finished"
                if entries.caught_up:
                    self._resume()
                    self._go_on()
        finally:
            entries.close()
            for task in (waiting, ticking, *(task for _, task in self._tasks.values())):
                task.cancel()
            await asyncio.gather(waiting, ticking, *(t for _, t in self._tasks.values()), return_exceptions=True)
            for pool in (self._compute, self._speak, self._check, self._publishing):
                pool.shutdown(wait=False, cancel_futures=True)

    def _lingers(self) -> bool:
        """Whether others may still have to fetch from this member: there is no relay, and not all have said the last hash."""
        state = self.node.state
        if self.relay or state.config.clock != "members":  # without ticks nobody would wake it
            return False
        self._lingers_until = self._lingers_until or time.monotonic() + LINGER_S
        lacking = any(member.hashed < state.last for member in state.here())
        return lacking and time.monotonic() < self._lingers_until

    async def _goodbye(self) -> str:
        with suppress(UserError, TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                await self._in(
                    self._speak, lambda: self.voice.say(Left("asked to" if self._unfit is None else "unfit"))
                )
        if self._unfit is not None:
            raise self._unfit
        return "left"

    async def _tick(self) -> None:
        """Say the time, in a run that has no server to do it. A member that is not in is not asked for it."""
        while True:
            await asyncio.sleep(self._tick_s)
            state = self.node.state
            if state.created is not None and state.config.clock == "members" and self.node.author in state.members:
                with suppress(UserError):  # the next tick says it, too
                    await self._in(self._speak, lambda: self.voice.say(Ticked(time.time_ns())))

    def _renew_onion(self) -> None:
        member = self.node.state.members.get(self.node.author)
        if member is not None and member.revealed >= REVEALS - 1:
            onion = self.home.onion(new=True)
            self.node.mine.onion, self.node.mine.joining = onion, self._joining(onion)

    def _resume(self) -> None:
        """Find, once, what a crash has left on the shelf."""
        if not self._resumed:
            self._resumed = True
            self._remains.resume(self.node.state.last, self.shelf.made, self.shelf)

    def _go_on(self) -> None:
        for effect in self.node.effects():
            self._tasks[effect.key] = (effect, asyncio.create_task(self._carry_out(effect)))
        for effect, task in list(self._tasks.values()):
            if isinstance(effect, Fetch) and not self.node.is_wanted(effect):
                task.cancel()

    async def _carry_out(self, effect: Effect) -> None:
        try:
            result = await self._result(effect)
        except asyncio.CancelledError:
            raise
        except Refused as error:
            self.trouble = str(error)
            self.node.done(effect)  # said again only if it is wanted still, and not at once
        except UserError as error:
            self.trouble = str(error)
            self.node.failed(effect, str(error))
            self._note_failure(effect, error)
        except BaseException as error:
            self._failure = error  # a defect: the member must not go on as if nothing were
            self.leave()
            raise
        else:
            self._vain.pop(type(effect), None)
            self.node.done(effect, result)
        finally:
            if self._tasks.get(effect.key, (None,))[0] is effect:
                del self._tasks[effect.key]
        self._go_on()

    def _note_failure(self, effect: Effect, error: UserError) -> None:
        """Give up if it is always so."""
        own_disk = isinstance(error, BlobUnavailable) and not isinstance(error, TooSlow)
        if not isinstance(effect, Train) and not (isinstance(effect, Fetch) and own_disk):
            return
        since, count = self._vain.get(type(effect), (time.monotonic(), 0))
        self._vain[type(effect)] = since, count + 1
        if count + 1 >= VAIN_TRIES and time.monotonic() - since >= VAIN_S:
            self._unfit = UserError(
                f"Left the run, since this member cannot do its part: {error} When that is mended, the same command comes back."
            )
            self.leave()

    # --- effects --------------------------------------------------------------------------------------------------------

    async def _result(self, effect: Effect) -> Result:
        match effect:
            case Say():
                body = effect.body
                await self._in(self._speak, lambda: self.voice.say(body))
                return None
            case Fetch():
                return await self._fetch(effect)
            case Load():
                return await self._load(effect)
            case Train():
                return await self._published(lambda: self.trainer.train(effect))
            case Apply():
                return await self._in(self._compute, lambda: self.trainer.apply(effect))
            case Keep():
                return await self._published(lambda: self.trainer.keep(effect.round))
            case Disclose():
                disclosed = await self._published(lambda: self.trainer.disclose(effect))
                self._remains.note(effect.round, disclosed.disclosure)
                return disclosed
            case Audit():
                said = self.node.state.members[effect.member].said
                kind = Kind(dtype=said.dtype, device=said.device)
                return await self._in(self._compute, lambda: self.trainer.audit(effect, kind))
            case Forget():
                await self._forget(effect)
                return None

    async def _in(self, pool: ThreadPoolExecutor, work: Callable[[], Done]) -> Done:
        return await asyncio.get_running_loop().run_in_executor(pool, work)

    async def _published(self, work: Callable[[], Done]) -> Done:
        """Do something that puts blobs on the shelf, and let others have these.

        A server that does not take them is no reason to do it again: who can reach this member fetches from it.
        """

        def do() -> tuple[Done, list[str]]:
            self.shelf.fresh = []
            return work(), self.shelf.fresh

        result, fresh = await asyncio.get_running_loop().run_in_executor(self._compute, do)
        if self.publish is not None:
            await asyncio.gather(*(self._publish(self.publish, id) for id in fresh))
        return result

    async def _publish(self, publish: Callable[[bytes], object], id: str) -> None:
        try:
            await self._in(self._publishing, lambda: publish(self.shelf.get(id)))
        except UserError as error:
            self.trouble = str(error)

    async def _fetch(self, effect: Fetch) -> str:
        if effect.purpose == "disclosure":
            await self._in(self._check, lambda: self.shelf.made.add(effect.blob.hex()))
            self._remains.note(self.node.state.last, effect.blob)
        data = await self._get(effect.blob, effect.size, effect.holders, again=effect.key in self.node.mine.failures)
        why = await asyncio.get_running_loop().run_in_executor(
            self._check, lambda: self.trainer.check(data, effect.purpose)
        )
        return str(why)

    async def _get(self, blob: bytes, size: int, holders: tuple[bytes, ...], *, again: bool) -> bytes:
        members = self.node.state.members
        asked = holders if again or size > SMALL_BYTES or not self.relay else holders[:1]
        addresses = [address for author in asked if author in members for address in members[author].said.addresses]
        if self.relay:
            addresses.append(self.relay)
        fetched = await self.exchange.fetch(blob.hex(), size, addresses, deadline_s=FETCH_S)
        return fetched.data

    async def _load(self, effect: Load) -> Result:
        if effect.checkpoint is not None:
            body, again = effect.checkpoint, effect.manifest in self.node.mine.useless
            manifest = checkpoint.read_manifest(
                await self._get(body.manifest, body.manifest_size, effect.holders, again=again)
            )
            self.trainer.expect(manifest)
            if manifest.size != body.size:
                raise UserError(
                    f"The checkpoint of round {body.round} names {manifest.size:,} bytes, and the log {body.size:,}."
                )
            at_once = asyncio.Semaphore(PIECES_AT_ONCE)

            async def piece(id: str, size: int) -> None:
                async with at_once:
                    await self._get(bytes.fromhex(id), size, effect.holders, again=again)

            await asyncio.gather(*(piece(id, size) for id, size in manifest.pieces()))
        return await self._in(self._compute, lambda: self.trainer.load(effect, self.shelf.get))

    async def _forget(self, effect: Forget) -> None:
        mine = self.node.mine
        # A state that is being written at the moment is not among them.
        gone = mine.states - effect.states - {result.own for _, result in mine.trained.values()}
        manifests = {kept.manifest for kept in mine.kept.values()} | set(effect.manifests)
        spared = {result.payload for _, result in mine.trained.values()} | manifests
        spared |= {disclosure for disclosure, _ in self.node.state.disclosures.values()}
        busy = any(
            isinstance(other, Keep | Load) for other, _ in self._tasks.values()
        )  # a checkpoint that is half there
        blobs, old = (set[bytes](), set[bytes]()) if busy else self._remains.due(effect, spared)

        def do() -> None:
            self.trainer.forget(effect.models, frozenset(self.trainer.known_states() - gone))
            self.shelf.made.cross_out(delete(self.shelf, blobs, old, manifests))

        await self._in(self._compute, do)
