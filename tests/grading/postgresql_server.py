"""A PostgreSQL server of our own: Debian's, on a private socket, without a network, gone after the tests."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

USER = "course"
_PLACES = "/usr/lib/postgresql"
_ACCOUNT = "postgres"


def missing() -> str:
    """What keeps a server from being started here; "" where nothing does."""
    if os.name != "posix":
        return "the server is started as on POSIX systems"
    if _programs() is None:
        return "there is no PostgreSQL server here (on Debian and Ubuntu: apt-get install postgresql)"
    try:
        import psycopg  # noqa: F401
    except ImportError:
        return "the package psycopg is not installed"
    return ""


def _programs() -> Path | None:
    found = sorted(Path(_PLACES).glob("*/bin/initdb")) or [Path(p) for p in [shutil.which("initdb")] if p]
    return found[-1].parent if found else None


@contextmanager
def server() -> Iterator[Path]:
    """Start a server; yields the folder of its socket."""
    programs = _programs()
    assert programs is not None
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # a socket's name must be short
    as_whom: dict[str, Any] = {}
    if os.geteuid() == 0:  # the server refuses to run as root
        account = pwd.getpwnam(_ACCOUNT)
        os.chown(folder, account.pw_uid, account.pw_gid)
        as_whom = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    data = folder / "data"

    def run(program: str, *arguments: str) -> None:
        command = [str(programs / program), "--pgdata", str(data), *arguments]
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
        log = folder / "programs.log"
        with log.open("ab") as file:
            done = subprocess.run(
                command, cwd=folder, stdout=file, stderr=file, check=False, env=environment, **as_whom
            )
        assert done.returncode == 0, log.read_text()

    try:
        run("initdb", "--username", USER, "--auth", "trust", "--encoding", "UTF8", "--no-sync")
        options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
        run("pg_ctl", "--wait", "--log", str(folder / "server.log"), "--options", options, "start")
        try:
            yield folder
        finally:
            run("pg_ctl", "--wait", "--mode", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
