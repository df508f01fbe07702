"""What `quiltwork doctor` says."""

from __future__ import annotations

import json

import pytest
import typer

from quiltwork.sandbox import commands, machine, view
from quiltwork.sandbox.machine import Finding, examine


@pytest.fixture(autouse=True)
def _few_rounds(monkeypatch):
    monkeypatch.setattr(commands, "examine", lambda: examine(rounds=2))


def test_a_machine_that_can_jail_is_told_so(jail, capsys):
    commands.doctor(json=False)
    said = capsys.readouterr().out
    assert "This machine jails programs." in said
    assert "ms per program" in said
    assert "bubblewrap" in said


def test_a_script_reads_it_as_json(jail, capsys):
    commands.doctor(json=True)
    found = {each["name"]: each for each in json.loads(capsys.readouterr().out)}
    assert found["jail"]["state"] == "yes"
    assert found["--trust"]["state"] == "partly"


def test_a_machine_that_cannot_is_told_what_to_install_and_exits_with_one(monkeypatch, capsys):
    monkeypatch.setattr(view, "bubblewraps", list)
    with pytest.raises(typer.Exit) as caught:
        commands.doctor(json=False)
    assert caught.value.exit_code == 1
    said = capsys.readouterr().out
    assert "cannot jail programs" in said
    assert "apt install bubblewrap" in said


def test_a_missing_filter_is_advised_upon(monkeypatch):
    def missing(*, jailed):
        raise OSError("libseccomp cannot be loaded")

    monkeypatch.setattr(machine.syscalls, "filters", missing)
    found = {each.name: each for each in examine(rounds=1)}
    assert found["system-call filter"] == Finding(
        "system-call filter", "no", "libseccomp cannot be loaded", "apt install libseccomp2"
    )
