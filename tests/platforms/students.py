"""A student's folder as it may come out on Windows or macOS, and a Python there that has nothing of POSIX."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

BARE = Path(__file__).with_name("bare")
TEXTS = {".py", ".md", ".ipynb", ".txt", ".toml", ".json", ".js", ".css", ".csv", ""}
HOME = "Zoë Müller's Ordner"
ON_WINDOWS = sys.platform == "win32"


def unpacked(kit: bytes, home: Path) -> Path:
    """The student kit below a home whose name has spaces and accents, its texts as git writes them out on Windows."""
    place = home / "Meine Kurse (2026)"
    with zipfile.ZipFile(io.BytesIO(kit)) as archive:
        archive.extractall(place)
    (folder,) = place.iterdir()
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix in TEXTS:
            path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    return folder


def environment(tree: Path, *, read_only: bool = False) -> dict[str, str]:
    """What a Python in that folder finds: nothing on PATH, a home and a folder for temporary files with accents.

    On Windows itself nothing has to be taken away.
    """
    home = next(parent for parent in tree.parents if parent.name == HOME)
    (home / "Temp dir").mkdir(exist_ok=True)
    dropped = {"PATH", "PYTHONPATH", "COURSE_PROGRESS", "LC_ALL", "LANG", "XDG_CACHE_HOME", "MPLCONFIGDIR"}
    kept = {key: value for key, value in os.environ.items() if key not in dropped}
    paths = [str(tree)] if ON_WINDOWS else [str(BARE), str(tree)]
    return {
        **kept,
        **({"PATH": kept.get("SYSTEMROOT", "")} if ON_WINDOWS else {"PATH": "", "LC_ALL": "C.UTF-8"}),
        "PYTHONUTF8": "0",
        **{name: str(home / "Temp dir") for name in ("TMPDIR", "TEMP", "TMP")},
        **({"STUDENT_TREE_READ_ONLY": "1"} if read_only else {}),
        "HOME": str(home),
        "USERPROFILE": str(home),
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONIOENCODING": "cp1252",
        "PYTHONTZPATH": "",  # Windows has no time zones; they come from tzdata
        "PYTHONWARNDEFAULTENCODING": "1",
        "STUDENT_TREE": str(tree),
        "JUPYTER_PLATFORM_DIRS": "1",
        "IPYTHONDIR": str(home / ".ipython"),
    }


def run(
    arguments: list[str], tree: Path, folder: Path | None = None, *, read_only: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a Python there and wait for its end."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder or tree,
        env=environment(tree, read_only=read_only),
        capture_output=True,
        encoding="cp1252",
        check=False,
    )
