"""The planner: cases that were computed by hand, and what must hold of any plan."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiltwork.pretrain.architectures.config import MlaConfig
from quiltwork.pretrain.architectures.sizes import flops_per_token, parameter_count, shapes
from quiltwork.pretrain.footprint import Footprint, footprint
from quiltwork.pretrain.optimizers.config import AdamWConfig, DemoExactConfig
from quiltwork.pretrain.plan import Job, Site, goodput, plan

MB = 1_000_000
BATCH_TOKENS = 67_108_864  # Consilience's at the end of its ramp: 32,768 sequences of 2,048


def sends(payload_bytes: int, **more: int) -> Footprint:
    """An optimizer of which nothing counts but the bytes of its update."""
    fields = dict.fromkeys(Footprint.__dataclass_fields__, 0)
    return Footprint(**{**fields, "payload_bytes": payload_bytes, **more})


JOB = Job(
    parameters=1_000,
    flops_per_token=1.0,
    footprint=sends(MB),
    sequence_length=10,
    sequences=100,
    unit_sequences=1,
    tokens=10_000,
    efficiency=1.0,
)
"""1,000 tokens a round, so that one member with 1,000 operations a second trains for 1 s."""


def sites(count: int, *, flops: float, up: float = 1e6, down: float = 1e6, **more: float) -> list[Site]:
    return [Site(f"site {number}", flops, up, down, **more) for number in range(count)]


CONSILIENCE = replace(
    JOB, parameters=40_000_000_000, footprint=sends(83 * MB), sequence_length=2_048, sequences=32_768, unit_sequences=64
)


def test_consilience_needs_28_mbit_for_16_clients() -> None:
    """16 clients x 83 MB in a round of 360 s: each receives 15 of them, 1.245 GB, which is 27.7 Mbit/s."""
    made = plan(CONSILIENCE, sites(16, flops=BATCH_TOKENS / 16 / 360))
    assert made.times.train_s == pytest.approx(360)
    assert made.shares[0].download_bytes == pytest.approx(1.245e9)
    assert made.enough_mbit == pytest.approx(27.67, abs=0.01)


@pytest.mark.parametrize(("payload_mb", "seconds"), [(4.15, 10.3), (20.8, 51.5), (83.0, 206)])
def test_32_members_at_100_mbit_download_all_updates(payload_mb: float, seconds: float) -> None:
    """1, 10 and 40 billion parameters, as Psyche packs them."""
    job = replace(CONSILIENCE, footprint=sends(round(payload_mb * MB)))
    made = plan(job, sites(32, flops=1e9, down=100))
    assert made.exchange.seconds == pytest.approx(seconds, rel=0.005)


def test_one_member_alone_only_computes() -> None:
    made = plan(JOB, sites(1, flops=1_000, up=1, down=1))
    assert made.round_s == made.times.train_s == pytest.approx(1.0)
    assert (made.utilisation, made.tokens_per_s) == (pytest.approx(1.0), pytest.approx(1_000))
    assert made.days == pytest.approx(10 / 86_400)
    assert made.shares[0].upload_bytes == made.shares[0].download_bytes == 0


def test_two_members_one_after_the_other() -> None:
    """Each trains half (0.5 s), sends 1 MB at 8 Mbit/s (1 s), and speaks twice over 20 ms there and back."""
    made = plan(replace(JOB, say_s=0.01), sites(2, flops=1_000, up=8, down=80, delay_s=0.01))
    assert made.times.train_s == pytest.approx(0.5)
    assert made.exchange.own_s == made.exchange.together_s == pytest.approx(1.0)
    assert made.exchange.download_s == pytest.approx(0.1)
    assert made.times.talk_s == pytest.approx(2 * (0.02 + 0.01))
    # 8 Mbit/s over 40 ms there and back keep 40 kB under way, 10 kB on each of four connections: less than a first window
    assert made.exchange.start_s == pytest.approx(0.04)
    assert made.round_s == pytest.approx(0.5 + 1.0 + 0.04 + 0.06)
    assert made.utilisation == pytest.approx(0.5 / 1.6)
    assert made.bound == "exchanging updates"


def test_a_hidden_network_costs_nothing_until_it_is_slower_than_the_machines() -> None:
    quick = plan(replace(JOB, hidden=True), sites(2, flops=1_000, up=80, down=80))
    assert quick.round_s == pytest.approx(0.5)
    assert quick.utilisation == pytest.approx(1.0)
    slow = plan(replace(JOB, hidden=True), sites(2, flops=1_000, up=8, down=8))
    assert slow.round_s == pytest.approx(1.0)
    assert slow.utilisation == pytest.approx(0.5)
    assert slow.enough_mbit == pytest.approx(16)
    assert "16 Mbit/s of download would keep up" in slow.why


def test_units_go_to_members_in_proportion_to_their_speed() -> None:
    mixed = [Site("fast", 3_000, 80, 80), Site("slow", 1_000, 80, 80)]
    made = plan(JOB, mixed)
    assert [share.units for share in made.shares] == [75, 25]
    assert [share.train_s for share in made.shares] == [pytest.approx(0.25), pytest.approx(0.25)]
    coarse = plan(replace(JOB, unit_sequences=100), mixed)
    assert [share.units for share in coarse.shares] == [1, 0]
    assert coarse.exchange.own_s == pytest.approx(0.1), "who trained nothing has nothing to send"
    assert coarse.shares[0].download_bytes == 0
    huge = plan(replace(JOB, unit_sequences=50), sites(6, flops=1_000))
    assert "Units are too large" in huge.why


def test_a_swarm_passes_updates_on_where_one_slow_upload_would_bound_all() -> None:
    """Nine with 80 Mbit/s and one with 8: its update must leave it once (1 s), or nine times (9 s)."""
    mixed = [*sites(9, flops=1_000, up=80, down=800), Site("thin", 1_000, 8, 800)]
    swarm, direct = plan(JOB, mixed), plan(replace(JOB, swarm=False), mixed)
    assert (swarm.exchange.own_s, swarm.exchange.sender) == (pytest.approx(1.0), "thin")
    assert (direct.exchange.own_s, direct.exchange.sender) == (pytest.approx(9.0), "thin")
    # 90 MB in all through 728 Mbit/s together
    assert swarm.exchange.together_s == pytest.approx(90 * 8 / 728)
    assert sum(share.upload_bytes for share in swarm.shares) == pytest.approx(90 * MB)
    assert sum(share.upload_bytes for share in direct.shares) == pytest.approx(90 * MB)
    assert "the upload of thin" in swarm.why
    assert "the upload of thin" in direct.why


@pytest.mark.parametrize(
    ("connections", "mb_per_s"),
    # 1460 B / 0.2 s x sqrt(1.5 / 0.01) = 89 kB/s for each. One QUIC stream over such a path was measured at 0.07 MB/s.
    [(1, 0.0894), (4, 0.358), (16, 1.43), (64, 2.5)],
)
def test_what_a_lossy_link_carries(connections: int, mb_per_s: float) -> None:
    carried = goodput(20, 0.2, 0.01, replace(JOB, connections=connections))
    assert carried == pytest.approx(mb_per_s * MB, rel=2e-3)


def test_a_lossy_link_is_named_with_what_would_help() -> None:
    made = plan(JOB, sites(2, flops=1_000, up=20, down=20, delay_s=0.05, loss=0.005))
    assert "of the 20 Mbit/s of site 0: more than 4 connections" in made.why


def test_paths_are_between_a_member_and_a_typical_other_one() -> None:
    """Delays of 10, 20 and 60 ms: to the median of the two others they are 50, 55 and 75 ms, there and back twice that."""
    three = [Site(name, 1_000, 1e6, 1e6, delay_s=delay) for name, delay in (("a", 0.01), ("b", 0.02), ("c", 0.06))]
    made = plan(replace(JOB, footprint=sends(10)), three)
    assert made.exchange.start_s == pytest.approx(0.15), (
        "one round trip of the slowest, since 10 bytes fit a first window"
    )
    assert made.times.talk_s == pytest.approx(2 * 2 * 0.06)


def test_audits_are_computed_and_disclosed() -> None:
    """Of each member's state of 4 MB a tenth of the rounds: before and after, to two, 1.6 MB in the mean; work + 20 %."""
    made = plan(replace(JOB, audit_rate=0.1, footprint=sends(MB, own_bytes=4 * MB)), sites(2, flops=1_000))
    assert made.times.audit_s == pytest.approx(0.2 * made.times.train_s)
    assert made.shares[0].download_bytes == pytest.approx(MB + 1.6 * MB)
    assert "Audits disclose 1.6 MB" in made.why


def test_memory_is_the_larger_of_training_and_applying() -> None:
    """1,000 parameters of 4 bytes: model and gradient, states old and new; or models old and new, and the payloads."""
    training = plan(
        replace(JOB, footprint=sends(10, own_bytes=5_000, shared_bytes=300), activation_bytes=7_000),
        sites(2, flops=1_000),
    )
    assert training.memory_bytes == 2 * 4_000 + 2 * 5_000 + 300 + 7_000
    applying = plan(replace(JOB, footprint=sends(MB, own_bytes=5_000, shared_bytes=300)), sites(3, flops=1_000))
    assert applying.memory_bytes == 2 * 4_000 + 2 * 300 + 5_000 + 3 * MB


def test_the_arithmetic_of_updates_is_counted_at_the_slowest_member() -> None:
    heavy = sends(1, encode_flops=100, apply_flops=20, apply_flops_each=5, unit_flops=10)
    made = plan(replace(JOB, footprint=heavy), [Site("fast", 3_000, 80, 80), Site("slow", 1_000, 80, 80)])
    assert made.times.encode_s == pytest.approx(0.1)
    assert made.times.apply_s == pytest.approx((20 + 2 * 5) / 1_000)
    assert made.times.train_s == pytest.approx(25 * (10 + 10) / 1_000)


def test_a_real_model_with_real_optimizers() -> None:
    """A small latent-attention model on four home links: voting needs a hundredth of the bytes of whole gradients."""
    model = MlaConfig(vocabulary=32_768, context=1_024, hidden=1_024, layers=12, heads=16, mlp_hidden=2_816)
    job = replace(
        JOB,
        parameters=parameter_count(model),
        flops_per_token=flops_per_token(model),
        sequence_length=1_024,
        sequences=256,
        unit_sequences=4,
        tokens=10**9,
        efficiency=0.9,
    )
    homes = [Site(f"home {number}", 20e12, 20, 100, delay_s=0.02) for number in range(4)]
    votes, whole = (
        plan(replace(job, footprint=footprint(config, shapes(model))), homes)
        for config in (DemoExactConfig(chunk=64, kept=8), AdamWConfig())
    )
    assert whole.shares[0].download_bytes / votes.shares[0].download_bytes > 100
    assert votes.utilisation > 10 * whole.utilisation
    assert whole.bound == "exchanging updates"
    assert votes.bound == "training"


SPEEDS = st.floats(1, 1e5)
LINKS = st.builds(
    Site,
    name=st.just("site"),
    flops=SPEEDS,
    up_mbit=SPEEDS,
    down_mbit=SPEEDS,
    delay_s=st.floats(0, 1),
    loss=st.floats(0, 0.5),
)
JOBS = st.builds(
    Job,
    parameters=st.integers(1, 10**9),
    flops_per_token=st.floats(1, 1e3),
    footprint=st.builds(sends, st.integers(1, 10**9)),
    sequence_length=st.integers(1, 100),
    sequences=st.integers(1, 1_000),
    unit_sequences=st.integers(1, 10),
    tokens=st.integers(1, 10**9),
    hidden=st.booleans(),
    swarm=st.booleans(),
    connections=st.integers(1, 16),
    efficiency=st.floats(0.1, 1),
    audit_rate=st.floats(0, 1),
)


@given(JOBS, st.lists(LINKS, min_size=1, max_size=8))
def test_a_plan_adds_up(job: Job, members: list[Site]) -> None:
    made = plan(job, members)
    assert 0 < made.utilisation <= 1 + 1e-9
    assert sum(share.units for share in made.shares) == max(job.sequences // job.unit_sequences, 1)
    assert made.round_s >= max(made.times.computing, made.times.networking) * (1 - 1e-12)
    assert made.round_s <= (made.times.computing + made.times.networking) * (1 + 1e-12)
    sent, received = (sum(getattr(share, name) for share in made.shares) for name in ("upload_bytes", "download_bytes"))
    assert sent >= received * (1 - 1e-9), "what is received was sent"
    assert made.tokens_per_s * made.days * 86_400 == pytest.approx(job.tokens)
    assert made.why.endswith(".")


@given(JOBS, st.lists(LINKS, min_size=2, max_size=6), st.floats(1, 10))
def test_better_links_never_make_a_round_longer(job: Job, members: list[Site], better: float) -> None:
    improved = [
        replace(
            site,
            up_mbit=site.up_mbit * better,
            down_mbit=site.down_mbit * better,
            loss=site.loss / better,
        )
        for site in members
    ]
    before, after = plan(job, members), plan(job, improved)
    # The start of a connection may double its window more often where the path carries more: a round trip for each.
    doublings = 2 * max(2 * site.delay_s for site in members) * 8
    assert after.round_s <= before.round_s * (1 + 1e-9) + doublings


@given(JOBS, st.lists(LINKS, min_size=1, max_size=6))
def test_hiding_the_network_never_makes_a_round_longer(job: Job, members: list[Site]) -> None:
    assert plan(replace(job, hidden=True), members).round_s <= plan(replace(job, hidden=False), members).round_s


def test_what_could_not_work_at_all_is_an_error() -> None:
    good = sites(1, flops=1)[0]
    for bad in (replace(good, flops=0), replace(good, up_mbit=-1), replace(good, loss=1.0), replace(good, delay_s=-1)):
        with pytest.raises(ValueError, match="site 0"):
            plan(JOB, [bad])
    for fields in ({"sequences": 0}, {"efficiency": 0.0}, {"audit_rate": 2.0}, {"connections": 0}):
        with pytest.raises(ValueError, match="above 0"):
            plan(replace(JOB, **fields), [good])
    with pytest.raises(ValueError, match="a member"):
        plan(JOB, [])


def test_a_server_is_given_every_update_before_others_fetch_it() -> None:
    """1 MB is put at 8 Mbit/s (1 s), then 1 MB and two and a half chunks are fetched at 80 Mbit/s: not at the same time."""
    made = plan(replace(JOB, relay=True), sites(2, flops=1_000, up=8, down=80, delay_s=0.01))
    assert (made.exchange.own_s, made.exchange.download_s) == (pytest.approx(1.0), pytest.approx(0.116384))
    # The server is 20 ms away: one round trip to ask, one to send, and one at whose end 14.6 kB of 20 have been sent. Members are
    # 40 ms apart: one to ask, three at whose end four connections have sent 7 x 58.4 kB of 3 x 400.
    assert made.exchange.start_s == pytest.approx((0.04 + 0.02 - 0.0146) + (0.04 + 0.12 - 0.04088))
    assert made.exchange.seconds == pytest.approx(1.116384 + made.exchange.start_s)
    assert made.shares[0].download_bytes == pytest.approx(1.16384 * MB)
    assert made.shares[0].upload_bytes == pytest.approx(MB + 0.5 * 1.16384 * MB), "the server gives the other half"
    assert "put on the server, 1 s at the upload of site 0, and fetched, 0.116 s" in made.why


def test_an_update_of_one_chunk_comes_from_its_author() -> None:
    made = plan(replace(JOB, relay=True, footprint=sends(60_000)), sites(3, flops=1_000, up=8, down=8))
    assert [share.upload_bytes for share in made.shares] == [pytest.approx(180_000)] * 3
    near = plan(replace(JOB, relay=True, footprint=sends(60_000)), sites(3, flops=1_000, up=8, down=8, delay_s=0.1))
    assert near.exchange.start_s == pytest.approx(0.2 + 0.4), (
        "asked and sent at once: windows are wide from the round before"
    )


def test_a_member_alone_puts_its_updates_on_the_server() -> None:
    made = plan(replace(JOB, relay=True), sites(1, flops=1_000, up=8, down=8))
    assert made.exchange.seconds == pytest.approx(1.0)
    assert (made.shares[0].upload_bytes, made.shares[0].download_bytes) == (pytest.approx(MB), 0)
