"""What a run would be like, before anybody rents a machine: bytes, times, and what they are bound by.

A fluid model of one round. Members compute for as long as the slowest of them needs, every update goes to every other member,
the witnesses speak, and all apply. A swarm that passes updates on is bound by three things, of which the tightest counts (Kumar
and Ross, "Peer-assisted file distribution: the minimum distribution time", 2006): each member must send its own update once,
each must receive those of all others, and all together must send as much as all together receive. Lossy links carry less than
they are sold for (Mathis et al., "The macroscopic behavior of the TCP congestion avoidance algorithm", 1997).

Where a server keeps the run, a member puts its update there before it says that it has one, and only then do others fetch it: one
after the other, not at the same time. What they fetch comes from the member and from the server, so no upload bounds it.

Everything is a mean: there is no jitter, no failure and no queue here, so real rounds are longer.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from quiltwork.blobs.tree import CHUNK_BYTES
from quiltwork.pretrain.assignment import apportion
from quiltwork.pretrain.footprint import FLOAT_BYTES, Footprint

SEGMENT_BYTES = 1_460
"""What a packet carries."""

FIRST_WINDOW_BYTES = 10 * SEGMENT_BYTES
"""What a connection sends before it hears that anything arrived (RFC 6928)."""

VERIFIERS = 2
"""Who compute an audited contribution again."""

ASKED_FIRST_BYTES = 1 << 16
"""Beyond so many a server is asked whether it has an update already, before it is put there (see `blobs.http`)."""

TWICE_BYTES = 5 * CHUNK_BYTES // 2
"""Of an update of many chunks so many come twice: those that are late at the end are asked for again (see `blobs.plan`)."""

BY_MEMBERS = 0.5
"""The share of an update of several chunks that comes from members; the server gives the rest."""

STATEMENTS = 2
"""That follow each other in a round: that one has trained, and that a witness holds it."""

SPEED_STEPS = 1 << 20
"""Of the slowest member's speed: units are divided by whole numbers, as in a run."""

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Site:
    """One member: its machine and its link. `delay_s` is one way to the middle of the network, `loss` a share of packets."""

    name: str
    flops: float
    """Floating-point operations a second that it sustains in training: the peak times the share that is reached of it."""
    up_mbit: float
    down_mbit: float
    delay_s: float = 0.0
    loss: float = 0.0


@dataclass(frozen=True, slots=True)
class Job:
    """What is trained, and how."""

    parameters: int
    flops_per_token: float
    footprint: Footprint
    sequence_length: int
    sequences: int
    """In a round, of all members."""
    unit_sequences: int
    tokens: int
    """The goal."""
    hidden: bool = False
    """Whether members train the next round while the network carries this one's updates."""
    relay: bool = False
    """Whether every update is first put on a server in the middle of the network, whose own link bounds nothing."""
    swarm: bool = True
    """Without one: whether members pass on what they received; otherwise each sends its update to every other one."""
    connections: int = 4
    """That a member uses for an update at once: each of them suffers the losses of its own."""
    efficiency: float = 0.9
    """The share of a link that updates get; the rest goes to headers and to talk."""
    audit_rate: float = 0.0
    say_s: float = 0.0
    """From saying something until all know it, beside the delay of the links."""
    activation_bytes: int = 0
    """That a gradient needs beside the parameters; it depends on how many sequences are computed at once."""


@dataclass(frozen=True, slots=True)
class Share:
    """What a round asks of one member. `busy` is the share of the round in which it trains."""

    name: str
    units: int
    train_s: float
    upload_bytes: float
    download_bytes: float
    busy: float


@dataclass(frozen=True, slots=True)
class Exchange:
    """How long the updates take, in seconds: what each of the bounds alone would allow, and the start of the connections."""

    own_s: float
    download_s: float
    together_s: float
    start_s: float
    sender: str
    """Whose upload bounds `own_s`."""
    receiver: str
    """Whose download bounds `download_s`."""
    relayed: bool = False
    """Whether updates are put on a server before they are fetched; `together_s` is 0 then."""

    @property
    def seconds(self) -> float:
        """All of it."""
        if self.relayed:
            return self.own_s + self.download_s + self.start_s
        return max(self.own_s, self.download_s, self.together_s) + self.start_s


@dataclass(frozen=True, slots=True)
class Times:
    """What a round is made of, in seconds of the slowest member."""

    train_s: float
    encode_s: float
    audit_s: float
    apply_s: float
    exchange_s: float
    talk_s: float

    @property
    def computing(self) -> float:
        """All that the machines do."""
        return self.train_s + self.encode_s + self.audit_s + self.apply_s

    @property
    def networking(self) -> float:
        """All that they wait for."""
        return self.exchange_s + self.talk_s

    @property
    def parts(self) -> dict[str, float]:
        """The same by name, for people."""
        arithmetic = self.encode_s + self.apply_s
        return {
            "training": self.train_s,
            "exchanging updates": self.exchange_s,
            "talk": self.talk_s,
            "audits": self.audit_s,
            "making and applying updates": arithmetic,
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """What a round takes, and what comes of it."""

    shares: tuple[Share, ...]
    times: Times
    exchange: Exchange
    round_s: float
    utilisation: float
    """The share of what all machines could compute that goes into training."""
    tokens_per_s: float
    days: float
    """Until the goal."""
    memory_bytes: int
    """At each member, at the worst moment."""
    enough_mbit: float
    """Of download at the member that receives most, with which the updates come in the time that the machines compute."""
    bound: str
    """What most of the round goes to, by its name in `Times.parts`."""
    why: str
    """The same in words: what bounds it, and what would help."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a member's link really carries, in bytes a second, and how long an answer takes."""

    up: float
    down: float
    round_trip_s: float


def goodput(mbit: float, round_trip_s: float, loss: float, job: Job) -> float:
    """Bytes a second that a link carries: its share of the capacity, or what its connections make of a lossy path."""
    capacity = mbit * 1e6 / 8 * job.efficiency
    if loss <= 0 or round_trip_s <= 0:
        return capacity
    each = SEGMENT_BYTES / round_trip_s * math.sqrt(1.5 / loss)
    return min(capacity, job.connections * each)


def plan(job: Job, sites: Sequence[Site]) -> Plan:
    """Predict a run of these members. Raises ValueError for a job or a site that could not work at all."""
    _check(job, sites)
    units = max(job.sequences // job.unit_sequences, 1)
    unit_flops = job.flops_per_token * job.sequence_length * job.unit_sequences + job.footprint.unit_flops
    slowest = min(site.flops for site in sites)
    given = apportion([round(site.flops / slowest * SPEED_STEPS) for site in sites], units, units)
    trains = [count * unit_flops / site.flops for count, site in zip(given, sites, strict=True)]
    senders = sum(count > 0 for count in given)
    links = _links(job, sites)
    traffic, exchange = _exchange(job, sites, links, [count > 0 for count in given])
    times = Times(
        train_s=max(trains),
        encode_s=job.footprint.encode_flops / slowest,
        audit_s=job.audit_rate * VERIFIERS * max(trains),
        apply_s=(job.footprint.apply_flops + senders * job.footprint.apply_flops_each) / slowest,
        exchange_s=exchange.seconds,
        talk_s=STATEMENTS * (2 * max(site.delay_s for site in sites) + job.say_s),
    )
    round_s = max(times.computing, times.networking) if job.hidden else times.computing + times.networking
    tokens = units * job.unit_sequences * job.sequence_length
    ideal_s = units * unit_flops / sum(site.flops for site in sites)  # if all machines trained all the time
    shares = tuple(
        Share(site.name, count, trained, up, down, trained / round_s)
        for site, count, trained, (up, down) in zip(sites, given, trains, traffic, strict=True)
    )
    most = max(share.download_bytes for share in shares)
    return Plan(
        shares=shares,
        times=times,
        exchange=exchange,
        round_s=round_s,
        utilisation=ideal_s / round_s,
        tokens_per_s=tokens / round_s,
        days=job.tokens * round_s / tokens / DAY_S,
        memory_bytes=_memory(job, senders),
        enough_mbit=most * 8 / 1e6 / job.efficiency / times.computing,
        bound=max(times.parts, key=times.parts.__getitem__),
        why=" ".join(_explain(job, sites, links, times, exchange, round_s, ideal_s, most)),
    )


def _check(job: Job, sites: Sequence[Site]) -> None:
    if not sites:
        raise ValueError("a run needs a member")
    for site in sites:
        if min(site.flops, site.up_mbit, site.down_mbit) <= 0 or site.delay_s < 0 or not 0 <= site.loss < 1:
            raise ValueError(
                f"{site.name}: flops and link speeds are above 0, delay_s at least 0, loss from 0 to below 1"
            )
    if min(job.sequences, job.unit_sequences, job.sequence_length, job.connections, job.flops_per_token) <= 0:
        raise ValueError("sequences, unit_sequences, sequence_length, connections and flops_per_token are above 0")
    if not (0 < job.efficiency <= 1 and 0 <= job.audit_rate <= 1 and job.say_s >= 0):
        raise ValueError("efficiency is above 0 and at most 1, audit_rate from 0 to 1, say_s at least 0")


def _exchange(
    job: Job, sites: Sequence[Site], links: Sequence[Link], sends: Sequence[bool]
) -> tuple[list[tuple[float, float]], Exchange]:
    """What every member sends and receives in a round, in bytes, and how long that takes."""
    payload, alone = job.footprint.payload_bytes, len(sites) == 1
    senders = sum(sends)
    # An audit discloses the state before and after to those who verify; in the mean everybody has a share in that.
    disclosed = 2 * job.footprint.own_bytes * VERIFIERS * job.audit_rate * senders / len(sites) * (not alone)
    fetched = payload + (min(TWICE_BYTES, (payload - CHUNK_BYTES) // 3) if job.relay and payload > CHUNK_BYTES else 0)
    received = [fetched * (senders - sending) + disclosed for sending in sends]
    ups = [link.up for link in links]
    copies = 1 if job.swarm or job.relay else len(sites) - 1
    own = [(payload * copies + disclosed * (not job.relay)) * sending * (job.relay or not alone) for sending in sends]
    rest = sum(received) if job.relay else max(sum(received) - sum(own), 0.0)
    served = rest * (BY_MEMBERS if job.relay and payload > CHUNK_BYTES else 1)
    sent = [least + served * up / sum(ups) for least, up in zip(own, ups, strict=True)]
    own_s = [least / up for least, up in zip(own, ups, strict=True)]
    download_s = [coming / link.down for coming, link in zip(received, links, strict=True)]
    start_s = 0.0 if alone else max(_start(job, payload, max(senders - 1, 1), link) for link in links)
    if job.relay:
        start_s += max(
            _start_of_put(payload, link.up, 2 * site.delay_s) for site, link in zip(sites, links, strict=True)
        )
    exchange = Exchange(
        own_s=max(own_s),
        download_s=max(download_s),
        together_s=0.0 if job.relay else sum(received) / sum(ups),
        start_s=start_s,
        sender=sites[own_s.index(max(own_s))].name,
        receiver=sites[download_s.index(max(download_s))].name,
        relayed=job.relay,
    )
    return list(zip(sent, received, strict=True)), exchange


def _links(job: Job, sites: Sequence[Site]) -> list[Link]:
    """The link of every member, to a typical other one."""
    delays, losses = sorted(site.delay_s for site in sites), sorted(site.loss for site in sites)
    links = []
    for site in sites:
        trip = 2 * (site.delay_s + _typical(delays, site.delay_s))
        loss = 1 - (1 - site.loss) * (1 - _typical(losses, site.loss))
        links.append(Link(goodput(site.up_mbit, trip, loss, job), goodput(site.down_mbit, trip, loss, job), trip))
    return links


def _typical(ordered: Sequence[float], own: float) -> float:
    """The median of all others; of one alone, its own."""
    place = bisect_left(ordered, own)
    return median([*ordered[:place], *ordered[place + 1 :]] or [own])


def _start(job: Job, payload: int, payloads: int, link: Link) -> float:
    """Ask for so many updates at once, and wait until the windows of their connections are wide enough."""
    connections = min(job.connections, -(-payload // CHUNK_BYTES))
    rate = link.down if job.relay else min(link.up, link.down)
    return link.round_trip_s + _slow_start(payload * payloads, rate, link.round_trip_s, connections * payloads)


def _start_of_put(payload: int, rate: float, round_trip_s: float) -> float:
    """Put an update on the server, on one connection: ask whether it is there, send, and hear that it has arrived."""
    asks = 2 if payload > ASKED_FIRST_BYTES else 1
    return asks * round_trip_s + _slow_start(payload, rate, round_trip_s, 1)


def _slow_start(size: float, rate: float, round_trip_s: float, connections: int) -> float:
    """How much longer a transfer takes because windows begin small and double with every round trip (RFC 5681).

    What is one chunk needs none wider than the last round left on the same connection.
    """
    if size <= CHUNK_BYTES * connections:
        return 0.0
    window, passed_s, sent = float(FIRST_WINDOW_BYTES * connections), 0.0, 0.0
    while window < rate * round_trip_s and sent + window < size:
        sent, window, passed_s = sent + window, 2 * window, passed_s + round_trip_s
    return passed_s - sent / rate


def _memory(job: Job, payloads: int) -> int:
    """The larger of what a local step and what an update hold at once; each makes anew what it changes."""
    model, own, shared = FLOAT_BYTES * job.parameters, job.footprint.own_bytes, job.footprint.shared_bytes
    local = 2 * model + 2 * own + shared + job.activation_bytes
    update = 2 * model + 2 * shared + own + payloads * job.footprint.payload_bytes
    return max(local, update)


def _explain(
    job: Job,
    sites: Sequence[Site],
    links: Sequence[Link],
    times: Times,
    exchange: Exchange,
    round_s: float,
    ideal_s: float,
    most: float,
) -> Iterator[str]:
    """Say it in sentences: what the round is made of, what bounds the exchange, what would help."""
    listed = ", ".join(f"{seconds:.3g} s {name}" for name, seconds in times.parts.items() if seconds >= 0.005 * round_s)
    together = "the network works while members train" if job.hidden else "one after the other"
    yield f"A round takes {round_s:.3g} s ({listed}; {together})."
    yield f"Training is {ideal_s / round_s:.0%} of what the machines could do."
    if exchange.seconds >= 0.1 * round_s or (job.hidden and times.networking > times.computing):
        yield _bottleneck(exchange, sites, most)
        yield from _lossy(job, sites, links)
        if not job.hidden:
            hidden = ideal_s / max(times.computing, times.networking)
            yield f"If the network worked while members train, it would be {hidden:.0%}."
        elif times.networking > times.computing:
            yield f"{most * 8 / 1e6 / job.efficiency / times.computing:.3g} Mbit/s of download would keep up with the machines."
    if times.train_s >= 2 * ideal_s:
        yield "Units are too large to be divided in proportion to speed: smaller ones would give every machine its share."
    if (share := 2 * job.footprint.own_bytes * VERIFIERS * job.audit_rate) > 0.5 * most:
        yield f"Audits disclose {_bytes(share)} of optimizer states for each member and round, more than the updates themselves."


def _bottleneck(exchange: Exchange, sites: Sequence[Site], most: float) -> str:
    bounds = {
        exchange.own_s: f"the upload of {exchange.sender}",
        exchange.download_s: f"the download of {exchange.receiver}, which must receive {_bytes(most)}",
        exchange.together_s: "all uploads together",
    }
    longest = max(bounds)
    if exchange.relayed and exchange.own_s + exchange.download_s >= exchange.start_s:
        return (
            f"Updates are put on the server, {exchange.own_s:.3g} s at the upload of {exchange.sender}, and fetched, "
            f"{exchange.download_s:.3g} s at the download of {exchange.receiver}, which must receive {_bytes(most)}."
        )
    if exchange.start_s > longest:
        return f"Updates are bound by delay: {exchange.start_s:.3g} s of {exchange.seconds:.3g} s pass before links are full."
    return f"Updates are bound by {bounds[longest]}: {longest:.3g} s."


def _lossy(job: Job, sites: Sequence[Site], links: Sequence[Link]) -> Iterator[str]:
    """Name the member whose link carries least of what it could, if that is less than half."""
    carried = [
        (link.down / (site.down_mbit * 1e6 / 8 * job.efficiency), site) for link, site in zip(links, sites, strict=True)
    ]
    share, site = min(carried, key=lambda pair: pair[0])
    if share < 0.5:
        yield (
            f"Loss and delay leave {share:.0%} of the {site.down_mbit:g} Mbit/s of {site.name}: more than {job.connections} "
            "connections at once would help."
        )


def _bytes(count: float) -> str:
    """A number of bytes as people say it, in powers of 1,000."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.3g} {unit}"
        count /= 1_000
    return f"{count:.3g} TB"
