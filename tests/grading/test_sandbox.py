"""Whatever code does in the sandbox, the grader goes on and nothing is left behind."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

from autograder.sandbox import Limits, Run
from tests.grading.helpers import RIGHT
from tests.grading.sandboxes import run, states, text

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals, processes and limits as on POSIX")


def test_a_deaf_loop_is_killed_and_the_rest_goes_on() -> None:
    deaf = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True:\n    pass"
    done = run(deaf, RIGHT["scale"])
    assert states(done) == ["ok", "timeout", "ok", "ok"]
    assert done.starts == 2
    assert len(done.answers.splitlines()) == 3


@pytest.mark.slow
def test_code_that_swallows_every_interrupt_is_stopped_all_the_same() -> None:
    stubborn = "while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        pass"
    done = run(RIGHT["scale"], f"def scale(x, factor):\n{_indent(stubborn)}")
    assert states(done)[-1] == "timeout"


def _indent(source: str) -> str:
    return "\n".join(f"    {line}" for line in source.split("\n"))


@pytest.mark.parametrize("way", ["quit()", "import os; os.abort()"])
def test_a_dead_kernel_is_replaced_and_what_was_done_counts(way: str) -> None:
    done = run(RIGHT["scale"], way, "x = 1")
    assert states(done) == ["ok", "ok", "crashed", "ok", "ok"]
    assert len(done.answers.splitlines()) == 3


def test_raising_system_exit_is_an_error_like_any_other() -> None:
    assert states(run("import sys\nsys.exit(3)", RIGHT["scale"]))[1] in ("error", "ok")


def test_output_is_kept_up_to_its_limit() -> None:
    floods = "for _ in range(3_000):\n    print('x' * 100)\nended = True"
    done = run(floods, "print(ended)", kept_output=10_000, cell=30.0)
    assert states(done)[1:3] == ["ok", "ok"]
    assert len(text(done, 1)) < 10_200
    assert "more than 10,000 bytes were shown" in text(done, 1)
    assert text(done, 2) == "True\n"


def test_a_flood_is_stopped_while_it_runs() -> None:
    before = time.monotonic()
    done = run("while True:\n    print('x' * 1_000)", RIGHT["scale"], output=200_000, cell=30.0)
    assert states(done) == ["ok", "flooded", "ok", "ok"]
    assert time.monotonic() - before < 30.0  # by the flood, not by the limit on time


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS does not limit address space")
def test_memory_is_limited() -> None:
    done = run("try:\n    np.ones(10**9)\nexcept MemoryError:\n    print('refused')", check=False)
    assert text(done, 1) == "refused\n"


def test_a_file_cannot_grow_without_end() -> None:
    source = "try:\n    open('large', 'wb').write(bytes(2_000_000))\nexcept OSError as error:\n    print('refused')"
    assert text(run(source, check=False, file=1_000_000), 1) == "refused\n"


def test_input_is_refused() -> None:
    done = run("name = input('your name?')", check=False)
    assert done.cells[1].error == "EOFError: in grading nobody is there to answer input()"


def test_a_huge_answer_comes_out_as_too_large() -> None:
    done = run("def scale(x, factor):\n    return [np.ones(100_000)] * 5")
    lines = done.answers.splitlines()
    assert len(lines) == 3
    assert all(b"too large" in line for line in lines)


@pytest.mark.slow
def test_the_whole_notebook_has_a_limit_too() -> None:
    done = run("import time\ntime.sleep(60)", "x = 1", total=15.0, cell=60.0)
    assert states(done)[2:] == ["not run", "not run"]


@pytest.mark.parametrize(
    "spawn",
    [
        "import subprocess\nsubprocess.Popen(['sleep', '600'])",
        "import subprocess\nsubprocess.Popen(['sleep', '600'], start_new_session=True)",
        "import os\nif os.fork() == 0:\n    os.setsid()\n    os.execvp('sleep', ['sleep', '600'])",
    ],
)
def test_children_do_not_outlive_the_run(spawn: str) -> None:
    run(spawn, check=False)  # `run` looks for what is left


def test_the_sandbox_has_a_home_and_folder_of_its_own_and_no_project(root: Path) -> None:
    done = run(
        "import os, sys\nprint(os.getcwd(), os.path.expanduser('~'), *sys.path, *os.environ.values())", check=False
    )
    shown = text(done, 1)
    assert shown.startswith("sandbox/work sandbox/home")
    places = shown.replace(str(root / ".venv"), "").split()
    assert str(root) not in places
    assert str(Path.home()) not in places


def test_a_limit_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match=r"the limit cell is -1; it must be more than 0"):
        Limits(cell=-1)


def test_it_also_runs_where_an_event_loop_is_running() -> None:
    async def inside() -> Run:
        return run(RIGHT["scale"])  # as formgrader's server calls it

    assert states(asyncio.run(inside())) == ["ok", "ok", "ok"]
