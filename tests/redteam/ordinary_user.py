"""An ordinary user who can grade: root's tests become it, to try the walls that need no privileges."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.redteam.trial import As

NUMBER = 12_345


def ordinary_user(folder: Path) -> tuple[As | None, str]:
    """Who grades as an ordinary user, with an environment in `folder`; None, and why, where this machine has no way.

    Where the tests' own user is an ordinary one, it is that one. Root's Python often lies in root's home, so the user
    gets an environment of the system's Python of the same version, with the packages of this one.
    """
    if os.geteuid() != 0:
        return As(), ""
    if shutil.which("setpriv") is None:
        return None, "there is no setpriv to become an ordinary user with"
    here = Path(sys.executable)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if _starts(As(NUMBER, str(here))):
        return As(NUMBER, str(here)), ""
    for candidate in (f"/usr/bin/python{version}", f"/usr/local/bin/python{version}"):
        if Path(candidate).exists() and _starts(As(NUMBER, candidate)):
            break
    else:
        return None, f"there is no Python {version} that an ordinary user can start"
    folder.chmod(0o755)
    subprocess.run([candidate, "-m", "venv", "--without-pip", "--symlinks", str(folder / "venv")], check=True)
    (packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (packages / "packages.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    who = As(NUMBER, str(folder / "venv" / "bin" / "python"))
    if not _starts(who, "import nbgrader"):
        return None, "an ordinary user cannot read the installed packages"
    return who, ""


def _starts(who: As, code: str = "") -> bool:
    # setpriv keeps root's rights until the program begins: that it began does not say that the user can reach it.
    code = f"import os, sys\nos.stat(os.path.realpath(sys.executable))\n{code}"
    command = who.command(who.python, "-c", code)
    return subprocess.run(command, cwd="/", capture_output=True, check=False).returncode == 0
