"""The progress file: the learner's own, shared by notebooks, and never the reason why a lesson stops."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date, datetime
from pathlib import Path

import pytest
from filelock import FileLock

from course_lib import files
from course_lib.check import check
from course_lib.study import clock, records
from course_lib.study.leitner import Place
from course_lib.study.records import Checked, Keeper, LessonRecord, Quizzed, Records

NOW = datetime(2026, 11, 23, 18, 30)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "course_progress.json"


def know(card: str, box: int = 1) -> records.Change:
    def change(held: Records) -> None:
        held.of("01_tiny").cards[card] = Place(box, date(2026, 11, 24))

    return change


def test_what_is_kept_is_found_again_and_can_be_read_by_anybody(path: Path) -> None:
    def change(held: Records) -> None:
        record = held.of("01_tiny")
        record.checks["relu_backward"] = Checked(4, 4, NOW.date())
        record.quiz = Quizzed(7, 9, NOW.date())
        record.last = NOW

    Keeper(path).update(change)
    Keeper(path).update(know("slope"))
    assert json.loads(path.read_text(encoding="utf-8")) == {
        "format": 1,
        "lessons": {
            "01_tiny": {
                "checks": {"relu_backward": {"points": 4, "of": 4, "on": "2026-11-23"}},
                "cards": {"slope": {"box": 1, "due": "2026-11-24"}},
                "quiz": {"best": 7, "of": 9, "on": "2026-11-23"},
                "last": "2026-11-23T18:30:00",
            }
        },
    }
    assert len(path.read_text(encoding="utf-8").splitlines()) > 10
    held = Keeper(path).read()
    assert held.of("01_tiny").cards["slope"] == Place(1, date(2026, 11, 24))
    assert held.of("01_tiny").quiz == Quizzed(7, 9, NOW.date())


def test_reading_makes_no_file(path: Path) -> None:
    assert Keeper(path).read() == Records()
    assert list(path.parent.iterdir()) == []


def test_two_notebooks_that_write_in_turn_lose_nothing(path: Path) -> None:
    one, other = Keeper(path), Keeper(path)
    one.update(know("a"))
    other.update(know("b"))
    one.update(know("c"))
    assert sorted(Keeper(path).read().of("01_tiny").cards) == ["a", "b", "c"]
    assert sorted(other.read().of("01_tiny").cards) == ["a", "b", "c"]


def test_two_kernels_that_write_at_once_lose_nothing(path: Path) -> None:
    program = (
        "import sys\n"
        "from datetime import date\n"
        "from pathlib import Path\n"
        "from course_lib.study.leitner import Place\n"
        "from course_lib.study.records import Keeper\n"
        "keeper = Keeper(Path(sys.argv[1]))\n"
        "for number in range(40):\n"
        "    def change(held):\n"
        "        held.of('01_tiny').cards[f'{sys.argv[2]}-{number}'] = Place(1, date(2026, 11, 24))\n"
        "    keeper.update(change)\n"
        "    assert not keeper.trouble, keeper.trouble\n"
    )
    kernels = [subprocess.Popen([sys.executable, "-c", program, str(path), name]) for name in ("a", "b")]
    assert [kernel.wait() for kernel in kernels] == [0, 0]
    expected = {f"{name}-{number}" for name in ("a", "b") for number in range(40)}
    assert set(Keeper(path).read().of("01_tiny").cards) == expected


BROKEN = {
    "cut off": b'{"format": 1, "lessons": {"01_tiny": {"car',
    "empty": b"",
    "no text": b"\xff\xfe\x00",
    "another shape": b'{"format": 1, "lessons": {"01_tiny": {"cards": {"slope": {"box": 9, "due": "2026-11-24"}}}}}',
    "a list": b"[]",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_kept_aside_and_that_is_said(path: Path, kind: str) -> None:
    path.write_bytes(BROKEN[kind])
    keeper = Keeper(path)
    assert keeper.read() == Records()
    assert path.read_bytes() == BROKEN[kind], "reading changes nothing"
    keeper.update(know("a"))
    aside = path.with_name("course_progress.broken-1.json")
    assert aside.read_bytes() == BROKEN[kind]
    assert keeper.trouble == f"{path} could not be read. It is kept as {aside.name}, and a new one was begun."
    assert list(Keeper(path).read().of("01_tiny").cards) == ["a"]
    keeper.update(know("b"))
    assert keeper.trouble == ""
    path.write_bytes(BROKEN[kind])
    keeper.update(know("c"))
    assert path.with_name("course_progress.broken-2.json").exists()


def test_an_editor_s_line_ends_and_byte_order_mark_do_no_harm(path: Path) -> None:
    Keeper(path).update(know("a"))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    keeper = Keeper(path)
    assert list(keeper.read().of("01_tiny").cards) == ["a"]
    keeper.update(know("b"))
    assert keeper.trouble == ""
    assert sorted(Keeper(path).read().of("01_tiny").cards) == ["a", "b"]


def test_a_newer_course_s_file_is_left_alone(path: Path) -> None:
    newer = b'{"format": 2, "anything": []}'
    path.write_bytes(newer)
    keeper = Keeper(path)
    keeper.update(know("a"))
    assert path.read_bytes() == newer
    assert "is from a newer version of this course: update the course." in keeper.trouble
    assert list(keeper.read().of("01_tiny").cards) == ["a"]


def test_where_nothing_can_be_written_it_counts_until_the_kernel_stops(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Keeper(path).update(know("a"))

    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as here:
        here.setattr(records, "replace", refuse)
        keeper = Keeper(path)
        keeper.update(know("b"))
        keeper.update(know("c"))
        assert keeper.trouble == (
            "Your progress counts only until this notebook's kernel stops: "
            f"{path} cannot be written (Read-only file system)."
        )
        assert sorted(keeper.read().of("01_tiny").cards) == ["a", "b", "c"]
        assert sorted(Keeper(path).read().of("01_tiny").cards) == ["a"]
    keeper.update(know("d"))
    assert keeper.trouble == ""
    assert sorted(Keeper(path).read().of("01_tiny").cards) == ["a", "b", "c", "d"]


def test_a_file_that_another_notebook_reads_just_now_is_tried_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Windows refuses to replace a file that is open."""
    refusals = [PermissionError(13, "Permission denied")] * 3
    replace = Path.replace

    def sometimes(self: Path, target: Path) -> Path:
        if refusals:
            raise refusals.pop()
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", sometimes)
    monkeypatch.setattr(files.time, "sleep", lambda _seconds: None)
    keeper = Keeper(path)
    keeper.update(know("a"))
    assert keeper.trouble == ""
    refusals += [PermissionError(13, "Permission denied")] * 100
    keeper.update(know("b"))
    assert "cannot be written (Permission denied)" in keeper.trouble
    assert sorted(keeper.read().of("01_tiny").cards) == ["a", "b"]


def test_a_folder_that_cannot_be_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    keeper = Keeper(tmp_path / "file" / "course_progress.json")
    keeper.update(know("a"))
    assert "cannot be written" in keeper.trouble
    assert list(keeper.read().of("01_tiny").cards) == ["a"]


def test_a_lock_that_nobody_gives_back_is_no_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "LOCK_SECONDS", 0.05)
    keeper = Keeper(path)
    with FileLock(path.with_name(f".{path.name}.lock")):
        keeper.update(know("a"))
    assert "cannot be written (it is in use)" in keeper.trouble
    keeper.update(know("b"))
    assert sorted(Keeper(path).read().of("01_tiny").cards) == ["a", "b"]


def test_without_a_file_all_stays_in_memory() -> None:
    keeper = Keeper(None)
    keeper.update(know("a"))
    assert keeper.trouble == ""
    assert keeper.read().lessons == {"01_tiny": LessonRecord(cards={"a": Place(1, date(2026, 11, 24))})}


@pytest.fixture
def kept_anywhere(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Undo what keeps the test run itself from keeping progress."""
    monkeypatch.delenv(records.SWITCH, raising=False)
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    return monkeypatch


def test_a_new_file_stands_beside_the_lessons(kept_anywhere: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lesson = tmp_path / "lessons" / "01_backpropagation"
    lesson.mkdir(parents=True)
    kept_anywhere.chdir(lesson)
    assert records.place() == (tmp_path / "lessons" / records.NAME).resolve()
    kept_anywhere.chdir(tmp_path)
    assert records.place() == (tmp_path / records.NAME).resolve()


def test_the_nearest_file_above_is_used(kept_anywhere: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lesson = tmp_path / "lessons" / "01_backpropagation"
    lesson.mkdir(parents=True)
    (tmp_path / records.NAME).write_text("{}")
    assert records.place(lesson) == (tmp_path / records.NAME).resolve()
    (lesson / records.NAME).write_text("{}")
    assert records.place(lesson) == (lesson / records.NAME).resolve()


def test_a_variable_names_another_file_or_none(kept_anywhere: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kept_anywhere.setenv(records.SWITCH, str(tmp_path / "mine.json"))
    assert records.place() == tmp_path / "mine.json"
    kept_anywhere.setenv(records.SWITCH, "off")
    assert records.place() is None


def test_while_nbgrader_runs_a_notebook_nothing_is_kept(kept_anywhere: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kept_anywhere.setenv("NBGRADER_EXECUTION", "autograde")
    kept_anywhere.setenv(records.SWITCH, str(tmp_path / "mine.json"))
    assert records.place() is None


def relu_backward(dout, x):  # type: ignore[no-untyped-def]
    return dout * (x > 0)


def test_a_check_is_kept_and_a_worse_one_later_takes_nothing_away(
    kept_anywhere: pytest.MonkeyPatch, path: Path
) -> None:
    kept_anywhere.setenv(records.SWITCH, str(path))
    kept_anywhere.setattr(clock, "now", lambda: NOW)
    right = check("relu_backward", {"relu_backward": relu_backward})
    check("relu_backward", {"relu_backward": lambda dout, x: dout})
    held = Keeper(path).read().of("01_backpropagation")
    assert right.points > 0
    assert held.checks == {"relu_backward": Checked(right.points, right.points, NOW.date())}
    assert held.last == NOW


def test_an_unanswered_exercise_leaves_no_record(kept_anywhere: pytest.MonkeyPatch, path: Path) -> None:
    kept_anywhere.setenv(records.SWITCH, str(path))
    check("relu_backward", {})
    assert not path.exists()


def test_a_check_never_fails_because_of_its_record(kept_anywhere: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for named in (str(tmp_path / "file" / "x.json"), "\0", str(tmp_path)):
        kept_anywhere.setattr(records.os, "environ", {records.SWITCH: named})
        assert check("relu_backward", {"relu_backward": relu_backward}).points > 0

    def fail(*_: object) -> None:
        raise RuntimeError

    kept_anywhere.setattr(records, "note_check", fail)
    assert check("relu_backward", {"relu_backward": relu_backward}).points > 0
