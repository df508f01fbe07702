"""A real Postgres server of one's own, in a temporary folder, reached by a socket."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import psycopg
import pytest

GUARDED, PASSWORD = "guarded", "a-word-that-nobody-may-see"
"""A user who needs a password, unlike the owner of the database."""


def binaries() -> Path:
    """Where Debian, or whoever else, puts the server."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    where = found[-1] if found else shutil.which("postgres")
    if not where:
        pytest.fail("Postgres's server is not installed; .ci/run installs it: apt-get install postgresql")
    return Path(where).parent


@dataclass
class PostgresServer:
    """A server that can be killed and started again."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def dsn(self) -> str:
        return f"host={self.folder} user=owner dbname=postgres"

    @property
    def url(self) -> str:
        return f"postgres:///postgres?host={self.folder}&user=owner"

    def make(self) -> None:
        """Make the database, and start the server."""
        self._run(
            "initdb", "-D", self.folder / "data", "-U", "owner", "-A", "trust", "--no-sync", "--locale=C", "-E", "UTF8"
        )
        access = self.folder / "data" / "pg_hba.conf"
        access.write_text(f"local all {GUARDED} scram-sha-256\nlocal all all trust\n")
        self.start()
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {GUARDED} LOGIN PASSWORD '{PASSWORD}'")  # type: ignore[arg-type]

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        options = {"listen_addresses": "", "fsync": "off", "shared_buffers": "16MB", "max_connections": "40"}
        command = [binaries() / "postgres", "-D", self.folder / "data", "-k", self.folder]
        command += [f"--{name}={value}" for name, value in options.items()]
        with (self.folder / "server.log").open("ab") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output, **_as_nobody())
        while True:
            try:
                psycopg.connect(self.dsn).close()
            except psycopg.OperationalError:
                assert self.process.poll() is None, (self.folder / "server.log").read_text()
                time.sleep(0.05)
            else:
                return

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """End the server at once (SIGQUIT: as in a crash)."""
        assert self.process is not None
        self.process.send_signal(how)
        self.process.wait()

    def _run(self, program: str, *arguments: object) -> None:
        command = [str(binaries() / program), *[str(each) for each in arguments]]
        ended = subprocess.run(command, capture_output=True, text=True, **_as_nobody())
        assert ended.returncode == 0, ended.stderr


def made() -> PostgresServer:
    folder = Path(mkdtemp(prefix="quiltwork-pg-", dir="/tmp"))  # a socket's path must be short
    if user := _as_nobody().get("user"):
        os.chown(folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
    server = PostgresServer(folder)
    server.make()
    return server


def _as_nobody() -> dict[str, Any]:
    """Postgres refuses to run as root; then it runs as a user who may do nothing."""
    if os.getuid() != 0:
        return {}
    names = [user.pw_name for user in pwd.getpwall()]
    user = "postgres" if "postgres" in names else "nobody"
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": [], "cwd": "/"}
