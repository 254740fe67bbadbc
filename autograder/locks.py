"""Locks: one grader at a time where two would be in each other's way.

A gradebook in a file is used on one machine: files beside it are the locks. One on a PostgreSQL server is used from
many: there they are the server's advisory locks (https://www.postgresql.org/docs/current/explicit-locking.html), each
held by a connection of its own. Either way the system frees a lock however its holder ends.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from autograder.database import GradebookError, beside, explained, on_server

GRADEBOOK = "gradebook"
"""Held by whoever makes the gradebook's tables, enters a lesson, or draws a seed."""
PATIENCE = 60.0
"""Seconds to wait for another process that holds it."""
_OFTEN = 0.05
# A grader whose machine lost its power is given up after this many seconds, not after two hours.
_KEEPALIVE = {"tcp_keepalives_idle": 60, "tcp_keepalives_interval": 10, "tcp_keepalives_count": 3}


@contextmanager
def hold(
    db_url: str, root: Path, name: str, *, patience: float = PATIENCE, parts: Sequence[str] = ()
) -> Iterator[None]:
    """Hold a lock for this process.

    Args:
        db_url: where the gradebook is.
        root: the course's folder.
        name: of the lock.
        patience: seconds to wait for another holder.
        parts: only these parts of it, where the locks are on a server: holders of other parts are not in the way.

    Raises:
        GradebookError: when another one holds it, or the server does not answer.
    """
    if not on_server(db_url):
        path = beside(db_url, root, f"{name}.lock")
        try:
            lock = FileLock(path)
            lock.acquire(timeout=patience)
        except Timeout:
            raise GradebookError(_busy(name, f"it holds {path.name}")) from None
        try:
            yield
        finally:
            lock.release()
        return
    with explained(db_url):
        engine = create_engine(db_url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        connection = engine.connect()
    try:
        with explained(db_url):
            for setting, value in _KEEPALIVE.items():
                connection.execute(text(f"SET {setting} = {value}"))
            _take(connection, name, patience, shared=bool(parts))
            for part in sorted(set(parts)):
                _take(connection, f"{name}/{part}", patience)
        yield
    finally:
        connection.close()  # and with it every lock


def _take(connection: Connection, name: str, patience: float, *, shared: bool = False) -> None:
    function = "pg_try_advisory_lock_shared" if shared else "pg_try_advisory_lock"
    key = int.from_bytes(hashlib.sha256(f"autograder {name}".encode()).digest()[:8], signed=True)
    until = time.monotonic() + patience
    while not connection.scalar(text(f"SELECT {function}(:key)"), {"key": key}):
        if time.monotonic() >= until:
            raise GradebookError(_busy(name, "its lock is on the gradebook's server"))
        time.sleep(_OFTEN)


def _busy(name: str, where: str) -> str:
    return (
        f"Another grader is at work on {name} ({where}). Wait until it has ended, or stop it; what it has graded is "
        "recorded."
    )
