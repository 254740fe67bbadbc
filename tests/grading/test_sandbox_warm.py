"""Warm starts: guests are forked from one supervisor, and nothing passes from one to the next, or from the grader."""

from __future__ import annotations

import json
import os
import pickle
import secrets
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from autograder.sandbox.bubblewrap import Bubblewrap
from autograder.sandbox.kernel import KernelSandbox
from autograder.sandbox.landlock import Landlock
from autograder.sandbox.warm import warms
from tests.grading.helpers import LESSON, RIGHT
from tests.grading.sandboxes import WALLS, problem, run, states, text

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the back ends that fork are Linux's")


@pytest.fixture(params=["bubblewrap", "landlock"])
def warm(request: pytest.FixtureRequest) -> Iterator[KernelSandbox]:
    """A sandbox with a supervisor of its own."""
    if missing := problem(request.param):
        pytest.skip(missing)
    sandbox = KernelSandbox(WALLS[request.param].isolation)
    yield sandbox
    sandbox.close()


def deputy(sandbox: KernelSandbox) -> psutil.Process:
    assert sandbox.keeper is not None
    return psutil.Process(sandbox.keeper.lane(LESSON.withheld).pid)


def test_nothing_passes_from_one_guest_to_the_next(warm: KernelSandbox) -> None:
    spoil = (
        "import builtins, gc, os, random, sys\n"
        "import matplotlib.pyplot as plt\nimport course_lib.losses\n"
        "np.pi = 3.0\nbuiltins.sum = max\ncourse_lib.losses.left = 1\nos.environ['LEFT'] = '1'\n"
        "plt.rcParams['lines.linewidth'] = 9\nplt.figure()\nsys.path.append('/left')\nsys.modules['left'] = np\n"
        "np.random.seed(0)\nrandom.seed(0)\nopen('left', 'w').close()\n"
        "get_ipython().run_line_magic('load_ext', 'autoreload')"
    )
    look = (
        "import builtins, os, random, sys\n"
        "import matplotlib.pyplot as plt\nimport course_lib.losses\n"
        "print(np.pi == 3.0, builtins.sum is max, hasattr(course_lib.losses, 'left'), 'LEFT' in os.environ,\n"
        "      plt.rcParams['lines.linewidth'] == 9, plt.get_fignums(), '/left' in sys.path, 'left' in sys.modules,\n"
        "      os.listdir('.'), 'spoilt' in globals(), In[:1], get_ipython().execution_count > 5)\n"
        "print(np.random.rand(), random.random())"
    )
    first = deputy(warm)
    spoilt = run(spoil, "spoilt = True", walls=warm, check=False, cell=30.0)
    assert states(spoilt) == ["ok", "ok", "ok"], [cell.error for cell in spoilt.cells.values()]
    seen = [text(run(look, walls=warm, check=False, cell=30.0), 1).splitlines() for _ in range(2)]
    assert deputy(warm) == first
    clean = "False False False False False [] False False [] False [''] False"
    assert [lines[0] for lines in seen] == [clean, clean]
    assert seen[0][1] != seen[1][1]


def test_a_supervisor_knows_nothing_of_the_grader(warm: KernelSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    word = "seed-" + secrets.token_hex(16)
    monkeypatch.setenv("SECRET_SEED", word)
    run(RIGHT["scale"], walls=warm)
    family = [deputy(warm), *deputy(warm).parents()]
    for process in family[: next(i for i, each in enumerate(family) if each.pid == os.getpid())]:
        assert "SECRET_SEED" not in process.environ()
        files = Path(f"/proc/{process.pid}/fd").iterdir()
        kept = {str(file.readlink()).split(":")[0] for file in files}
        kept = {"/tmp/file" if "(deleted)" in each else each for each in kept}  # its standard error
        assert kept <= {"pipe", "socket", "/dev/null", "/tmp/file", "anon_inode"}, kept
        if "guest_supervisor.py" in " ".join(process.cmdline()) and process.name() != "bwrap":
            assert not any(name in _memory(process.pid) for name in (word.encode(), b"autograder.judge"))


def _memory(pid: int) -> bytes:
    """What a process may write to: its variables."""
    found = bytearray()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            where, rights, *_ = line.split()
            if rights.startswith("rw"):
                begin, end = (int(each, 16) for each in where.split("-"))
                memory.seek(begin)
                try:
                    found += memory.read(end - begin)
                except OSError:
                    continue
    return bytes(found)


def test_a_guest_cannot_call_the_supervisor(warm: KernelSandbox) -> None:
    source = (
        "import json, os, socket\n"
        "folder = os.path.dirname(os.environ['PYTHONPATH'].split(':')[0])\n"
        "found = []\n"
        "for kind in (socket.SOCK_SEQPACKET, socket.SOCK_STREAM, socket.SOCK_DGRAM):\n"
        "    try:\n        socket.socket(socket.AF_UNIX, kind).connect(folder + '/calls')\n"
        "    except OSError as error:\n        found.append(type(error).__name__)\n"
        "print(json.dumps(found))"
    )
    assert json.loads(text(run(source, walls=warm, check=False), 1)) == ["PermissionError"] * 3


@pytest.mark.parametrize("which", ["deputy", "supervisor"])
def test_where_the_supervisor_is_killed_another_one_goes_on(warm: KernelSandbox, which: str) -> None:
    process = deputy(warm)
    victim = process if which == "deputy" else process.parent()

    def kill() -> None:
        until = time.monotonic() + 20.0
        while not process.children() and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.5)
        family.extend(process.children(recursive=True))
        victim.kill()

    family: list[psutil.Process] = []
    killer = threading.Thread(target=kill)
    killer.start()
    # One that has left the guest's session and lost its parent ends too.
    slips = (
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    os.fork()\n    time.sleep(1_000)\ntime.sleep(2.0)"
    )
    done = run(slips, RIGHT["scale"], walls=warm, cell=30.0)
    killer.join()
    assert len(family) >= 3
    assert psutil.wait_procs(family, timeout=20.0)[1] == []
    assert states(done) == ["ok", "crashed", "ok", "ok"]
    assert len(done.answers.splitlines()) == 3
    assert deputy(warm) != process
    assert states(run(RIGHT["scale"], walls=warm)) == ["ok", "ok", "ok"]


def test_workers_share_a_supervisor_and_start_one_where_it_is_gone(warm: KernelSandbox) -> None:
    assert states(run(RIGHT["scale"], walls=warm)) == ["ok", "ok", "ok"]
    other = pickle.loads(pickle.dumps(warm))
    try:
        assert states(run(RIGHT["scale"], walls=other)) == ["ok", "ok", "ok"]
        assert deputy(other).parent() == deputy(warm).parent()
        assert deputy(other) != deputy(warm)
        warm.close()
        assert states(run(RIGHT["scale"], walls=other)) == ["ok", "ok", "ok"]
    finally:
        other.close()


def test_where_nothing_can_be_forked_each_guest_starts_cold(monkeypatch: pytest.MonkeyPatch) -> None:
    for isolation in (Bubblewrap(), Landlock(own_user=False)):
        assert warms(isolation) is isolation
        monkeypatch.setattr(type(isolation), "can_warm", lambda _: False)
        assert KernelSandbox(isolation).keeper is None


def test_a_supervisor_that_does_not_start_says_why(warm: KernelSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    from autograder.sandbox import SandboxError, guest

    def broken(folder: Path, withheld: object) -> None:
        build(folder, withheld)
        (folder / "guest_supervisor.py").write_text("raise SystemExit('no room for it')")

    build = guest.build
    monkeypatch.setattr(guest, "build", broken)
    with pytest.raises(SandboxError, match=r"the sandbox's supervisor is gone.*no room for it"):
        run(RIGHT["scale"], walls=warm)
