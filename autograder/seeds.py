"""Secret seeds, one a lesson: the judge draws its cases from it. Kept beside the gradebook, or in it on a server."""

from __future__ import annotations

import secrets
from pathlib import Path

from sqlalchemy import Column, MetaData, String, Table, create_engine, delete, insert, inspect, select

from autograder import locks
from autograder.database import GradebookError, beside, explained, on_server
from autograder.files import remove_parts, write_atomically

_SEEDS = Table(
    "course_seed",
    MetaData(),
    Column("lesson", String(128), primary_key=True),
    Column("seed", String(50), nullable=False),
)


def seed_path(db_url: str, root: Path, lesson: str) -> Path:
    """Where the lesson's seed is kept when the gradebook is a file."""
    return beside(db_url, root, f"{lesson}.secret")


def secret_seed(db_url: str, root: Path, lesson: str, *, new: bool = False) -> int:
    """The lesson's seed, drawn at the first call or where a `new` one is asked for.

    Beside a gradebook in a file it is a file that only its owner can read. Graders who share a server share the seed.

    Raises:
        GradebookError: when what is kept is no seed, or the server does not answer.
    """
    with locks.hold(db_url, root, locks.GRADEBOOK):  # two that draw at once get the same one
        if on_server(db_url):
            where, kept = f"The table {_SEEDS.name}", _in_database(db_url, lesson, new=new)
        else:
            path = seed_path(db_url, root, lesson)
            where, kept = str(path), _in_file(path, new=new)
    return _as_seed(kept, where, lesson)


def seed_for_trial(db_url: str, root: Path, lesson: str, *, new: bool = False) -> int:
    """The lesson's seed, or one that nobody will know where none is kept or a `new` one is asked for; keeps nothing.

    Raises:
        GradebookError: when what is kept is no seed, or the server does not answer.
    """
    kept, where = None, f"The table {_SEEDS.name}"
    if on_server(db_url):
        with explained(db_url):
            engine = create_engine(db_url)
            try:
                with engine.connect() as connection:
                    if inspect(connection).has_table(_SEEDS.name):
                        kept = connection.scalar(select(_SEEDS.c.seed).where(_SEEDS.c.lesson == lesson))
            finally:
                engine.dispose()
    elif (path := seed_path(db_url, root, lesson)).exists():
        where, kept = str(path), path.read_text(encoding="utf-8", errors="replace").strip()
    return int(_drawn()) if new or kept is None else _as_seed(kept, where, lesson)


def _as_seed(kept: str, where: str, lesson: str) -> int:
    if not (kept.isascii() and kept.isdigit() and len(kept) <= 50):
        raise GradebookError(
            f"{where} holds no seed for {lesson}. Draw a new one, with which everybody is graded again: "
            f"`python -m autograder grade {lesson} --new-seed`."
        )
    return int(kept)


def _drawn() -> str:
    return str(secrets.randbits(128))


def _in_file(path: Path, *, new: bool) -> str:
    if new or not path.exists():
        write_atomically(path, f"{_drawn()}\n", mode=0o600)
        remove_parts(path)
    return path.read_text(encoding="utf-8", errors="replace").strip()


def _in_database(db_url: str, lesson: str, *, new: bool) -> str:
    with explained(db_url):
        engine = create_engine(db_url)
        try:
            with engine.begin() as connection:
                _SEEDS.create(connection, checkfirst=True)
                this = _SEEDS.c.lesson == lesson
                kept = connection.scalar(select(_SEEDS.c.seed).where(this))
                if new or kept is None:
                    kept = _drawn()
                    connection.execute(delete(_SEEDS).where(this))
                    connection.execute(insert(_SEEDS).values(lesson=lesson, seed=kept))
        finally:
            engine.dispose()
    return str(kept)
