"""A trial: a course with canaries in it, a class that hands in the red team's entries, and what came of grading it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import psutil
from nbgrader.api import Gradebook, MissingEntry

from autograder import gradebook
from autograder.gradebook import Course
from autograder.lesson import LessonSource
from tests.grading import fixture_lesson
from tests.grading.helpers import LESSON
from tests.redteam.entries import FIXTURE, FULL, RIGHT, WON, Entry, Places, cell
from tests.redteam.probe import PROBE

PROJECT = Path(__file__).resolve().parents[2]
CANARY = "zz-canary"
BEFORE = "000-before"
CELL_SECONDS = 10.0
_TOKEN = re.compile(rb"canary-[0-9a-f]{16}")
_SHOWN_INPUT = re.compile(r"canary of the input \[+[-+0-9.e]")
# What may follow each family's attacks is looked for by a probe; after the others comes somebody honest.
LASTING = ("gradebook and files", "persistence between submissions", "resources", "timing and threads", "network")
_REGISTER = """
from course_lib import exercises
exercises.LESSONS = {{**exercises.LESSONS, {lesson!r}: "tests.grading.fixture_lesson"}}
c.RunAndJudge.cell_timeout = {seconds}
# {canary}
"""


class Listeners:
    """Ports and sockets that nobody may reach; who does is noted."""

    def __init__(self, folder: Path, token: str) -> None:
        self.heard: list[str] = []
        self.unix = folder / "listening"
        self.abstract = f"redteam-{token}"
        kinds: list[tuple[int, int, Any]] = [
            (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)),
            (socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)),
            (socket.AF_UNIX, socket.SOCK_STREAM, str(self.unix)),
        ]
        if sys.platform == "linux":
            kinds.append((socket.AF_UNIX, socket.SOCK_STREAM, f"\0{self.abstract}"))
        self._sockets = []
        for family, kind, address in kinds:
            listening = socket.socket(family, kind)
            listening.bind(address)
            if kind == socket.SOCK_STREAM:
                listening.listen(16)
            self._sockets.append(listening)
            threading.Thread(target=self._listen, args=(listening,), daemon=True).start()
        self.unix.chmod(0o777)
        self.tcp, self.udp = (each.getsockname()[1] for each in self._sockets[:2])

    def _listen(self, listening: socket.socket) -> None:
        while True:
            try:
                if listening.type == socket.SOCK_DGRAM:
                    said, _ = listening.recvfrom(200)
                else:
                    there, _ = listening.accept()
                    there.settimeout(1.0)
                    with there, contextlib.suppress(OSError):
                        said = b""
                        said = there.recv(200)
            except OSError:
                return
            self.heard.append(said.decode("utf-8", "replace"))

    def close(self) -> None:
        """Stop listening."""
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


@dataclass(frozen=True)
class Row:
    """What one submission got.

    Attributes:
        outcome: of the submission; "" where nothing was recorded.
        score: the automatic points, bonus included; None where nothing was recorded.
        messages: the sentences of its exercises.
        problems: what is wrong with that, a sentence each.
    """

    outcome: str
    score: int | None
    messages: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class As:
    """Who grades.

    Attributes:
        user: number of the user, None for whoever runs the tests.
        python: an interpreter that this user can start.
    """

    user: int | None = None
    python: str = sys.executable

    def command(self, *arguments: str) -> list[str]:
        """A command as that user."""
        become = ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups"] if self.user else []
        return [*become, *arguments]


@dataclass
class Trial:
    """A class of one lesson, its course directory, and all that is watched around it.

    Attributes:
        entries: what is handed in.
        who: who grades.
        probes: whether an honest submission that looks around follows each attack that could last.
        folder: a new short-named folder; removed at the end.
    """

    entries: Sequence[Entry]
    lesson: str = FIXTURE
    who: As = field(default_factory=As)
    probes: bool = True
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="rt-")).resolve())
    said: str = ""
    """What the graders printed."""

    def __enter__(self) -> Trial:
        self.probes &= self.lesson == FIXTURE  # the probe answers that lesson
        self.token = secrets.token_hex(6)
        self.canary = f"canary-{secrets.token_hex(8)}"
        self.seed = str(secrets.randbits(128))
        self.folder.chmod(0o755)
        self.course_folder = self.folder / "course"
        self.home = self.folder / "home"
        self.temporary = self.folder / "tmp"
        for each in (self.course_folder, self.home, self.temporary):
            each.mkdir()
        self.listeners = Listeners(self.folder, self.token)
        self.places = Places(
            self.course_folder, self.home, PROJECT, self.listeners.tcp, self.listeners.udp, self.listeners.unix,
            self.listeners.abstract, self.token,
        )  # fmt: skip
        try:
            self._plant()
            self._hand_in()
            self._give_away()
            self._known = self._state()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.listeners.close()
        self._end_processes()
        for path in self.marked():
            with contextlib.suppress(OSError):
                path.unlink()
        _remove_segments(self.token)
        shutil.rmtree(self.folder, ignore_errors=True)

    # Planting

    @cached_property
    def source(self) -> LessonSource:
        """The lesson that is graded."""
        if self.lesson == FIXTURE:
            return LESSON
        return LessonSource.from_course(PROJECT, self.lesson)

    @cached_property
    def course(self) -> Course:
        """The course directory, seen with the trial's settings."""
        return Course(self.course_folder)

    def _plant(self) -> None:
        solution = self.course_folder / "solutions" / self.lesson / f"{self.lesson}.ipynb"
        solution.parent.mkdir(parents=True)
        if self.lesson == FIXTURE:
            nbformat.write(fixture_lesson.solution(), solution)
        else:
            shutil.copy(PROJECT / "solutions" / self.lesson / solution.name, solution)
        config = (PROJECT / "nbgrader_config.py").read_text(encoding="utf-8")
        config += _REGISTER.format(lesson=FIXTURE, seconds=CELL_SECONDS, canary=self.canary)
        if self.lesson != FIXTURE:
            config = config.replace("exercises.LESSONS = {", "_ = {")
        (self.course_folder / "nbgrader_config.py").write_text(config, encoding="utf-8")
        (self.course_folder / "solutions" / "keys.txt").write_text(self.canary)
        self._secret = self.course_folder / f"{self.lesson}.secret"
        self._secret.write_text(f"{self.seed}\n")
        self._secret.chmod(0o600)
        for name in (".ssh/id_rsa", ".bashrc", ".profile", ".ipython/profile_default/startup/README"):
            path = self.home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.canary)
        gradebook.ensure_assignment(self.course, self.source)
        with Gradebook(self.course.db_url, self.course.directory.course_id) as book:
            book.update_or_create_student(CANARY, last_name=self.canary)
            book.add_submission(self.lesson, CANARY)
            if self.lesson == FIXTURE:
                written = book.find_grade("written", self.lesson, self.lesson, CANARY)
                written.manual_score = 1.25
                book.find_comment("written", self.lesson, self.lesson, CANARY).manual_comment = "Nice."
            book.db.commit()

    def _hand_in(self) -> None:
        released = self.source.notebook
        self.students: dict[str, Entry] = {}
        waiting = [entry for entry in self.entries if entry.family in ("honest", "broken")]
        attacks = [entry for entry in self.entries if entry.family not in ("honest", "broken")]
        order: list[Entry] = []
        for attack in attacks:
            order.append(attack)
            if self.probes and attack.family in LASTING:
                order.append(PROBE)
            elif waiting:
                order.append(waiting.pop(0))
        order += waiting
        if self.probes:
            self.students[BEFORE] = PROBE
        for number, entry in enumerate(order, start=1):
            self.students[f"{number:03d}-{entry.name}"] = entry
        own = nbformat.from_dict(json.loads(json.dumps(released)))
        if self.lesson == FIXTURE:
            for name, source in RIGHT.items():
                cell(own, name).source = source
            cell(own, "written").source = f"The best answer is {self.canary}."
        path = self._path(CANARY)
        path.parent.mkdir(parents=True)
        nbformat.write(own, path)
        for student, entry in self.students.items():
            entry.hand_in(self._path(student), released, self.places)
            if entry is PROBE:  # each a piece of work of its own: the same answers would run once
                probe = nbformat.read(self._path(student), nbformat.NO_CONVERT)
                probe.cells.append(nbformat.v4.new_code_cell(f"# {student}"))
                nbformat.write(probe, self._path(student))

    def _path(self, student: str) -> Path:
        return self.course.folder("submitted", student, self.lesson) / f"{self.lesson}.ipynb"

    def _give_away(self) -> None:
        """Everything belongs to whoever grades."""
        if self.who.user is not None:
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, self.who.user, self.who.user, follow_symlinks=False)

    def _state(self) -> dict[str, str]:
        """A digest of every file that must stay as it is."""
        found = {}
        for folder in ("course/solutions", "course/submitted", "home"):
            for path in sorted((self.folder / folder).rglob("*")):
                kept = path.is_file() and not path.is_symlink() and ".cache" not in path.parts
                name = str(path.relative_to(self.folder))
                if kept and (folder != "home" or _is_ours(name)):
                    found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (self._secret, self.course_folder / "nbgrader_config.py"):
            found[path.name] = hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "gone"
        return found

    # Grading

    @property
    def environment(self) -> dict[str, str]:
        """The grader's environment, with a secret in it."""
        return {
            "PATH": os.pathsep.join([str(Path(self.who.python).parent), "/usr/bin", "/bin"]),
            "HOME": str(self.home),
            "TMPDIR": str(self.temporary),
            "PYTHONPATH": str(PROJECT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "LANG": os.environ.get("LANG", "C.UTF-8"),
            "JUPYTER_PLATFORM_DIRS": "1",
            "JUPYTER_CONFIG_PATH": str(Path(sysconfig.get_path("data")) / "etc" / "jupyter"),
            "JUPYTER_PATH": str(Path(sysconfig.get_path("data")) / "share" / "jupyter"),
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            "SECRET_OF_THE_GRADER": self.canary,
        }

    def grade(self, tell: Callable[[int], None] | None = None, *arguments: str) -> None:
        """Grade the class with `python -m autograder grade`; `tell` hears from time to time how many are done."""
        command = self.who.command(self.who.python, "-m", "autograder", "grade", self.lesson)
        command += ["--course", str(self.course_folder), "--json", str(self.folder / "grades.json")]
        self._run([*command, "--timeout", str(CELL_SECONDS), *arguments], PROJECT, tell)

    def autograde(self) -> None:
        """Grade the class with `nbgrader autograde`."""
        self._run(self.who.command(self.who.python, "-m", "nbgrader", "autograde", self.lesson), self.course_folder)

    def press_buttons(self) -> None:
        """Grade each submission through the request that formgrader's button sends."""
        with self._server() as address:
            for student in sorted([*self.students, CANARY]):
                url = f"{address}/formgrader/api/submission/{self.lesson}/{student}/autograde"
                request = urllib.request.Request(url, data=b"", method="POST")
                request.add_header("Authorization", f"token {self.token}")
                try:
                    with urllib.request.urlopen(request, timeout=400) as reply:
                        self.said += reply.read().decode()
                except urllib.error.HTTPError as error:
                    self.said += f"{student}: {error}\n"

    def feedback(self, students: Iterable[str]) -> dict[str, str]:
        """The feedback pages of some students."""
        pages = {}
        for student in students:
            done = self.course.api().generate_feedback(self.lesson, student)
            path = self.course.folder("feedback", student, self.lesson) / f"{self.lesson}.html"
            pages[student] = path.read_text(encoding="utf-8") if done["success"] and path.exists() else ""
        return pages

    def _run(self, command: list[str], folder: Path, tell: Callable[[int], None] | None = None) -> None:
        log = self.folder / "log"
        with log.open("wb") as out:
            running = subprocess.Popen(command, cwd=folder, env=self.environment, stdout=out, stderr=subprocess.STDOUT)
            try:
                while running.poll() is None:
                    time.sleep(0.2)
                    if tell is not None:
                        tell(sum(1 for _ in (self.course_folder / "autograded").glob("*/*/*.ipynb")))
            finally:
                if running.poll() is None:
                    running.send_signal(signal.SIGINT)
                    running.wait(timeout=60)
        self.exit_code = running.returncode
        self.said += log.read_bytes().decode("utf-8", "surrogateescape")

    @contextlib.contextmanager
    def _server(self) -> Iterator[str]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = self.who.command(
            self.who.python, "-m", "jupyter_server", "--allow-root", "--no-browser", "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={self.token}",
            f"--ServerApp.root_dir={self.course_folder}",
            "--ServerApp.jpserver_extensions={'nbgrader.server_extensions.formgrader': True}",
        )  # fmt: skip
        log = self.folder / "server.log"
        with log.open("wb") as out:
            server = subprocess.Popen(
                command, cwd=self.course_folder, env=self.environment, stdout=out, stderr=subprocess.STDOUT
            )
            address = f"http://127.0.0.1:{port}"
            try:
                for _ in range(600):
                    if server.poll() is not None:
                        break
                    with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/api", timeout=5):
                        break
                    time.sleep(0.2)
                yield address
            finally:
                server.terminate()
                server.wait(timeout=60)
                self.said += log.read_bytes().decode("utf-8", "surrogateescape")

    # What came of it

    def rows(self) -> dict[str, Row]:
        """What every student of the class got, with all that is wrong about it."""
        recorded = self.recorded()
        usual = self._shown(BEFORE)
        found = {}
        for student, entry in self.students.items():
            graded = self._graded(student)
            if graded is None:
                missing = "missing" in entry.outcomes and not recorded.get(student)
                problems = () if missing else ("it has no grade",)
                found[student] = Row("missing" if missing else "", 0 if missing else None, (), problems)
                continue
            messages = tuple(each["message"] for each in graded["exercises"])
            wrong = [*self._problems(student, entry, graded, recorded.get(student))]
            if entry is PROBE and self._shown(student) != usual:
                wrong.append(f"what it shows differs: {_difference(self._shown(student), usual)}")
            found[student] = Row(graded["outcome"], graded["score"], messages, tuple(wrong))
        return found

    def _problems(self, student: str, entry: Entry, graded: Mapping[str, Any], recorded: float | None) -> Iterator[str]:
        score = graded["score"]
        if graded["outcome"] not in entry.outcomes:
            yield f"its outcome is {graded['outcome']}, not {' or '.join(sorted(entry.outcomes))}"
        if score > entry.deserves:
            yield f"it got {score} points and deserves {entry.deserves}"
        elif score < entry.deserves and entry.exact:
            yield f"it lost points: {score} of {entry.deserves}"
        if recorded != score:
            yield f"the gradebook says {recorded}, its notebook {score}"
        whole = self._file(student).read_bytes()
        if len(whole) > 3_000_000:
            yield f"its graded notebook has {len(whole):,} bytes"
        shown = self._shown(student) + json.dumps(graded)
        if WON in shown:
            yield f"it got through: {shown.split(WON, 1)[1][:100].strip()!r}"
        if _TOKEN.search(whole) or self.seed.encode() in whole:
            yield "a secret is in its graded notebook"
        if _SHOWN_INPUT.search(self._verdicts(student)):
            yield "hidden inputs are in its verdicts"
        yield from self._active(student)

    def _active(self, student: str) -> Iterator[str]:
        """Whatever a browser would run or fetch in what the student displayed."""
        for each in json.loads(self._file(student).read_bytes())["cells"]:
            for output in each.get("outputs", []):
                for mime, content in output.get("data", {}).items():
                    if mime not in ("text/plain", "text/html", "image/png", "image/jpeg"):
                        yield f"it displays {mime}"
                    elif mime == "text/html":
                        yield from active_parts("".join(content), styled=_is_check(each))
                    elif mime != "text/plain":
                        try:
                            base64.b64decode("".join(content), validate=True)
                        except ValueError:
                            yield "it displays a picture that is none"
            if each.get("attachments"):
                yield "it has attachments"

    def problems(self) -> list[str]:
        """What is wrong with the course, the machine and the class as a whole, a sentence each."""
        found = [f"{name} was changed" for name, digest in self._state().items() if self._known.get(name) != digest]
        found += [f"{name} is gone" for name in self._known if name not in self._state()]
        found += [f"{path} was left" for path in self.marked()]
        found += [f"a process was left: {line}" for line in self._processes()]
        found += [f"somebody reached the listeners: {said!r}" for said in self.listeners.heard]
        found += [f"{path.name} was left in the folder for temporary files" for path in self.temporary.iterdir()]
        found += _segments(self.token)
        with Gradebook(self.course.db_url, self.course.directory.course_id) as book:
            everybody = {student.id for student in book.students}
            if self.lesson == FIXTURE and self._by_hand(book) != (1.25, "Nice."):
                found.append("the gradebook's manual grade was changed")
        found += [f"the gradebook has a student {name!r}" for name in everybody - {*self.students, CANARY}]
        graded = self._graded(CANARY)
        if graded is None or (self.lesson == FIXTURE and graded["score"] != FULL):
            found.append("the last one of the class was not graded as usual")
        if "\x1b]" in self.said or "\x1b[2J" in self.said or "\x9b" in self.said:
            found.append("an escape of a submission reached the grader's terminal")
        if _TOKEN.search(self.said.encode("utf-8", "replace")):
            found.append("a secret reached the grader's terminal")
        return found

    def recorded(self) -> dict[str, float]:
        """Everybody's score in the gradebook, without what is graded by hand."""
        with Gradebook(self.course.db_url, self.course.directory.course_id) as book:
            return {
                each.student.id: sum(
                    (grade.auto_score or 0) + (grade.extra_credit or 0) for n in each.notebooks for grade in n.grades
                )
                for each in book.assignment_submissions(self.lesson)
            }

    def _by_hand(self, book: Gradebook) -> tuple[float | None, str | None]:
        place = ("written", self.lesson, self.lesson, CANARY)
        try:
            return book.find_grade(*place).manual_score, book.find_comment(*place).manual_comment
        except MissingEntry:
            return None, None

    def marked(self) -> list[Path]:
        """Files that carry this trial's mark, wherever an entry could have put them."""
        mark = f"redteam-{self.token}"
        packages = {*map(Path, sys.path), Path(sysconfig.get_path("purelib")), Path(sysconfig.get_path("platlib"))}
        flat = {Path(place) for place in ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/run", "/etc")}
        flat |= {Path(place) for place in ("/etc/cron.d", "/etc/profile.d", "/var/spool/cron/crontabs")}
        flat |= {PROJECT, PROJECT / "course_lib", PROJECT / "autograder", Path.home(), Path("/var/spool/cron/atjobs")}
        found = [path for place in packages | flat if place.is_dir() for path in place.glob(f"*{mark}*")]
        return sorted({*found, *self.folder.rglob(f"*{mark}*")})

    def _processes(self) -> list[str]:
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                line = " ".join(process.cmdline())
                if f"redteam-{self.token}" in line or process.name() == f"rt{self.token[:12]}":
                    found.append(f"{process.pid} {process.name()} {line[:80]}")
        return found

    def _end_processes(self) -> None:
        for line in self._processes():
            with contextlib.suppress(OSError):
                os.kill(int(line.split(" ", 1)[0]), signal.SIGKILL)

    def _file(self, student: str) -> Path:
        return self.course.folder("autograded", student, self.lesson) / f"{self.lesson}.ipynb"

    def _graded(self, student: str) -> Mapping[str, Any] | None:
        return gradebook.graded_entry(self._file(student))

    def _verdicts(self, student: str) -> str:
        """What the check cells say, which every student sees."""
        cells = json.loads(self._file(student).read_bytes())["cells"]
        checks = [each for each in cells if _is_check(each)]
        return json.dumps([output.get("data", {}) for each in checks for output in each.get("outputs", [])])

    def _shown(self, student: str) -> str:
        """All that a student's cells displayed, as text."""
        if self._graded(student) is None:
            return ""
        cells = json.loads(self._file(student).read_bytes())["cells"]
        outputs = [output for each in cells for output in each.get("outputs", [])]
        texts = [output.get("text") or output.get("data", {}).get("text/plain") or output.get("evalue", "")
                 for output in outputs]  # fmt: skip
        return "".join("".join(text) for text in texts)


class _Active(HTMLParser):
    """Collects what a browser would run, fetch or follow."""

    FORBIDDEN = ("script", "iframe", "object", "embed", "form", "link", "meta", "base", "style", "svg", "math")

    def __init__(self, styled: bool) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inert = ("on", "srcdoc", "ping") if styled else ("on", "srcdoc", "ping", "style")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self.FORBIDDEN:
            self.found.append(f"it displays <{tag}>")
        for name, value in attrs:
            if name.startswith(self._inert) and value:
                self.found.append(f"it displays {name}=")
            if name in ("src", "href", "action", "data", "poster", "srcset") and not (value or "").startswith(
                ("#", "data:image/png;", "data:image/jpeg;")
            ):
                self.found.append(f"it displays a link to {(value or '')[:60]!r}")

    handle_startendtag = handle_starttag


def active_parts(html: str, *, styled: bool = False) -> list[str]:
    """What a browser would run, fetch or follow in a piece of HTML, a sentence each; styles too unless `styled`."""
    parser = _Active(styled)
    parser.feed(html)
    return sorted(set(parser.found))


def _is_check(known: Mapping[str, Any]) -> bool:
    return str(known["metadata"].get("nbgrader", {}).get("grade_id", "")).startswith("check_")


def _is_ours(name: str) -> bool:
    return name.endswith(("id_rsa", ".bashrc", ".profile", "startup/README", "authorized_keys"))


def _difference(shown: str, usual: str) -> str:
    lines = [line for line in shown.splitlines() if line not in usual.splitlines()]
    return repr("; ".join(lines)[:300] or "something is missing")


def _segments(token: str) -> list[str]:
    """System V shared memory and semaphores with this trial's key."""
    key = str(int(f"rt{token[:12]}"[2:9], 16))
    found = []
    for kind in ("shm", "sem"):
        path = Path("/proc/sysvipc") / kind
        with contextlib.suppress(OSError):
            lines = path.read_text().splitlines()[1:]
            found += [f"System V {kind} {line.split()[1]} was left" for line in lines if line.split()[0] == key]
    return found


def _remove_segments(token: str) -> None:
    for line in _segments(token):
        kind, number = line.split()[2:4]
        subprocess.run(["ipcrm", "-m" if kind == "shm" else "-s", number], check=False, capture_output=True)
