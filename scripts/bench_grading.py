"""How long a class takes to be graded, beside stock nbgrader's `autograde`, on the same submissions and processors.

Run from the top of the repository: make bench-grading, or .venv/bin/python scripts/bench_grading.py --help.

Both sides execute the same cells: the lesson's set-up, answers and checks, in a course of their own that holds nothing
else. The class answers as learners do, with the answers of the sample class in ever new mixtures, so that no two
submissions are the same. In every round, one after the other:

- ours: `python -m autograder grade`, the whole class, walls up, one worker for each processor;
- stock: `nbgrader autograde` of one part of the class, a kernel for each submission and no walls;
- stock x2: two such processes at once, each with one half of the part and a gradebook of its own;
- the floor: the cells alone, in one process for each processor that has imported everything.

Starting up is counted everywhere but in the floor. That the grades are the same is shown by a hash over every mark of
every exercise: ours in parallel, ours in one process without walls or workers, and stock's.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import nbformat  # noqa: E402
import psutil  # type: ignore[import-untyped]  # noqa: E402
from nbgrader.api import Gradebook  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from autograder import sample_class  # noqa: E402
from autograder.gradebook import Course, ensure_assignment, quiet  # noqa: E402
from autograder.lesson import LessonSource  # noqa: E402
from autograder.tools import put_scripts_on_path  # noqa: E402

LEFT_OUT = {"idea", "explore", "use", "claim"}
"""Cells that neither side runs: they earn no points."""
FRESH = "gradebook.fresh"
STOCK_CONFIG = "c = get_config()\nc.CourseDirectory.source_directory = 'solutions'\n"


def class_course(folder: Path, lesson: str, size: int) -> None:
    """A course with the graded cells of `lesson` and a class that handed it in."""
    source = nbformat.read(ROOT / "solutions" / lesson / f"{lesson}.ipynb", as_version=4)
    source.cells = [cell for cell in source.cells if not LEFT_OUT & set(cell.metadata.get("tags", []))]
    path = folder / "solutions" / lesson / f"{lesson}.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(source, path)
    config = (ROOT / "nbgrader_config.py").read_text(encoding="utf-8")
    (folder / "nbgrader_config.py").write_text(config, encoding="utf-8")
    course = Course(folder)
    source_of = LessonSource.from_course(folder, lesson, course.config, "solutions")
    ensure_assignment(course, source_of)
    shutil.copy(folder / "gradebook.db", folder / FRESH)
    released = source_of.notebook
    samples = [s for s in sample_class.read(ROOT / "sample_class" / lesson) if s.expected["outcome"] == "graded"]
    answers: dict[str, list[str]] = defaultdict(list)
    for piece in (piece for sample in samples for piece in sample.pieces):
        if piece.where == "answer":
            answers[piece.name].append(piece.source)
    draw = random.Random(7)  # noqa: S311
    for number in range(size):
        student = f"s{number:05d}"
        pieces = [
            sample_class.Piece(name, "answer", f"# {student}\n{draw.choice(known)}") for name, known in answers.items()
        ]
        notebook = sample_class.notebook(sample_class.Sample(student, tuple(pieces), {}), released)
        path = folder / "submitted" / student / lesson / f"{lesson}.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(notebook, path)


def part_of(course: Path, students: Sequence[str], folder: Path, lesson: str) -> Path:
    """A plain nbgrader course with these students of the class."""
    for student in students:
        shutil.copytree(course / "submitted" / student, folder / "submitted" / student)
    shutil.copytree(course / "solutions", folder / "solutions")
    (folder / "nbgrader_config.py").write_text(STOCK_CONFIG, encoding="utf-8")
    with quiet():
        done = Course(folder).api().generate_assignment(lesson)
    if not done["success"]:
        raise RuntimeError(f"nbgrader cannot release {lesson}: {done.get('error') or done.get('log')}")
    return folder


def marks(course: Path, lesson: str) -> dict[str, dict[str, float]]:
    """Every automatic mark in a course's gradebook, by student and cell."""
    place = Course(course)
    with Gradebook(place.db_url, place.directory.course_id) as book:
        return {
            submission.student.id: {grade.name: grade.auto_score for grade in submission.notebooks[0].grades}
            for submission in book.assignment_submissions(lesson)
        }


def as_hash(found: dict[str, dict[str, float]]) -> str:
    """One word for all marks."""
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:16]


def run(command: Sequence[str], cwd: Path, watch: Callable[[int], None] = lambda _: None) -> tuple[float, float]:
    """Run a command to its end; seconds, and processor time of it and all that it waited for.

    Raises:
        RuntimeError: when it fails.
    """
    before = time.perf_counter()
    log = tempfile.TemporaryFile()  # noqa: SIM115
    process = subprocess.Popen(command, cwd=cwd, stdout=log, stderr=subprocess.STDOUT, env=environment())  # noqa: S603
    watch(process.pid)
    _, status, usage = os.wait4(process.pid, 0)
    took = time.perf_counter() - before
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        log.seek(0)
        raise RuntimeError(f"{' '.join(command)} failed:\n{log.read().decode()[-2_000:]}")
    return took, usage.ru_utime + usage.ru_stime


def environment() -> dict[str, str]:
    """Programs of this Python first, and Jupyter's files where nobody else's are."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}


class Memory:
    """The most memory that the processes below a program took together, by kind: shared pages divided among sharers."""

    def __init__(self) -> None:
        self.most: dict[str, float] = {}

    def __call__(self, pid: int) -> None:
        """Begin to look at a program."""
        threading.Thread(target=self._watch, args=(pid,), daemon=True).start()

    def _watch(self, pid: int) -> None:
        with contextlib.suppress(psutil.Error):
            program = psutil.Process(pid)
            while program.is_running() and program.status() != psutil.STATUS_ZOMBIE:
                found: dict[str, float] = defaultdict(float)
                for process in (program, *program.children(recursive=True)):
                    with contextlib.suppress(psutil.Error):
                        found[_kind(process, program)] += process.memory_full_info().pss / 1e6
                for kind, size in found.items():
                    self.most[kind] = max(size, self.most.get(kind, 0.0))
                time.sleep(0.5)


def _kind(process: psutil.Process, program: psutil.Process) -> str:
    if process == program:
        return "writer"
    command = " ".join(process.cmdline())
    return "sandboxes" if "guest_" in command else "workers"


# The floor ----------------------------------------------------------------------------------------------------------


def floor(course: Path, lesson: str, students: Sequence[str], workers: int) -> float:
    """Seconds for the cells of these students alone, in so many processes."""
    parts = [list(students[each::workers]) for each in range(workers)]
    reading, writing = os.pipe()
    children = []
    for part in parts:
        start_r, start_w = os.pipe()
        child = os.fork()
        if child == 0:
            namespaces = _prepared(course, lesson, part)
            os.write(writing, b"r")
            os.read(start_r, 1)
            for cells in namespaces:
                _execute(cells)
            os._exit(0)
        children.append((child, start_w))
    for _ in parts:
        os.read(reading, 1)
    before = time.perf_counter()
    for _, start in children:
        os.write(start, b"g")
    for child, _ in children:
        os.waitpid(child, 0)
    return time.perf_counter() - before


def _prepared(course: Path, lesson: str, students: Sequence[str]) -> list[list[Any]]:
    """The compiled cells of each, after a first run that imports what is imported."""
    found = []
    for student in students:
        notebook = nbformat.read(course / "submitted" / student / lesson / f"{lesson}.ipynb", as_version=4)
        found.append([cell.source for cell in notebook.cells if cell.cell_type == "code"])
    _execute(found[0])
    return found


def _execute(cells: Sequence[str]) -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        for source in cells:
            with contextlib.suppress(Exception):
                exec(source, namespace)  # noqa: S102


# The sides ------------------------------------------------------------------------------------------------------------


def ours(course: Path, lesson: str, *more: str, watch: Callable[[int], None] = lambda _: None) -> tuple[float, float]:
    """Grade the whole class from nothing."""
    forget(course)
    return run([sys.executable, "-m", "autograder", "grade", lesson, *more], course, watch)


def forget(course: Path) -> None:
    """Remove every grade; the lesson stays in the gradebook, as it is in stock's."""
    shutil.rmtree(course / "autograded", ignore_errors=True)
    shutil.copy(course / FRESH, course / "gradebook.db")


def stock(course: Path, lesson: str) -> tuple[float, float]:
    """Grade a part of the class with nbgrader as it comes."""
    return run([sys.executable, "-m", "nbgrader", "autograde", lesson, "--create"], course)


# Where our time goes --------------------------------------------------------------------------------------------------

STAGES = (
    ("intake and assembly", "autograder.class_grading", "ClassGrading.assembled"),
    ("cases drawn and encoded", "autograder.judge", "draw"),
    ("cases drawn and encoded", "autograder.judge", "encode"),
    ("guest forked, walls up", "autograder.sandbox.warm", "Lane.begin"),
    ("guest forked, walls up", "autograder.sandbox.kernel", "_Guest.wait_until_ready"),
    ("cells", "autograder.sandbox.kernel", "_run_in"),
    ("guest ended", "autograder.sandbox.warm", "Lane.end"),
    ("judging", "autograder.judge", "judge"),
    ("feedback", "autograder.pipeline", "write_feedback"),
    ("gradebook", "autograder.gradebook", "Recorder.record"),
    ("graded notebook written", "autograder.gradebook", "write_graded"),
)


def breakdown(course: Path, lesson: str, students: Sequence[str]) -> dict[str, float]:
    """Milliseconds a submission of each stage, one submission after the other in this process."""
    import importlib

    from autograder.class_grading import ClassGrading
    from autograder.sandbox import Limits
    from autograder.sandbox.choice import choose

    taken: dict[str, float] = defaultdict(float)

    def timed(stage: str, function: Any) -> Any:
        def run(*given: Any, **named: Any) -> Any:
            before = time.perf_counter()
            try:
                return function(*given, **named)
            finally:
                taken[stage] += time.perf_counter() - before

        return run

    put_back = []
    for stage, module, name in STAGES:
        owner = importlib.import_module(module)
        *inside, name = name.split(".")
        for each in inside:
            owner = getattr(owner, each)
        put_back.append((owner, name, getattr(owner, name)))
        setattr(owner, name, timed(stage, getattr(owner, name)))
    try:
        grading = ClassGrading(Course(course), lesson, choose(), Limits())
        list(grading.grade(students[:1], again=True))
        taken.clear()
        before = time.perf_counter()
        list(grading.grade(students, again=True))
        whole = time.perf_counter() - before
    finally:
        for owner, name, function in put_back:
            setattr(owner, name, function)
    taken["the rest"] = whole - sum(taken.values())
    return {stage: 1_000 * seconds / len(students) for stage, seconds in taken.items()}


# The page -------------------------------------------------------------------------------------------------------------


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--lesson", default="04_adaptive_optimizers", help="one with a sample class (default: 04)")
    parser.add_argument("--size", type=int, default=100, help="submissions (default: 100)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds; the median is printed (default: 3)")
    parser.add_argument("--ours", action="store_true", help="only our own times and where they go; a minute")
    parser.add_argument("--scale", action="store_true", help="only ours, for 10, 100 and 1,000, and for endless loops")
    given = parser.parse_args()
    put_scripts_on_path()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        (scale if given.scale else measure)(Path(temporary), given, cores)


def measure(folder: Path, given: argparse.Namespace, cores: int) -> None:
    """All rounds, then the page."""
    lesson, size = given.lesson, given.size
    course = folder / "course"
    class_course(course, lesson, size)
    students = sorted(path.name for path in (course / "submitted").iterdir())
    print(f"{size} submissions of {lesson}, {cores} processors, {given.rounds} rounds; {machine()}", flush=True)
    times: dict[str, list[float]] = defaultdict(list)
    processor: dict[str, list[float]] = defaultdict(list)
    memory = Memory()
    every: dict[str, dict[str, float]] = {}
    for number in range(given.rounds):
        part = students[number :: given.rounds]
        took, used = ours(course, lesson, watch=memory)
        note(times, processor, "ours", took, used, size)
        seconds = floor(course, lesson, students, cores)
        note(times, processor, "floor", seconds, seconds * cores, size)
        if given.ours:
            continue
        plain = part_of(course, part, folder / f"stock{number}", lesson)
        note(times, processor, "stock nbgrader", *stock(plain, lesson), len(part))
        every.update(marks(plain, lesson))
        halves = [part_of(course, part[each::2], folder / f"half{number}{each}", lesson) for each in range(2)]
        before = time.perf_counter()
        with ThreadPoolExecutor(2) as pool:
            used = sum(each[1] for each in pool.map(lambda half: stock(half, lesson), halves))
        note(times, processor, "stock nbgrader, two processes", time.perf_counter() - before, used, len(part))
    in_parallel = marks(course, lesson)
    page(times, processor, memory, cores)
    if not given.ours:
        ours(course, lesson, "--unsafe", "--workers", "1")
        serial = marks(course, lesson)
        print(f"marks by hash: ours {as_hash(in_parallel)}, ours serial without walls {as_hash(serial)}, "
              f"stock {as_hash(every)}")  # fmt: skip
    print("\nWhere ours goes, one submission after the other, ms a submission:")
    for stage, milliseconds in breakdown(course, lesson, students[:40]).items():
        print(f"  {stage:28s}{milliseconds:8.1f}")


def scale(folder: Path, given: argparse.Namespace, cores: int) -> None:
    """How cost grows with the class, and what endless loops cost."""
    from autograder.sandbox import Limits

    print(f"{given.lesson}, {cores} processors; {machine()}")
    seconds: dict[int, float] = {}
    for size in (10, 100, 1_000):
        course = folder / f"class{size}"
        class_course(course, given.lesson, size)
        memory = Memory()
        seconds[size], _ = ours(course, given.lesson, watch=memory)
        most = ", ".join(f"{kind} {megabytes:.0f}" for kind, megabytes in memory.most.items())
        print(f"  {size} submissions in {seconds[size]:.1f} s; MB at most: {most}", flush=True)
    slopes = [1_000 * (seconds[b] - seconds[a]) / (b - a) for a, b in ((10, 100), (100, 1_000))]
    start = seconds[10] - 0.01 * slopes[0]
    print(f"  ms for each further submission: {slopes[0]:.0f} from 10 to 100, {slopes[1]:.0f} from 100 to 1,000; "
          f"starting up: {start:.1f} s")  # fmt: skip
    course = folder / "class100"
    loops = [path.name for path in sorted((course / "submitted").iterdir())][::20]
    for student in loops:
        path = course / "submitted" / student / given.lesson / f"{given.lesson}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        answer = next(cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("solution"))
        answer.source = f"# {student}\nwhile True:\n    pass"
        nbformat.write(notebook, path)
    took, _ = ours(course, given.lesson)
    limits = len(loops) * Limits.cell / cores
    print(f"  100 submissions, {len(loops)} of them endless loops: {took:.1f} s; their limits over the processors "
          f"{limits:.1f} s, the class without them {seconds[100]:.1f} s")  # fmt: skip


def note(
    times: dict[str, list[float]],
    processor: dict[str, list[float]],
    side: str,
    took: float,
    used: float,
    submissions: int,
) -> None:
    """Keep one measurement as milliseconds a submission, and say it."""
    times[side].append(1_000 * took / submissions)
    processor[side].append(1_000 * used / submissions)
    print(f"  {side}: {submissions} submissions in {took:.1f} s", flush=True)


def page(times: dict[str, list[float]], processor: dict[str, list[float]], memory: Memory, cores: int) -> None:
    """Print the table."""
    own = statistics.median(times["ours"])
    lowest = statistics.median(times["floor"])
    print(f"\n{'ms a submission, median':32s}{'time':>8s}{'processor':>11s}{'ours is':>16s}")
    for side, found in times.items():
        middle = statistics.median(found)
        ratio = (
            ""
            if side == "ours"
            else f"{middle / own:.1f} times as fast"
            if middle > own
            else f"{own / middle:.2f} times"
        )
        print(f"{side:32s}{middle:8.0f}{statistics.median(processor[side]):11.0f}{ratio:>22s}")
    print(f"the floor: {own / lowest:.2f} times it")
    for kind, most in memory.most.items():
        each = "" if kind == "writer" else f" ({most / cores:.0f} for each of {cores} workers)"
        print(f"memory of the {kind}, at most: {most:.0f} MB{each}")


def machine() -> str:
    """The machine in a few words."""
    model = next(
        (line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    return f"{model}, {platform.system()} {platform.release().split('-')[0]}, Python {platform.python_version()}"


def _lines(path: str) -> Iterator[str]:
    with contextlib.suppress(OSError):
        yield from Path(path).read_text(encoding="utf-8").splitlines()


if __name__ == "__main__":
    main()
