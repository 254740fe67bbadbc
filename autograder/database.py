"""Where the gradebook is: a file beside the course, or a PostgreSQL server that many graders share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

_SETTING = "c.CourseDirectory.db_url in nbgrader_config.py"
_FORM = "postgresql+psycopg://USER@HOST/DATABASE"


class GradebookError(RuntimeError):
    """Something between us and the gradebook that the instructor can mend; the message says how."""


def on_server(db_url: str) -> bool:
    """Whether the gradebook is on a PostgreSQL server."""
    return make_url(db_url).get_backend_name() == "postgresql"


def file_of(db_url: str, root: Path) -> Path | None:
    """The gradebook's file; None where it is in no file."""
    url = make_url(db_url)
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return root / str(url.database)


def beside(db_url: str, root: Path, name: str) -> Path:
    """The file `name` beside the gradebook, or in the course where that is on a server."""
    path = file_of(db_url, root)
    return (root if path is None else path.parent) / name


@contextmanager
def explained(db_url: str) -> Iterator[None]:
    """Turn what keeps a database from being opened into a sentence; a password is never shown.

    Raises:
        GradebookError: where the driver is missing, the address is none, or nobody answers there.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in ("psycopg", "psycopg2"):
            raise
        raise GradebookError(
            "The gradebook is on a PostgreSQL server, and the package that speaks to it is not installed here. Install "
            f"it with `python -m pip install -r requirements-postgresql.txt`, and begin {_SETTING} with "
            "postgresql+psycopg://."
        ) from None
    except (ArgumentError, NoSuchModuleError):
        raise GradebookError(f"{_SETTING} is no address of a database; one is {_FORM}.") from None
    except DBAPIError as error:
        where = make_url(db_url).render_as_string(hide_password=True)
        said = str(error.orig).strip().splitlines() or [type(error.orig).__name__]
        raise GradebookError(
            f"The gradebook at {where} cannot be used: {said[0][:300]}. Look whether the server runs and {_SETTING} "
            "names the right one."
        ) from None
