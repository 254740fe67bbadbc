"""The walls hold for an ordinary user and for root alike: the same tests, started as each of them.

The usual Python of a developer may lie in a home that nobody else can enter. The system's own can be used by everybody;
it takes the packages of this environment where both are of the same version.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder.sandbox.isolation import closed_to_others

SYSTEM = Path("/usr/bin/python3")
ORDINARY = 12_345
_VERSION = "import sys; print(*sys.version_info[:2])"


def unable() -> str:
    """Why this cannot be tried here, "" where it can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "only root can start programs as another user"
    if not SYSTEM.exists() or shutil.which("setpriv") is None:
        return "there is no system-wide Python, or no setpriv"
    theirs = subprocess.run([SYSTEM, "-c", _VERSION], capture_output=True, text=True, check=False).stdout.split()
    if theirs != [str(part) for part in sys.version_info[:2]]:
        return f"the system's Python is {'.'.join(theirs)}; this one's packages are not for it"
    closed = closed_to_others([Path(__file__).resolve(), Path(sysconfig.get_path("purelib"))])
    return f"another user may not enter {closed}" if closed else ""


pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(unable()), reason=unable() or "it can be tried")]


FOR_ALL = {"bubblewrap", "landlock", "bubblewrap, cold", "landlock, cold", "landlock of Debian 12"}


@pytest.fixture(scope="module")
def python() -> Iterator[Path]:
    """The system's Python with the packages of this environment."""
    with tempfile.TemporaryDirectory(prefix="users-") as folder:
        Path(folder).chmod(0o755)
        subprocess.run([SYSTEM, "-m", "venv", "--without-pip", f"{folder}/venv"], check=True)
        (site,) = Path(folder).glob("venv/lib/python3.*/site-packages")
        (site / "borrowed.pth").write_text(f"{sysconfig.get_path('purelib')}\n{sysconfig.get_path('platlib')}\n")
        yield Path(folder) / "venv" / "bin" / "python"


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        (0, FOR_ALL | {"bubblewrap as root", "landlock, own user"}),
        (ORDINARY, FOR_ALL),
    ],
    ids=["root", "ordinary user"],
)
def test_the_walls_hold_for(python: Path, root: Path, user: int, expected: set[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="home-") as home:
        os.chown(home, user, user)
        change = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []
        environment = {
            "PATH": os.defpath,
            "HOME": home,
            "MPLCONFIGDIR": home,
            "PYTHONDONTWRITEBYTECODE": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        done = subprocess.run(
            [*change, python, "-m", "pytest", "-v", "-p", "no:cacheprovider", "tests/grading/test_sandbox_walls.py"],
            cwd=root,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-3_000:] + done.stderr[-1_000:]
    tried = set(re.findall(r"::test_an_honest_notebook_works_within\[(.+?)\] PASSED", done.stdout))
    assert tried == expected
