"""From a run's TOML file and a few numbers about its members to a plan, and the plan in words."""

from __future__ import annotations

from quiltwork.errors import UserError
from quiltwork.pretrain.architectures import flops_per_token, parameter_count, shapes
from quiltwork.pretrain.footprint import footprint
from quiltwork.pretrain.plan import Job, Plan, Site, plan
from quiltwork.pretrain.recipe import load

SAY_S = 0.03
"""From saying something until all have read it, without the link: signing, the server's disk, a folded entry at each member
(`benchmarks/pretrain_plan.py`: what is left of a round on one machine, without its work, is twice this)."""


def planned(
    config: str,
    *,
    members: int,
    flops: float,
    up: float,
    down: float,
    delay_s: float,
    loss: float,
    tokens: float = 0.0,
) -> tuple[Plan, Job]:
    """Plan a run with `members` equal machines. `flops` a second each, rates in Mbit/s. Raises UserError.

    The batch is that at the end of the ramp, since most of a run is trained with it.
    """
    run = load(config)
    rules = run.rules
    if members < rules.min_clients:
        raise UserError(f"{config} wants at least {rules.min_clients} members, and {members} are planned: --members")
    sequences = rules.global_batch_size_end
    goal = tokens or rules.total_steps * sequences * run.data.sequence_length
    job = Job(
        parameters=parameter_count(run.model),
        flops_per_token=flops_per_token(run.model, run.data.sequence_length),
        footprint=footprint(run.optimizer, shapes(run.model)),
        sequence_length=run.data.sequence_length,
        sequences=sequences,
        unit_sequences=rules.unit_sequences,
        tokens=round(goal),
        hidden=bool(rules.overlap),
        audit_rate=rules.verification_percent / 100,
        relay=True,
        say_s=SAY_S,
    )
    sites = [
        Site(f"member {number}", flops=flops, up_mbit=up, down_mbit=down, delay_s=delay_s, loss=loss)
        for number in range(1, members + 1)
    ]
    return plan(job, sites), job


def plan_text(found: Plan, job: Job) -> str:
    """Tell a plan."""
    share = found.shares[0]
    rows = [
        ("model", f"{job.parameters / 1e6:,.2f} million parameters, {job.flops_per_token / 1e9:,.3f} GFLOP per token"),
        (
            "update",
            f"{job.footprint.payload_bytes / 1e6:,.3f} MB, {4 * job.parameters / job.footprint.payload_bytes:,.0f} "
            "times less than fp32 gradients",
        ),
        (
            "round",
            f"{found.round_s:,.2f} s: " + ", ".join(f"{s:,.2f} s {name}" for name, s in found.times.parts.items()),
        ),
        ("each sends", f"{share.upload_bytes / 1e6:,.2f} MB and receives {share.download_bytes / 1e6:,.2f} MB a round"),
        ("memory", f"{found.memory_bytes / 1e9:,.2f} GB at each member, without activations"),
        ("utilisation", f"{found.utilisation:.1%} of the machines, {found.tokens_per_s:,.0f} tokens/s"),
        ("to the goal", f"{found.days:,.1f} days for {job.tokens / 1e9:,.1f} billion tokens"),
        ("enough", f"{found.enough_mbit:,.1f} Mbit/s of download would hide the network behind the computing"),
    ]
    return "\n".join(f"{name:<12} {text}" for name, text in rows) + f"\n\n{found.why}"
