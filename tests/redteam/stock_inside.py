"""Runs inside the container of a stock trial: listens, starts nbgrader, and notes what was left.

python -m tests.redteam.stock_inside FOLDER LESSON STUDENT TOKEN
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
from pathlib import Path

TCP, UDP = 40_001, 40_002


def main(folder: Path, lesson: str, student: str, token: str) -> int:
    """Grade one student; returns nbgrader's exit code."""
    heard: list[str] = []
    for family, kind, address in (
        (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", TCP)),
        (socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", UDP)),
        (socket.AF_UNIX, socket.SOCK_STREAM, str(folder / "listening")),
        (socket.AF_UNIX, socket.SOCK_STREAM, f"\0redteam-{token}"),
    ):
        listening = socket.socket(family, kind)
        listening.bind(address)
        threading.Thread(target=_listen, args=(listening, heard), daemon=True).start()
    command = [sys.executable, "-m", "nbgrader", "autograde", lesson, f"--student={student}"]
    done = subprocess.run(command, cwd=folder / "course", check=False)
    mark = f"redteam-{token}"
    left = [str(path) for place in ("/tmp", "/var/tmp", "/dev/shm", "/run") for path in Path(place).glob(f"*{mark}*")]
    report = {"heard": heard, "left": left, "processes": _processes(mark, f"rt{token[:12]}")}
    (folder / "report.json").write_text(json.dumps(report))
    return done.returncode


def _listen(listening: socket.socket, heard: list[str]) -> None:
    if listening.type == socket.SOCK_STREAM:
        listening.listen(16)
    while True:
        if listening.type == socket.SOCK_DGRAM:
            said, _ = listening.recvfrom(200)
        else:
            there, _ = listening.accept()
            there.settimeout(1.0)
            said = b""
            with there, contextlib.suppress(OSError):
                said = there.recv(200)
        heard.append(said.decode("utf-8", "replace"))


def _processes(mark: str, name: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark.encode() in (path / "cmdline").read_bytes() or (path / "comm").read_text().strip() == name:
                found.append(path.name)
    return found


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
