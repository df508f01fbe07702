"""The command `quiltwork doctor`."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from quiltwork.sandbox.machine import Finding, examine


def doctor(json: Annotated[bool, typer.Option("--json", help="Print JSON for a script to read.")] = False) -> None:
    """Say what this machine can do, and what it lacks. Exits with 1 if it cannot jail programs."""
    findings = examine()
    if json:
        typer.echo(msgspec.json.encode(findings).decode())
    else:
        typer.echo(report(findings))
    if not jails(findings):
        raise typer.Exit(1)


def jails(findings: list[Finding]) -> bool:
    """Whether a jail could be opened."""
    return any(finding.name == "jail" and finding.state != "no" for finding in findings)


def report(findings: list[Finding]) -> str:
    """Write findings for a person: one line each, then what to do."""
    wide = max(len(finding.name) for finding in findings)
    lines = [f"{finding.state:6}  {finding.name:{wide}}  {finding.detail}" for finding in findings]
    advice = [f"{finding.name}: {finding.advice}" for finding in findings if finding.advice]
    verdict = "This machine jails programs." if jails(findings) else "This machine cannot jail programs."
    return "\n".join([*lines, "", *advice, verdict])
