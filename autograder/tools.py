"""Making sure that nbgrader finds the programs it starts."""

from __future__ import annotations

import os
import sysconfig


def put_scripts_on_path() -> None:
    """Let programs of this Python's environment be found by name, activated or not.

    nbgrader starts `alembic` by its bare name whenever it makes a gradebook.
    """
    scripts = sysconfig.get_path("scripts")
    path = os.environ.get("PATH", os.defpath).split(os.pathsep)
    if scripts not in path:
        os.environ["PATH"] = os.pathsep.join([scripts, *path])
