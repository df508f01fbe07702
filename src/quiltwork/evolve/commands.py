"""The command line of `evolve`. Thin: it reads words, calls the room, and prints."""

from __future__ import annotations

import json as json_module
import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quiltwork.errors import UserError

if TYPE_CHECKING:
    from quiltwork.evolve.config import ProblemConfig
    from quiltwork.evolve.problem import Problem
    from quiltwork.evolve.session import Session
    from quiltwork.models import ModelConfig

app = typer.Typer(
    help="Improve programs by proposals and evaluators. Begin with: quiltwork evolve new my_problem",
    no_args_is_help=True,
    rich_markup_mode=None,
)

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="the folder of a run, as `quiltwork runs` lists them")]
ProblemFolder = Annotated[Path, typer.Argument(metavar="DIR", help="the folder of a problem")]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON value for a script to read")]
Cassette = Annotated[
    Path | None, typer.Option(help="recorded replies to use instead of asking any model: see `evolve cassette`")
]
WorkersOn = Annotated[str, typer.Option(help="where evaluators run: local, ray, or ray:ADDRESS of a cluster")]
Trust = Annotated[bool, typer.Option("--trust", help="run programs without the jail: only for code that you trust")]


def _default_workers() -> int:
    return max(1, len(os.sched_getaffinity(0)))


@app.command(epilog="Example: quiltwork evolve new my_problem && quiltwork evolve run my_problem")
def new(folder: ProblemFolder) -> None:
    """Write a commented problem that runs, for you to change."""
    from quiltwork.evolve.scaffold import write_problem

    for path in write_problem(folder):
        typer.echo(f"wrote {path}")
    typer.echo(f"\nNext: quiltwork evolve check {folder}\n      quiltwork evolve run {folder}")


@app.command(epilog="Example: quiltwork evolve check gallery/circle_packing_26")
def check(folder: ProblemFolder, trust: Trust = False, json: AsJson = False) -> None:
    """Read a problem folder, score the program it starts from, and say what a run would do."""
    from quiltwork.evolve.check import check_problem

    report = check_problem(folder, trust=trust)
    typer.echo(json_module.dumps(report.as_data(), indent=2) if json else report.as_text())
    if not report.passed:
        raise typer.Exit(1)


@app.command("import", epilog="Example: quiltwork evolve import my_openevolve_folder --out my_problem")
def import_folder(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a folder of OpenEvolve or ShinkaEvolve")],
    out: Annotated[Path, typer.Option(help="the problem's folder, to be made")],
    stages: Annotated[
        bool, typer.Option("--stages", help="OpenEvolve's cascade as stages: below a threshold a program is refused")
    ] = False,
    json: AsJson = False,
) -> None:
    """Turn a folder of OpenEvolve or ShinkaEvolve into a problem, and say what became of every key of its configuration."""
    from quiltwork.evolve.neighbours import find
    from quiltwork.evolve.neighbours.folder import NeighbourError

    imported = find(folder, stages=stages)
    if imported is None:
        raise NeighbourError(
            f"{folder}: neither OpenEvolve's layout (initial_program.*, evaluator.py) nor ShinkaEvolve's "
            "(initial.*, evaluate.py)"
        )
    imported.write(out)
    typer.echo(json_module.dumps(imported.as_data(), indent=2) if json else imported.as_text(out))


@app.command(
    epilog="Example: quiltwork evolve run gallery/circle_packing_26 --budget 500evals --seed 7 --set islands=4",
)
def run(
    folder: ProblemFolder,
    budget: Annotated[
        str | None,
        typer.Option(help="500evals, 120cpu-s, 90s, 2h, 200ktokens or 1.50usd; several with commas: 500evals,2usd"),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help="a model to ask, as `quiltwork models list` names it, or URL#ID; may be given several times"),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="equal seeds and evaluations give equal histories [default: 0]")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=256, help="worker processes [default: one per core]")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="the run's folder [default: runs/NAME-TIME]")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="a setting: kind=random of [search], or llm.repair=false"),
    ] = None,
    cassette: Cassette = None,
    workers_on: WorkersOn = "local",
    trust: Trust = False,
    json: AsJson = False,
) -> None:
    """Improve a problem's program, live; ends with where it stands and a report."""
    from quiltwork.evolve.budget import parse_budget
    from quiltwork.evolve.problem import Problem
    from quiltwork.evolve.session import begin, with_models

    problem = Problem.load(folder)
    if problem.imported is not None:
        typer.echo(problem.imported.notice, err=True)
    path = out or Path("runs") / f"{folder.resolve().name}-{datetime.now():%Y%m%d-%H%M%S}"
    amount = parse_budget(budget) if budget else None
    models = _models(model or [])
    _check_call(workers_on, cassette, with_models(problem.config, models))
    begin(
        problem,
        path,
        seed=_seed(seed, problem),
        budget=amount,
        settings=_settings(settings or []),
        models=models,
    )
    _drive(path, workers=workers, on=workers_on, trust=trust, json=json, cassette=cassette, more=None)


@app.command(epilog="Example: quiltwork evolve resume runs/circles --budget 500evals")
def resume(
    path: RunFolder,
    budget: Annotated[str | None, typer.Option(help="this much more than it had [default: what is left of it]")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=256, help="worker processes [default: one per core]")
    ] = None,
    cassette: Cassette = None,
    workers_on: WorkersOn = "local",
    trust: Trust = False,
    json: AsJson = False,
) -> None:
    """Take a run up where it was laid down, or where it was killed."""
    _drive(path, workers=workers, on=workers_on, trust=trust, json=json, cassette=cassette, more=budget)


@app.command(epilog="Example: quiltwork evolve cassette runs/circles --out circles.cassette.jsonl")
def cassette(
    path: RunFolder,
    out: Annotated[Path, typer.Option(help="the file to write")],
) -> None:
    """Write the replies of a run's models into a file, with which the same run can be made again offline, bit for bit."""
    from quiltwork.evolve.recording import replies
    from quiltwork.models.cassette import save

    with _opened(path, drive=False) as session:
        count = save(out, replies(session.run))
    typer.echo(f"wrote {count} replies to {out}; use them with: quiltwork evolve run DIR --cassette {out}")


@app.command(epilog="Example: quiltwork evolve status runs/circles --json")
def status(path: RunFolder, json: AsJson = False) -> None:
    """Say where a run stands; it may be running meanwhile."""
    from quiltwork.evolve.display.panel import final_table
    from quiltwork.evolve.display.snapshot import snapshot
    from quiltwork.evolve.summary import summary

    with _opened(path, drive=False) as session:
        view = snapshot(session.state, session.problem)
        if json:
            typer.echo(json_module.dumps(summary(session), indent=2))
            return
        from rich.console import Console

        Console().print(final_table(view))


@app.command(epilog="Example: quiltwork evolve best runs/circles --out best_circles")
def best(
    path: RunFolder,
    out: Annotated[Path, typer.Option(help="the folder to write it to")],
    step: Annotated[int | None, typer.Option(min=0, help="another step's program [default: the best]")] = None,
) -> None:
    """Write the best program, its score, its certificate and its artifacts into a folder."""
    from quiltwork.evolve.replay import save_best
    from quiltwork.evolve.verdict import best_of

    with _opened(path, drive=False) as session:
        for written in save_best(session, best_of(session, step), out):
            typer.echo(f"wrote {written}")


@app.command(epilog="Example: quiltwork evolve report runs/circles --out circles.html")
def report(
    path: RunFolder,
    out: Annotated[Path | None, typer.Option(help="the file to write [default: RUN/report.html]")] = None,
) -> None:
    """Write the run's report: one HTML file that needs nothing else and can be mailed."""
    with _opened(path, drive=False) as session:
        typer.echo(f"wrote {_write_report(session, out or path / 'report.html')}")


@app.command(epilog="Example: quiltwork evolve history runs/circles --digest")
def history(
    path: RunFolder,
    digest: Annotated[bool, typer.Option("--digest", help="print only the history's digest")] = False,
    json: AsJson = False,
) -> None:
    """List the committed steps, or print the digest that equal histories share."""
    with _opened(path, drive=False) as session:
        state = session.state
        if digest:
            typer.echo(json_module.dumps({"digest": state.digest.hex()}) if json else state.digest.hex())
            return
        for member in state.members.values():
            row = {
                "step": member.step,
                "arm": member.arm,
                "island": member.island,
                "parents": member.parents,
                "verdict": member.verdict,
                "metrics": member.metrics,
                "note": member.note,
            }
            values = " ".join(f"{name}={value:.10g}" for name, value in member.metrics.items())
            line = f"{member.step:6d} {member.arm:8} <- {','.join(map(str, member.parents)):6} {member.verdict:10} {values}"
            typer.echo(json_module.dumps(row) if json else f"{line}  {member.note}")


@app.command(epilog="Example: quiltwork evolve replay runs/circles --check --limit 20")
def replay(
    path: RunFolder,
    check: Annotated[
        bool, typer.Option("--check", help="also evaluate the elites again and compare bit by bit")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="elites to evaluate again, best first")] = 10,
    trust: Trust = False,
    json: AsJson = False,
) -> None:
    """Derive the whole state again from the log, verified; with --check evaluate programs again too."""
    from quiltwork.evolve.replay import elites, recheck
    from quiltwork.evolve.summary import summary
    from quiltwork.log import verify

    with _opened(path, drive=False) as session:
        verified = verify(session.run.log)
        results = list(recheck(session, elites(session)[:limit], trust=trust)) if check else []
        if json:
            rows = [
                {"step": r.step, "agrees": r.agrees, "recorded": r.recorded, "now": r.now, "verdict": r.verdict}
                for r in results
            ]
            typer.echo(json_module.dumps({**summary(session), "entries": verified.count, "rechecked": rows}, indent=2))
        else:
            typer.echo(f"{verified.count} entries, chain and signatures verified; digest {session.state.digest.hex()}")
            for result in results:
                said = "agrees" if result.agrees else f"DIFFERS: {result.verdict} {result.now} {result.detail}"
                typer.echo(f"step {result.step}: {result.recorded}: {said}")
        if not all(result.agrees for result in results):
            raise typer.Exit(1)


@app.command(epilog="Example: quiltwork evolve certify runs/circles --out certificate.json")
def certify(
    path: RunFolder,
    out: Annotated[Path | None, typer.Option(help="the file to write [default: RUN/certificate.json]")] = None,
    step: Annotated[int | None, typer.Option(min=0, help="another step's construction [default: the best]")] = None,
    json: AsJson = False,
) -> None:
    """Prove the best construction's value in exact arithmetic and write the certificate."""
    from quiltwork.evolve.certify import write_certificate
    from quiltwork.evolve.verdict import best_of
    from quiltwork.evolve.verdict import certify as certify_member

    with _opened(path, drive=False) as session:
        member = best_of(session, step)
        certificate, _ = certify_member(session, member)
        target = out or path / "certificate.json"
        write_certificate(certificate, target)
        if json:
            data = {
                "step": member.step,
                "value": str(certificate.value),
                "claim": certificate.claim,
                "file": str(target),
            }
            typer.echo(json_module.dumps(data, indent=2))
        else:
            typer.echo(f"{certificate.claim}\nexact value {certificate.value} = {float(certificate.value):.13f}")
            typer.echo(f"wrote {target}; check it with the problem's check.py")


def _drive(
    path: Path,
    *,
    workers: int | None,
    on: str,
    trust: bool,
    json: bool,
    cassette: Path | None,
    more: str | None,
) -> None:
    from quiltwork.evolve.budget import parse_budget
    from quiltwork.evolve.display.panel import Panel, final_table
    from quiltwork.evolve.display.snapshot import snapshot
    from quiltwork.evolve.estimate import estimate
    from quiltwork.evolve.session import drive
    from quiltwork.evolve.summary import summary
    from quiltwork.evolve.verdict import judge

    extension = parse_budget(more) if more else None
    with _opened(path, drive=True) as session:
        _check_call(on, cassette, session.problem.config)
        if extension is not None:
            session.state.budget.extended(extension)  # says so if it cannot be, before anything is shown
        if said := estimate(session.problem, session.state.budget, session.problem.config.models):
            typer.echo(said, err=True)
        panel = Panel(lambda: snapshot(session.state, session.problem, session.heard), quiet=json)
        with panel:
            reason = drive(
                session,
                workers=workers or _default_workers(),
                kind=on,
                trust=trust,
                more=extension,
                cassette=cassette,
                watch=panel.watch,
            )
        if reason not in ("interrupted", "model"):
            judge(session, trust=trust)
        written = _write_report(session, path / "report.html")
        if json:
            typer.echo(json_module.dumps({**summary(session), "stopped": reason, "report": str(written)}, indent=2))
            return
        from rich.console import Console

        console = Console()
        console.print(final_table(snapshot(session.state, session.problem)))
        if (step := session.state.best) is not None and (certified := session.state.certified.get(step)):
            console.print(f"certified: {certified.claim}", highlight=False)
        console.print(f"run     {path}\nreport  {written}", highlight=False, soft_wrap=True)
        if reason == "model":
            raise UserError(f"{session.trouble}\nNothing is lost; go on with: quiltwork evolve resume {path}")
        if reason == "interrupted":
            console.print(f"interrupted; go on with: quiltwork evolve resume {path}", highlight=False, soft_wrap=True)


def _models(names: list[str]) -> tuple[ModelConfig, ...]:
    if not names:
        return ()
    from quiltwork.models.settings import resolve_models

    return resolve_models(names)


def _seed(said: int | None, problem: Problem) -> int:
    """The seed of a run: what the user says, else what a neighbour's configuration says, else 0."""
    if said is not None:
        return said
    return (problem.imported.seed or 0) if problem.imported is not None else 0


def _check_call(on: str, cassette: Path | None, config: ProblemConfig) -> None:
    """Find out what cannot work before a run is made, and before anything is shown."""
    from quiltwork.evolve.session import check_cassette
    from quiltwork.workers import check_kind

    check_kind(on)
    if cassette is not None:
        check_cassette(cassette, config)


def _opened(path: Path, *, drive: bool) -> Any:
    from quiltwork.evolve.session import opened

    return opened(path, drive=drive)


def _write_report(session: Session, path: Path) -> Path:
    from quiltwork.evolve.report import write_report
    from quiltwork.evolve.report.collect import collect

    write_report(collect(session), path)
    return path


def _settings(pairs: list[str]) -> dict[str, Any]:
    """`field=value` pairs; values are read as JSON where they can be, else as text; commas make a list of names."""
    found: dict[str, Any] = {}
    for pair in pairs:
        field, equals, text = pair.partition("=")
        if not equals:
            raise UserError(f"--set {pair}: write it as FIELD=VALUE, such as islands=4 or arms=mutate,tune")
        try:
            found[field] = json_module.loads(text)
        except ValueError:
            found[field] = text.split(",") if field == "arms" else text
    return found
