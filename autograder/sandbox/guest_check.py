"""The sandbox's `check`: it runs the learner's code on the cases that came in and writes down the answers.

It decides nothing.

`autograder.sandbox.guest` copies this file into the sandbox as `course_lib/check.py`. There are no expected
values, no generator of cases and no reference beside it.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Mapping
from typing import Any

from course_lib.exercises.answers import Opaque
from course_lib.exercises.programs import LAST, Answer, decode_case, encode_answer, run

MAX_LINE = 2_000_000
"""The judge reads no longer line than this."""


class Recorded:
    """What a check displays in the sandbox: that there is nothing to see."""

    points = 0
    result = None

    def __repr__(self) -> str:
        return "recorded"


def check(name: str, namespace: Mapping[str, Any] | None = None, *, seed: int = 0) -> Recorded:
    """Takes the place of the course's `check` in a learner's own cells; only the grader's requests are answered."""
    return Recorded()


def answer_cases(request: Mapping[str, Any], namespace: Mapping[str, Any], write: Callable[[str], None]) -> None:
    """Answer the cases of `request` with the names in `namespace`, one line of JSON for each.

    Args:
        request: "check", the exercise; "run"; "groups", its encoded cases.
        namespace: what the cells defined.
        write: takes each line, without its end.
    """
    with _silence():
        for group, cases in request["groups"].items():
            for index, case in enumerate(cases):
                answer = run(decode_case(case), namespace)
                place = {"run": request["run"], "exercise": request["check"], "group": group, "case": index}
                write(_line(place, answer))
                if answer.outcome in LAST:  # every other case would end the same way
                    return


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
