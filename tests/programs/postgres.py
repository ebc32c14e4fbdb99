"""A temporary PostgreSQL cluster for tests, reachable by a Unix socket only, and databases in it."""

import itertools
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

_USERS = ("postgres", "nobody")
_SETTINGS = ("listen_addresses=", "max_connections=50", "log_min_messages=log")
_numbers = itertools.count(1)


class Cluster:
    """One server, run by a user other than root: PostgreSQL refuses to run as root."""

    def __init__(self, folder: Path, programs: Path, *, fsync: bool) -> None:
        """Initialises the data folder.

        Args:
            folder: Folder of the data and the socket.
            programs: Folder of initdb and postgres.
            fsync: Sync each commit. Tests that lose no power save this time.
        """
        self.folder = folder
        self._data = folder / "data"
        self._programs = programs
        self._settings = (*_SETTINGS, f"fsync={fsync}", f"unix_socket_directories={folder}")
        self._under = _as_nobody(folder)
        words = ("-U", "foodsort", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        command = [*self._under, programs / "initdb", "-D", self._data, *words]
        process = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
        assert process.returncode == 0, process.stdout + process.stderr
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts the server, unless it runs, and waits until it accepts connections."""
        if self._server:
            return
        settings = (f"--{setting}" for setting in self._settings)
        # The server ends with the tests, also when they are killed.
        command = [*self._under, "--pdeathsig", "INT", self._programs / "postgres", "-D", self._data, *settings]
        with (self.folder / "log").open("ab") as log:
            self._server = subprocess.Popen(command, stdout=log, stderr=log, cwd="/")
        end = time.monotonic() + 60
        while True:
            try:
                self.ask("SELECT 1")
            except psycopg.OperationalError:
                assert self._server.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < end, (self.folder / "log").read_text()
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """Stops the server in spite of open connections and waits for its end."""
        if self._server:
            self._server.send_signal(signal.SIGINT)  # a fast shutdown
            self._server.wait(60)
            self._server = None

    def ask(self, statement: str, *words: Any, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Runs a statement in a transaction and connection of its own."""
        with psycopg.connect(
            host=str(self.folder), user="foodsort", dbname=database, autocommit=True, connect_timeout=30
        ) as connection:
            cursor = connection.execute(statement, words or None)
            return cursor.fetchall() if cursor.description else []

    def make(self, encoding: str = "UTF8") -> sa.URL:
        """Creates an empty database. With UTF8 it collates by English rules, not by code points."""
        name = f"photos_{next(_numbers)}"
        locale = "LOCALE_PROVIDER icu ICU_LOCALE 'en-US'" if encoding == "UTF8" else ""
        self.ask(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' {locale}")
        return sa.make_url(f"postgresql+psycopg://foodsort@/{name}?host={self.folder}")

    def drop(self, address: sa.URL) -> None:
        """Drops a database in spite of open connections."""
        self.ask(f"DROP DATABASE {address.database} WITH (FORCE)")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A server for the whole test session."""
    folder = programs()
    if folder is None:
        pytest.skip("no server of PostgreSQL 15 or newer is installed (Debian's package postgresql)")
    with served(folder) as cluster:
        yield cluster


@contextmanager
def served(programs: Path, *, fsync: bool = False) -> Iterator[Cluster]:
    """Runs a new server and removes it afterwards."""
    # Not in pytest's own folder, which other users cannot enter. The path of a socket has to be short, too.
    with tempfile.TemporaryDirectory(prefix="foodsort-pg-", dir="/tmp") as folder:
        cluster = Cluster(Path(folder), programs, fsync=fsync)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


@contextmanager
def made(cluster: Cluster, encoding: str = "UTF8") -> Iterator[sa.URL]:
    """Creates a database and drops it afterwards."""
    address = cluster.make(encoding)
    try:
        yield address
    finally:
        cluster.drop(address)


def programs() -> Path | None:
    """Folder of initdb and postgres, version 15 or newer; Debian has one folder a version, outside of PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    on_path = shutil.which("initdb")
    folders = [*debian, *([Path(on_path).resolve().parent] if on_path else [])]
    return next((folder for folder in folders if _version(folder / "postgres") >= 15), None)


def _version(program: Path) -> int:
    if not program.exists():
        return 0
    output = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    return int(re.findall(r"\d+", output)[0])  # postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)


def _as_nobody(folder: Path) -> list[str | Path]:
    """Prefix of a command that runs it as the folder's new owner, a user other than root."""
    if os.geteuid() != 0:
        return ["setpriv"]
    user = next(pwd.getpwnam(name) for name in _USERS if name in {entry.pw_name for entry in pwd.getpwall()})
    os.chown(folder, user.pw_uid, 0)
    folder.chmod(0o710)  # root without CAP_DAC_OVERRIDE has to enter, too
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
