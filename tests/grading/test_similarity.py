"""Answers that are alike are shown side by side; what everybody writes is no finding, and nobody is judged."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from autograder.class_grading import ClassGrading
from autograder.cli import app
from autograder.gradebook import Course
from autograder.similarity import FEW, HandedOut, Pair, compare, page
from tests.grading.conftest import HandIn
from tests.grading.fixture_lesson import NAME
from tests.grading.helpers import LIMITS, RIGHT, grade_one, submission
from tests.grading.quick_sandbox import QuickSandbox
from tests.redteam.trial import active_parts

pytest.importorskip("copydetect", reason="pip install -r requirements-similarity.txt")

STUB = 'def train(x, y):\n    """Fit a line."""\n    raise NotImplementedError()'
GIVEN = {"train": HandedOut(STUB, ())}
HEAD = STUB.rsplit("\n", 1)[0] + "\n"
LOOP = (
    HEAD
    + """\
    # start at zero
    slope, shift = 0.0, 0.0
    for turn in range(250):
        miss = slope * x + shift - y
        slope -= 0.05 * (miss * x).mean() + 1e-4 * abs(slope)
        shift -= 0.05 * miss.mean()
        if turn % 50 == 49 and abs(miss).max() < 1e-3:
            break
    return {"slope": slope, "shift": shift}
"""
)
RENAMED = (
    HEAD
    + """\
    a, b = 0.0, 0.0

    for i in range(250):
        e = a * x + b - y   # the error
        a -= 0.05 * (e * x).mean() + 1e-4 * abs(a)
        b -= 0.05 * e.mean()
        if i % 50 == 49 and abs(e).max() < 1e-3:
            break
    out = dict()
    out["slope"], out["shift"] = a, b
    return out
"""
)
SOLVED = (
    HEAD
    + """\
    design = np.stack([x, np.ones_like(x)], axis=1)
    normal = design.T @ design + 1e-9 * np.eye(2)
    best = np.linalg.solve(normal, design.T @ y)
    return {"slope": float(best[0]), "shift": float(best[1])}
"""
)


def pairs_of(answers: dict[str, str], given: dict[str, HandedOut] | None = None) -> list[Pair]:
    return compare({"train": answers}, given or GIVEN)[1]


def marked(pair: Pair, side: str) -> list[str]:
    """The lines of one side that are marked as shared."""
    found = getattr(pair, side)
    return [line.strip() for line, alike in zip(found.source.split("\n"), found.alike, strict=True) if alike]


def test_an_answer_with_other_names_is_found_and_an_independent_one_is_not() -> None:
    (pair,) = pairs_of({"ada": LOOP, "bob": RENAMED, "cy": SOLVED})
    assert (pair.left.student, pair.right.student) == ("ada", "bob")
    assert not pair.same_text
    assert pair.held_by == (2, 2)
    assert pair.left.share > 0.7
    assert "miss = slope * x + shift - y" in marked(pair, "left")
    assert "e = a * x + b - y   # the error" in marked(pair, "right")
    assert "out = dict()" not in marked(pair, "right")
    for side in ("left", "right"):  # what was handed out is not shared, it was given
        assert not {"def train(x, y):", '"""Fit a line."""'} & set(marked(pair, side))


def test_the_same_text_is_named_as_such() -> None:
    (pair,) = pairs_of({"ada": LOOP, "bob": LOOP})
    assert pair.same_text
    assert pair.left.share == pair.right.share == 1.0


def test_what_the_lesson_shows_or_its_solution_has_does_not_count() -> None:
    assert pairs_of({"ada": LOOP, "bob": RENAMED}, {"train": HandedOut(STUB, (LOOP,))}) == []


def test_what_many_of_a_class_write_does_not_count() -> None:
    few = {f"s{number}": LOOP for number in range(FEW - 1)}
    assert len(pairs_of(few)) == 6
    assert pairs_of({**few, "one more": RENAMED}) != pairs_of(few)
    assert pairs_of({**few, "one more": LOOP}) == []
    compared, _ = compare({"train": {**few, "one more": LOOP}}, GIVEN)
    assert (compared[0].answers, compared[0].compared, compared[0].common_from) == (FEW, 0, FEW)


def test_a_short_answer_is_left_out() -> None:
    short = HEAD + "    slope = (x * y).sum() / (x * x).sum()\n    return slope"
    compared, pairs = compare({"train": {"ada": short, "bob": short, "cy": ""}}, GIVEN)
    assert pairs == []
    assert (compared[0].answers, compared[0].compared) == (3, 0)


def test_the_pairs_that_share_most_come_first_and_so_many_are_shown() -> None:
    half = HEAD + "\n".join(LOOP.split("\n")[3:9])
    pairs = pairs_of({"ada": LOOP, "bob": LOOP, "cy": half})
    assert [(pair.left.student, pair.right.student) for pair in pairs] == [("ada", "bob"), ("ada", "cy"), ("bob", "cy")]
    html = page(NAME, [], pairs, 1)
    assert html.count("<section") == 1
    assert "The 1 of 3 pairs that share most" in html


def test_code_of_any_kind_is_shown_as_text() -> None:
    evil = LOOP.replace("# start at zero", "'</pre><script>alert(1)</script><img src=x onerror=alert(1)>' \u202e \x00")
    broken = LOOP.replace("range(250)", "range(250") + '\n"""never closed \r\n\r\x0b\x85 <b>'
    pairs = pairs_of({"<i>eve</i>": evil, "mallory": broken.replace("\r", "\n"), "ada": LOOP})
    assert len(pairs) == 3
    html = page("<u>lesson", [], pairs, 10)
    assert [part for part in active_parts(html) if part not in ("it displays <meta>", "it displays <style>")] == []
    for raw in ("<script", "<img", "<i>", "<u>", "<b>"):
        assert raw not in html
    assert "default-src 'none'" in html


def test_the_page_accuses_nobody() -> None:
    html = page(NAME, [], pairs_of({"ada": LOOP, "bob": LOOP}), 10)
    assert "It shows what is alike, and it cannot show why." in html
    assert not re.search(r"plagiar|cheat|suspici|guilt|caught|offen[cd]", html, re.IGNORECASE)
    assert "\u2248 " in html  # a mark that is not a colour


def test_every_pair_is_counted_for_the_bar() -> None:
    told: list[tuple[int, int]] = []
    answers = {f"s{number:02}": LOOP.replace("250", str(number)) + f"    # {number}" for number in range(4)}
    compare({"train": answers}, GIVEN, lambda done, total: told.append((done, total)))
    assert told[-1] == (6, 6)


def test_it_finds_the_same_on_every_day(tmp_path: Path, root: Path) -> None:
    """The library's hashes differ from process to process."""
    script = tmp_path / "find.py"
    script.write_text(
        "from tests.grading.test_similarity import LOOP, RENAMED, SOLVED, pairs_of\n"
        "print([(p.signs, p.left.alike, p.right.alike) for p in pairs_of({'a': LOOP, 'b': RENAMED, 'c': SOLVED})])"
    )
    found = {
        subprocess.run(
            [sys.executable, str(script)], cwd=root, capture_output=True, text=True, check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(root), "PATH": "/usr/bin", "MPLCONFIGDIR": str(tmp_path)},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(found) == 1


def invoke(course: Course, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["similar", *arguments, "--course", str(course.root)])


def own_way(odd: str) -> dict[str, str]:
    """An answer that is right, by a long way of its own."""
    steps = "".join(f"    kept = kept + {odd} * {number}.5 - {odd} * {number}.5\n" for number in range(8))
    return {
        **RIGHT,
        "scale": f"def scale(x, factor):\n    {odd} = factor\n    kept = 0.0 * x\n{steps}    return x * {odd}",
    }


def test_the_command_writes_a_page_and_changes_no_mark(course: Course, hand_in: HandIn) -> None:
    nothing = invoke(course, NAME)
    assert nothing.exit_code == 2
    assert f"`python -m autograder grade {NAME}` does it" in nothing.output
    for student, answers in (("ada", own_way("a")), ("bob", own_way("b")), ("cy", RIGHT), ("dan", {})):
        hand_in(student, submission(answers))
    run = ClassGrading(course, NAME, QuickSandbox(), LIMITS)
    for student in ("ada", "bob", "cy", "dan"):
        grade_one(run, student)
    before = {path: path.read_bytes() for path in course.root.rglob("*") if path.is_file()}
    assert not [path for path in before if "similar" in path.name]  # nothing has compared them by itself
    done = invoke(course, NAME)
    assert done.exit_code == 0, done.output
    assert re.search(r"scale +4 +2 +1\b", done.output)
    assert "It names students: it is for you alone, and it decides nothing." in " ".join(done.output.split())
    html = (course.root / f"similarity-{NAME}.html").read_text(encoding="utf-8")
    assert "ada and bob" in html
    assert "nobody else has them" in html
    assert "dan" not in html
    assert {path: path.read_bytes() for path in before} == before
    assert invoke(course, "99_nothing").exit_code == 2


def test_without_the_library_the_command_says_what_to_install(
    course: Course, hand_in: HandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_in("ada", submission(RIGHT))
    grade_one(ClassGrading(course, NAME, QuickSandbox(), LIMITS), "ada")
    monkeypatch.setitem(sys.modules, "copydetect", None)
    done = invoke(course, NAME)
    assert done.exit_code == 2
    assert "pip install -r requirements-similarity.txt" in done.output
    assert not (course.root / f"similarity-{NAME}.html").exists()
