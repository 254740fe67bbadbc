"""The sandbox's `check`: it runs the learner's code on the cases that came in and writes down the answers.

It decides nothing.

`autograder.sandbox.guest` copies this file into the sandbox as `course_lib/check.py`. There are no expected
values, no generator of cases and no reference beside it.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from course_lib.exercises.answers import Opaque
from course_lib.exercises.programs import Answer, decode_case, encode_answer, run

MAX_LINE = 2_000_000
"""The judge reads no longer line than this."""


class Recorded:
    """What a check displays in the sandbox: that there is nothing to see."""

    points = 0
    result = None

    def __repr__(self) -> str:
        return "recorded"


def check(name: str, namespace: Mapping[str, Any] | None = None, *, seed: int = 0) -> Recorded:
    """Takes the place of the course's `check` in a learner's own cells; only the check cells record answers."""
    return Recorded()


def record(name: str) -> Recorded:
    """Answer the cases of the exercise `name` with the caller's names, one line of JSON for each."""
    namespace = sys._getframe(1).f_globals
    exchange = Path(os.environ["COURSE_EXCHANGE"])
    given = json.loads((exchange / "cases" / f"{name}.json").read_text(encoding="utf-8"))
    with (exchange / "answers.jsonl").open("a", encoding="utf-8", newline="\n") as out, _silence():
        for group, cases in given["groups"].items():
            for index, case in enumerate(cases):
                answer = run(decode_case(case), namespace)
                place = {"run": given["run"], "exercise": name, "group": group, "case": index}
                out.write(_line(place, answer) + "\n")
                out.flush()
                if answer.outcome in ("missing", "interrupted"):  # every other case would end the same way
                    return Recorded()
    return Recorded()


def _line(place: dict[str, Any], answer: Answer) -> str:
    try:
        line = json.dumps({**place, "answer": encode_answer(answer)})
    except (MemoryError, RecursionError, TypeError, ValueError):
        line = " " * (MAX_LINE + 1)
    if len(line) > MAX_LINE:
        too_large = Answer("answered", Opaque("value too large to hand in"))
        line = json.dumps({**place, "answer": encode_answer(too_large)})
    return line


class _Nowhere(io.TextIOBase):
    def write(self, text: str) -> int:
        return len(text)


@contextlib.contextmanager
def _silence() -> Any:
    nowhere = _Nowhere()
    with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        yield
