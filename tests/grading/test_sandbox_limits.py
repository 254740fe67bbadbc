"""What submitted code may use: however much it takes, it is stopped, everything of it ends, and the rest goes on."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psutil
import pytest
from filelock import FileLock

from autograder.sandbox import folder as folder_of_a_run
from autograder.sandbox import watch
from autograder.sandbox.kernel import KernelSandbox
from tests.grading.helpers import RIGHT
from tests.grading.sandboxes import WALLS, problem, run, states, text

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the back ends that are tried here are Linux's")
MB = 1_000_000
FORK = "import os, time\n"


def sampled(names: Iterable[str]) -> list[Any]:
    """The first for `make test`, the others for `make test-all`."""
    return [pytest.param(name, marks=pytest.mark.slow if place else ()) for place, name in enumerate(names)]


def after(source: str, walls: KernelSandbox, **limits: float) -> tuple[list[str], str, int]:
    """Run `source`, then an answer and its check; how the cells ended, why the first did, and the answers."""
    done = run(source, RIGHT["scale"], walls=walls, **limits)
    return states(done)[1:], done.cells[1].error, len(done.answers.splitlines())


def test_a_fork_bomb_ends(walls: KernelSandbox) -> None:
    ended, why, answers = after(
        FORK + "while True:\n    try:\n        os.fork()\n    except OSError:\n        pass", walls
    )
    assert ended[0] in ("crashed", "timeout")
    assert ended[1:] == ["ok", "ok"]
    assert answers == 3
    assert ended[0] == "timeout" or why == "more than 64 processes at once"


@pytest.mark.slow
def test_a_bomb_of_threads_ends(walls: KernelSandbox) -> None:
    source = (
        "import threading, time\n"
        "while True:\n    try:\n        threading.Thread(target=time.sleep, args=(99,)).start()\n"
        "    except RuntimeError:\n        pass"
    )
    ended, why, answers = after(source, walls, memory=1_500 * MB)
    assert ended[0] in ("crashed", "timeout")  # counted from outside, or refused within, for as long as it tries
    assert (ended[1:], answers) == (["ok", "ok"], 3)
    assert ended[0] == "timeout" or why == "more than 64 processes and threads at once"


@pytest.mark.parametrize(
    ("source", "limits", "why"),
    [
        (
            "import threading\nfor _ in range(30):\n    threading.Thread(target=time.sleep, args=(99,)).start()",
            {"processes": 16},
            "more than 16 processes and threads at once",
        ),
        ("for n in range(600):\n    open(f'{n}', 'w').close()", {"files": 500}, "more than 500 files"),
    ],
    ids=["threads", "files"],
)
def test_a_cell_answers_for_what_it_leaves_behind(
    source: str, limits: dict[str, float], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if reason := problem("landlock"):
        pytest.skip(reason)
    monkeypatch.setattr(watch, "SECONDS", 1_000.0)  # nobody looks but at the end of a cell
    ended, said, answers = after(f"import time\n{source}\ntime.sleep(0.2)", WALLS["landlock"], cell=30.0, **limits)
    assert (ended, said, answers) == (["crashed", "ok", "ok"], why, 3)


@pytest.mark.slow
def test_memory_is_counted_over_all_processes(walls: KernelSandbox) -> None:
    source = FORK + (
        "for _ in range(4):\n"
        "    if os.fork() == 0:\n        x = np.ones(30_000_000)\n        time.sleep(60)\n        os._exit(0)\n"
        "time.sleep(60)"
    )
    ended, why, answers = after(source, walls, memory=800 * MB, cell=30.0)
    assert (ended, why, answers) == (["crashed", "ok", "ok"], "more than 800 MB of memory", 3)


def test_files_are_counted_over_all(walls: KernelSandbox) -> None:
    source = "import time\nfor n in range(40):\n    open(f'large-{n}', 'wb').write(bytes(5_000_000))\ntime.sleep(60)"
    ended, why, answers = after(source, walls, disk=50 * MB, cell=30.0)
    assert (ended, why, answers) == (["crashed", "ok", "ok"], "more than 50 MB of files", 3)


@pytest.mark.slow
def test_the_number_of_files_is_limited(walls: KernelSandbox) -> None:
    source = "import time\nfor n in range(3_000):\n    open(f'{n}', 'w').close()\ntime.sleep(60)"
    ended, why, _ = after(source, walls, files=1_000, cell=30.0)
    assert (ended, why) == (["crashed", "ok", "ok"], "more than 1,000 files")


@pytest.mark.slow
def test_a_sparse_file_of_a_terabyte_costs_nothing(walls: KernelSandbox) -> None:
    source = "try:\n    open('sparse', 'wb').truncate(10**12)\nexcept OSError:\n    print('refused')"
    ended, _, answers = after(source, walls)
    assert (ended, answers) == (["ok", "ok", "ok"], 3)


@pytest.mark.slow
def test_folders_of_any_depth_and_mode_are_removed(
    walls: KernelSandbox, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with tempfile.TemporaryDirectory(prefix="limits-") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        source = (
            "import os\nfor n in range(2_500):\n    os.mkdir('deep')\n    os.chdir('deep')\n"
            "open('at the bottom', 'w').close()\nos.chdir(os.environ['HOME'])\nos.mkdir('closed')\n"
            "open('closed/file', 'w').close()\nos.mkdir(b'\\xff\\xfe')\nos.chmod('closed', 0)"
        )
        after(source, walls)
        assert list(Path(folder).iterdir()) == []


@pytest.mark.slow
def test_a_process_that_stops_itself_is_ended(walls: KernelSandbox) -> None:
    ended, _, answers = after("import os, signal\nos.kill(0, signal.SIGSTOP)", walls)
    assert ended == ["timeout", "ok", "ok"] or ended[0] == "error"
    assert answers == 3


DAEMONS = {
    "double fork": "os.setsid()\nif os.fork():\n    os._exit(0)\ntime.sleep(600)",
    "stopped": "os.setsid()\nimport signal\nos.kill(0, signal.SIGSTOP)\ntime.sleep(600)",
    "another environment": "os.setsid()\nos.execve(PYTHON, ['x', '-S', '-c', 'import time; time.sleep(600)'], {})",
    "forks for ever": "while True:\n    if os.fork():\n        os._exit(0)",
}


@pytest.mark.parametrize("daemon", sampled(DAEMONS))
def test_daemons_end_with_the_run(walls: KernelSandbox, daemon: str) -> None:
    before = {process.pid for process in psutil.process_iter()}
    child = DAEMONS[daemon].replace("PYTHON", "sys.executable").replace("\n", "\n    ")
    run(f"import os, sys, time\nif os.fork() == 0:\n    {child}\ntime.sleep(0.5)", walls=walls, check=False)
    mine = []
    for process in psutil.process_iter():
        try:
            if process.pid not in before and _of_a_run(process):
                mine.append(process)
        except psutil.Error:
            continue
    assert mine == []


def _of_a_run(process: psutil.Process) -> bool:
    """Whether a process has its working folder in one of this process's runs, or runs below this process."""
    return process.status() != psutil.STATUS_ZOMBIE and any(
        parent.pid == os.getpid() and process.name() != "pytest" for parent in process.parents()
    )


GRADER = """
import sys
from autograder.sandbox import Limits, Request
from autograder.assemble import PlannedCell
from tests.grading.sandboxes import WALLS
source = "import os, time\\nos.fork()\\nif os.fork() == 0:\\n    os.setsid()\\ntime.sleep(600)"
request = Request([PlannedCell(0, "learner", source)], {}, (), Limits(cell=600.0, total=600.0))
print(request.run, flush=True)
WALLS[sys.argv[1]].run(request)
"""


@pytest.mark.slow
@pytest.mark.usefixtures("walls")
def test_a_killed_grader_takes_its_guest_with_it_and_the_next_clears_up(
    request: pytest.FixtureRequest, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = request.node.callspec.params["walls"]
    with tempfile.TemporaryDirectory(prefix="killed-") as folder:
        command = [sys.executable, "-c", GRADER, name]
        environment = {**os.environ, "TMPDIR": folder}
        grader = subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.PIPE)
        family: list[psutil.Process] = []
        until = time.monotonic() + 60.0
        wanted = 6 if WALLS[name].keeper else 4  # of them the supervisor and its deputy
        while sum("/guest/guest_" in " ".join(_command(p)) for p in family) < wanted and time.monotonic() < until:
            time.sleep(0.1)
            family = psutil.Process(grader.pid).children(recursive=True)
        grader.kill()
        grader.communicate()
        assert len(family) >= wanted
        until = time.monotonic() + 30.0
        while any(map(_lives, family)) and time.monotonic() < until:
            time.sleep(0.1)
        assert not any(map(_lives, family))
        (left,) = Path(folder).glob("grading-*")
        os.utime(left, (1_000, 1_000))
        monkeypatch.setattr(tempfile, "tempdir", folder)
        folder_of_a_run._sweep.cache_clear()
        folder_of_a_run._sweep()
        assert not left.exists()


def test_the_folder_of_a_run_that_goes_on_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(prefix="sweep-") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        for name in ("grading-alive", "grading-young", "another"):
            (Path(folder) / name).mkdir()
        with FileLock(Path(folder) / "grading-alive" / "lock"):
            os.utime(Path(folder) / "grading-alive", (1_000, 1_000))
            os.utime(Path(folder) / "another", (1_000, 1_000))
            folder_of_a_run._sweep.cache_clear()
            folder_of_a_run._sweep()
        assert {path.name for path in Path(folder).iterdir()} == {"grading-alive", "grading-young", "another"}


def _command(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


TORN = {
    "closed": "os.closerange(3, 100)",
    "replaced": (
        "for n in range(3, 50):\n    try:\n        os.dup2(os.open('/dev/null', os.O_RDWR), n)\n"
        "    except OSError:\n        pass"
    ),
    "stolen": (
        "for n in range(3, 30):\n    try:\n        os.set_blocking(n, False)\n        os.read(n, 10**6)\n"
        "    except OSError:\n        pass"
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("way", TORN)
def test_who_breaks_the_conversation_harms_none_but_himself(walls: KernelSandbox, way: str) -> None:
    done = run("import os\n" + TORN[way], RIGHT["scale"], walls=walls, cell=2.0)
    assert len(done.cells) == 4
    assert done.cells[0].state == "ok"
    assert done.starts <= 4


WRITE = (
    "import os, stat, time\n"
    "have = [n for n in range(3, 40) if os.path.exists(f'/proc/self/fd/{n}')]\n"
    "pipes = [n for n in have if stat.S_ISFIFO(os.fstat(n).st_mode)]\n"
    "def say(data):\n    for n in pipes:\n"
    "        try:\n            os.write(n, data)\n        except OSError:\n            pass\n"
)

FLOODS = {
    "one endless line": "while True:\n    say(b'x' * 65_536)",
    "empty lines": "while True:\n    say(b'\\n' * 65_536)",
    "short frames": "while True:\n    say(b'\\nO{}' * 16_000)",
    "answers": "while True:\n    say(b'\\nA' + b'y' * 60_000 + b'\\n')",
    "errors": (
        "import json\n"
        "error = json.dumps({'output_type': 'error', 'ename': 'x' * 9_000, 'evalue': '', 'traceback': []})\n"
        "while True:\n    say(b'\\nO' + error.encode() + b'\\n')"
    ),
    "deep": "while True:\n    say(b'\\nO' + b'[' * 60_000 + b'\\n')",
    "numbers": "while True:\n    say(b'\\nD{\"number\": ' + b'9' * 60_000 + b', \"error\": \"\"}\\n')",
}


@pytest.mark.parametrize("flood", sampled(FLOODS))
def test_a_flood_of_forged_frames_is_stopped_and_fills_no_memory(flood: str) -> None:
    process = psutil.Process()
    before = process.memory_info().rss
    done = run(WRITE + FLOODS[flood], RIGHT["scale"], cell=3.0)
    assert states(done)[1] in ("flooded", "timeout", "crashed")
    assert states(done)[2:] == ["ok", "ok"]
    assert process.memory_info().rss - before < 250 * MB
    assert len(done.answers) <= 32 * MB


def test_a_cell_that_forges_its_end_earns_nothing_by_it() -> None:
    forge = WRITE + 'for n in range(50):\n    say(b\'\\nD{"number": %d, "error": ""}\\n\' % n)\ntime.sleep(1)'
    done = run(forge, "def scale(x, factor):\n    return x", cell=5.0)
    assert all(b'"outcome": "answered"' in line for line in done.answers.splitlines())
    assert set(states(done)) <= {"ok", "timeout"}


def test_output_that_no_notebook_can_hold_is_left_out() -> None:
    lines = [
        b'O{"output_type": "stream", "name": "stdout", "text": "\\ud800 lone"}',
        b'O{"output_type": "stream", "text": 3}',
        b'O{"output_type": "stream", "name": ["x"], "text": "listed"}',
        b'O{"output_type": "display_data", "data": [1, 2]}',
        b'O{"output_type": "display_data", "data": {"text/plain": "\\ud800"}, "metadata": 7}',
        b'O{"output_type": "display_data", "data": {"no type": "x"}}',
        b'O{"output_type": "display_data", "data": {"application/json": {"n": 1e999}}}',
        b'O{"output_type": "display_data", "data": {"application/json": {"n": NaN}}}',
        b'O{"output_type": "display_data", "data": {"application/json": ' + b"9" * 400 + b"}}",
        b'O{"output_type": "execute_result", "data": {"text/plain": "fine"}, "execution_count": "x"}',
        b'O{"output_type": "error", "ename": null, "evalue": {}, "traceback": "x"}',
        b'O{"output_type": "pyout"}',
        b"O[]",
        b"O",
        b"Z\xff\xfe",
        b'D{"number": "1", "error": ""}',
        b'D{"number": 2}',
        b"D[2]",
        b"R{}",
    ]
    framed = [b"\n" + line + b"\n" for line in lines]
    source = WRITE + "\n".join(f"say({line!r})" for line in framed) + "\ntime.sleep(0.2)\nprint('end')"
    done = run(source, check=False)
    assert states(done) == ["ok", "ok"]
    shown = text(done, 1)
    assert "? lone" in shown
    assert "listed" in shown
    assert shown.endswith("end\n")
    assert [o.data for o in done.cells[1].outputs if o.output_type == "execute_result"] == [{"text/plain": "fine"}]
