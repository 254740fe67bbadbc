"""Making sure that nbgrader finds what it needs: programs and templates."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path


def put_scripts_on_path() -> None:
    """Let programs of this Python's environment be found by name, activated or not.

    nbgrader starts `alembic` by its bare name whenever it makes a gradebook.
    """
    scripts = sysconfig.get_path("scripts")
    path = os.environ.get("PATH", os.defpath).split(os.pathsep)
    if scripts not in path:
        os.environ["PATH"] = os.pathsep.join([scripts, *path])


def page_templates() -> list[str]:
    """Where nbconvert finds `offline_formgrade`, and nbgrader's on which they stand."""
    import nbgrader

    package = Path(nbgrader.__file__).parent
    return [
        str(Path(__file__).parent / "templates"),
        str(package / "server_extensions" / "formgrader" / "templates"),
    ]
