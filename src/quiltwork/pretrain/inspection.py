"""The verbs of `pretrain` that look at a run, plan one, or give its owner's orders. Thin, as `commands.py`."""

from __future__ import annotations

import json as json_module
from collections import deque
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Annotated, Any

import typer

from quiltwork.errors import UserError

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="the folder of a run, as `quiltwork runs` lists them")]
RunOrLog = Annotated[str, typer.Argument(metavar="RUN|LOG", help="the folder of a run, or the address of its log")]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON value for a script to read")]
Data = Annotated[Path | None, typer.Option(help="the folder at which relative paths of the data begin")]


def add_to(app: typer.Typer) -> None:
    """Register the verbs."""
    for verb, example in (
        (doctor, "quiltwork pretrain doctor 'http://host:8378#TOKEN'"),
        (replay, "quiltwork pretrain replay runs/demo"),
        (verify, "quiltwork pretrain verify runs/demo --round 12 --member coral"),
        (export, "quiltwork pretrain export runs/demo --out my_model"),
        (
            plan,
            "quiltwork pretrain plan consilience-40b --members 16 --tflops 3200 --up 1000 --down 1000 --delay-ms 40",
        ),
        (pause, "quiltwork pretrain pause runs/demo"),
        (resume, "quiltwork pretrain resume runs/demo"),
    ):
        app.command(epilog=f"Example: {example}")(verb)


def doctor(invitation: Annotated[str, typer.Argument(metavar="URL#TOKEN|LOG")], json: AsJson = False) -> None:
    """Try all that joining a run needs, and say what does not work, and why."""
    from quiltwork.pretrain.doctor import examine

    failed = False
    found = []
    for check in examine(invitation):
        failed = failed or check.ok is False
        found.append(check._asdict())
        if not json:
            mark = {True: "well  ", None: "note  ", False: "FAILED"}[check.ok]
            typer.echo(f"{mark}  {check.name:<16}  {check.said}")
    if json:
        typer.echo(json_module.dumps(found, indent=2))
    if failed:
        raise typer.Exit(1)


def replay(run: RunFolder, data: Data = None, json: AsJson = False) -> None:
    """Apply every round again, from the log and what was published, and compare each model with the one agreed on."""
    from quiltwork.log import verify as verify_log
    from quiltwork.pretrain.retrace import Retrace
    from quiltwork.run import Run

    rounds, wrong, model = 0, [], b""
    with Run.open(run, drive=False) as opened, Retrace(opened.log, opened.blobs, data=data) as retrace:
        proof = verify_log(opened.log)
        for _, _, retraced in retrace.models():
            rounds, model = retraced.number, retraced.model
            if not retraced.right:
                wrong.append(retraced.number)
            elif not json:
                typer.echo(f"\rround {rounds}  model {model[:8].hex()}  agreed", nl=False, err=True)
    if json:
        found = {
            "entries": proof.count,
            "head": str(proof.head),
            "rounds": rounds,
            "wrong": wrong,
            "model": model.hex(),
        }
        typer.echo(json_module.dumps(found, indent=2))
    else:
        typer.echo(f"\r{proof.count} entries, every hash and signature right; {rounds} rounds applied again.")
        typer.echo(
            f"Other models came out than were agreed on in the rounds {wrong}."
            if wrong
            else f"Every model is the one that was agreed on; the last is {model.hex()}."
        )
    if wrong:
        raise typer.Exit(1)


def verify(
    run: RunFolder,
    round: Annotated[int, typer.Option(min=1, help="the last round to compute again")],
    member: Annotated[str, typer.Option(help="a member's name, or the first digits of its key")],
    data: Data = None,
    json: AsJson = False,
) -> None:
    """Compute a member's work again, from its first round to this one, and say how alike the updates are."""
    from quiltwork.pretrain.retrace import Retrace, find_member
    from quiltwork.run import Run

    found: list[dict[str, Any]] = []
    with Run.open(run, drive=False) as opened, Retrace(opened.log, opened.blobs, data=data) as retrace:
        rounds = deque(retrace.closed_rounds(), maxlen=1)
        if not rounds:
            raise UserError(f"{run}: no round is over yet.")
        author = find_member(rounds[0][0], member)
        for step in retrace.steps(author, round):
            found.append({"round": step.round, "units": step.units, "alike": step.score, "same_state": step.same_state})
            if not json:
                said = "the same state" if step.same_state else "ANOTHER STATE"
                typer.echo(f"round {step.round:>5}  units {list(step.units)}  updates {step.score:.4f} alike  {said}")
    if json:
        typer.echo(json_module.dumps({"member": author.hex(), "steps": found}, indent=2))
    elif not found:
        typer.echo(f"{member} committed to nothing up to round {round}.")


def export(
    run: RunOrLog,
    out: Annotated[Path, typer.Option(help="the folder to make")],
    home: Annotated[
        Path | None, typer.Option(help="of a run without a server: the home of a member that was there at its end")
    ] = None,
    precision: Annotated[str, typer.Option(help="fp32 or bf16")] = "fp32",
    data: Data = None,
) -> None:
    """Write the run's last model as a folder that Hugging Face's `transformers` opens."""
    from quiltwork.blobs import FolderBlobs
    from quiltwork.log import verify as verify_log
    from quiltwork.log.open import open_log
    from quiltwork.pretrain.checkpoint.huggingface import write_safetensors
    from quiltwork.pretrain.meeting import is_log
    from quiltwork.pretrain.retrace import Retrace
    from quiltwork.run import Run

    if precision not in ("fp32", "bf16"):
        raise UserError(f"precision {precision!r} is neither fp32 nor bf16")
    if is_log(run) != (home is not None):
        raise UserError(
            "The model of a run without a server is in its members' homes: name one with --home."
            if home is None
            else "--home is for a run without a server, which is named by its log."
        )
    with ExitStack() as stack:
        if home is not None:
            log = stack.enter_context(closing(open_log(run)))
            verify_log(log)  # others can write to it, too
            trainer, loaded = stack.enter_context(Retrace(log, FolderBlobs(home / "blobs"), data=data)).kept()
            number, model = loaded.round, loaded.model
        else:
            opened = stack.enter_context(Run.open(Path(run), drive=False))
            retrace = stack.enter_context(Retrace(opened.log, opened.blobs, data=data))
            last = deque(retrace.models(), maxlen=1)
            if not last:
                raise UserError(f"{run}: no round is over yet, so there is nothing to export.")
            trainer, _, retraced = last[0]
            number, model = retraced.number, retraced.model
        storage = "bf16" if precision == "bf16" else "fp32"
        paths = write_safetensors(
            out,
            trainer.recipe.model,
            trainer.models[number].parameters,
            storage=storage,  # type: ignore[arg-type]
        )
    typer.echo(f"model {number} ({model[:8].hex()}), as agreed on: " + ", ".join(map(str, paths)))


def plan(
    config: Annotated[str, typer.Argument(help="a run's TOML file, or a preset: demo, consilience-40b")],
    members: Annotated[int, typer.Option(min=1, max=2_048, help="machines, all alike")] = 4,
    tflops: Annotated[float, typer.Option(min=1e-6, help="what each computes in a second, in 10^12 operations")] = 0.05,
    up: Annotated[float, typer.Option(min=0.001, help="Mbit/s that each can send")] = 50.0,
    down: Annotated[float, typer.Option(min=0.001, help="Mbit/s that each can receive")] = 200.0,
    delay_ms: Annotated[float, typer.Option(min=0, help="one way")] = 20.0,
    loss: Annotated[float, typer.Option(min=0, max=0.5, help="share of packets that are lost")] = 0.0,
    tokens: Annotated[float, typer.Option(min=0, help="the goal [default: those of total_steps]")] = 0.0,
    json: AsJson = False,
) -> None:
    """Say what a run would take: bytes, times, memory, days, and what it would be bound by."""
    from quiltwork.pretrain.planning import plan_text, planned

    found, job = planned(
        config, members=members, flops=tflops * 1e12, up=up, down=down, delay_s=delay_ms / 1e3, loss=loss, tokens=tokens
    )
    if json:
        from dataclasses import asdict

        typer.echo(json_module.dumps(asdict(found), indent=2))
    else:
        typer.echo(plan_text(found, job))


def pause(run: RunOrLog) -> None:
    """Lay a run down at the end of its round; its server goes on serving. Only its owner can."""
    from quiltwork.pretrain.entries import Paused
    from quiltwork.pretrain.orders import give

    give(run, Paused("asked to"))
    typer.echo("The run pauses at the end of its round.")


def resume(run: RunOrLog) -> None:
    """Take a paused run up again. Only its owner can."""
    from quiltwork.pretrain.entries import Resumed
    from quiltwork.pretrain.orders import give

    give(run, Resumed())
    typer.echo("The run goes on.")
