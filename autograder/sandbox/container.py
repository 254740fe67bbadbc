"""A back end for macOS and Windows, and for Linux where nothing else works: a container by Docker or Podman.

The image holds Python and the learners' packages and nothing of the course; the guest's code is mounted read-only.
The conversation is over standard input and output, so it needs no port and no shared socket.
"""

from __future__ import annotations

import importlib.metadata
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Sequence

from autograder.sandbox import Limits
from autograder.sandbox.isolation import Launch, Place
from autograder.sandbox.view import FOR_LEARNERS

NAME = "container"
IMAGE = "course-sandbox"
_ENGINES = ("podman", "docker")
_USER = 65_532
_GUEST, _ROOM = "/sandbox/guest", "/sandbox/room"
_FONTS = "/fonts"
_ASK_SECONDS = 30.0


class Container:
    """Runs the guest in a container."""

    name = NAME

    def __init__(self, engine: str | None = None, image: str = IMAGE) -> None:
        """`engine`: the program, podman or docker; without any, the first that is there."""
        self._engine = engine or next((name for name in _ENGINES if shutil.which(name)), "")
        self._image = image

    def missing(self) -> str:
        """What this machine lacks for it, "" for nothing."""
        if not self._engine:
            return "neither podman nor docker is installed; see https://podman.io/docs/installation"
        try:
            alive = self._ask("info")
        except (OSError, subprocess.TimeoutExpired):
            alive = False
        if not alive:
            return f"{self._engine} is installed, but its engine does not answer; start it"
        if not self._ask("image", "inspect", self._image):
            return (
                f"there is no image {self._image}; make it once: python -m autograder.sandbox.container | "
                f"{self._engine} build --tag {self._image} -"
            )
        return ""

    def own_user(self) -> int | None:
        """The container's own; the files outside belong to the grader."""
        return None

    def launch(self, place: Place, limits: Limits) -> Launch:
        """How to start the guest in `place`."""
        name = f"course-{secrets.token_hex(8)}"
        inside = {
            "HOME": f"{_ROOM}/home",
            "TMPDIR": f"{_ROOM}/tmp",  # noqa: S108
            "IPYTHONDIR": f"{_ROOM}/home/ipython",
            "MPLCONFIGDIR": f"{_ROOM}/home/matplotlib",
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
            "COURSE_WORK": f"{_ROOM}/work",
            "PYTHONPATH": _GUEST,
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0",
            "PYTHONIOENCODING": "utf-8",
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
        }
        command = [
            self._engine,
            *("run", "--rm", "--interactive", "--init", "--name", name),
            *("--network", "none", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
            *("--user", f"{_USER}:{_USER}", "--hostname", "sandbox", "--ipc", "private"),
            *("--pids-limit", str(limits.processes), "--memory", str(limits.memory)),
            *("--memory-swap", str(limits.memory), "--ulimit", f"fsize={limits.file}", "--ulimit", "core=0"),
            *("--tmpfs", f"{_ROOM}:rw,nosuid,nodev,size={limits.disk},nr_inodes={limits.files},mode=1777"),
            *("--shm-size", "16m", "--pull", "never", "--log-driver", "none"),
            *("--mount", f"type=bind,source={place.guest},target={_GUEST},readonly"),
            *(part for key, value in inside.items() for part in ("--env", f"{key}={value}")),
            *("--workdir", "/", self._image, "python", "-s", f"{_GUEST}/guest_kernel.py"),
        ]
        around = {key: os.environ[key] for key in _FOR_THE_ENGINE if key in os.environ}
        return Launch(command, {"fonts": _FONTS}, around, (), (self._engine, "rm", "--force", name))

    def enforces(self) -> Sequence[str]:
        """What it enforces, a sentence each."""
        return (
            "no network: --network none",
            "files: the image's own, read-only, and the guest's code; one folder in memory to write to",
            "processes: the container's own, counted and limited by the engine",
            "user: one without a name and without capabilities",
            "system calls: the engine's own filter",
        )

    def _ask(self, *arguments: str) -> bool:
        command = [self._engine, *arguments]
        return subprocess.run(command, capture_output=True, check=False, timeout=_ASK_SECONDS).returncode == 0  # noqa: S603


_FOR_THE_ENGINE = (
    *("PATH", "HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "SYSTEMROOT", "XDG_RUNTIME_DIR"),
    *("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "CONTAINER_HOST", "CONTAINERS_CONF"),
)


def containerfile() -> str:
    """The recipe of the image, with this machine's versions of Python and of the packages that lessons use."""
    version = ".".join(map(str, sys.version_info[:2]))
    packages = " ".join(f"{name}=={importlib.metadata.version(name)}" for name in FOR_LEARNERS)
    return (
        f"FROM docker.io/library/python:{version}-slim\n"
        f"RUN pip install --no-cache-dir --no-compile {packages}\n"
        f'RUN MPLCONFIGDIR={_FONTS} python -c "import matplotlib.font_manager" && chmod -R a+rX {_FONTS}\n'
    )


if __name__ == "__main__":
    sys.stdout.write(containerfile())
