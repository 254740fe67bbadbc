"""A trial of a notebook in fresh kernels: what its answers earn at home, and whether it runs from top to bottom.

The notebook's file is not touched: its cells are sent to a kernel of their own, in the notebook's folder. Progress is
not kept, and what the cells show is not looked at, but for errors.
"""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from course_lib.submission.notebooks import Notebook, headings, role
from course_lib.submission.review import Checked, Review

REPORT = "application/vnd.course.check+json"
SECONDS_A_CELL = 120.0
_REPORT_CODE = "__import__('course_lib.submission.trial', fromlist=['report']).report({name!r}, globals())"
_SETUP = "import matplotlib.pyplot as plt\nimport numpy as np\nfrom course_lib.check import check"
"""What a lesson's set-up may hold (autograder/building/rules.py); here for notebooks that have lost the cell."""
_NOT_WRITTEN = "NotImplementedError"
_SECONDS_TO_START = 60.0
_LOOK = 0.2


@dataclass(frozen=True)
class Failure:
    """A cell that did not end by itself: the heading it stands under, its first line, and what happened."""

    heading: str
    line: str
    what: str


@dataclass
class Trial:
    """What came of a trial.

    Attributes:
        checked: what the check of each exercise said, by name.
        failures: cells of the notebook that raised, took too long or ended the kernel.
        skipped: how many cells were not run after that.
    """

    checked: dict[str, Checked] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    skipped: int = 0


@dataclass(frozen=True)
class Step:
    """Something to run: code, where it stands, and the exercise whose check it is ("" for none)."""

    code: str
    heading: str
    exercise: str = ""


Tell = Callable[[str, int, int], None]
"""Is told before each cell what is running, the how-many-th, and of how many."""


class TrialError(RuntimeError):
    """No kernel can be had; the message says what to do."""


def report(name: str, namespace: dict[str, Any]) -> None:
    """Check an exercise in the kernel of a trial, and show what came out in a form that no notebook keeps."""
    from IPython.display import display

    from course_lib.check import check

    found = check(name, namespace)
    result = found.result
    if result is None:
        told: dict[str, Any] = {"marks": 0, "of": 0, "outcome": "error", "sentence": str(found)}
    else:
        of = result.exercise.full_marks
        told = {"marks": result.marks, "of": of, "outcome": result.outcome, "sentence": result.message}
    display({REPORT: told}, raw=True)  # type: ignore[no-untyped-call]


def graded_steps(seen: Review) -> list[Step]:
    """What runs in grading, in its order: set-up, answers, the learner's own cells, and a check for each exercise."""
    own, edited = seen.placed.own, seen.placed.edited
    steps = [Step(_SETUP, ""), *(Step(code, "") for code in own.get(-1, []))]
    checks = {answer.name for answer in seen.answers}
    for index, (given, is_for) in enumerate(zip(seen.release.given, seen.release.roles, strict=True)):
        name = given.grade_id.removeprefix("check_")
        if is_for == "setup" and index in seen.placed.found:
            steps.append(Step(seen.placed.found[index], ""))
        elif is_for == "answer" and given.kind == "code" and given.grade_id in seen.placed.answers:
            steps.append(Step(seen.placed.answers[given.grade_id][0], given.grade_id))
        elif is_for == "check" and name in checks:
            checks.remove(name)
            steps.append(Step(_REPORT_CODE.format(name=name), name, name))
        if index in edited and is_for != "setup":
            steps.append(Step(edited[index], ""))
        steps += [Step(code, "") for code in own.get(index, [])]
    left = [answer.name for answer in seen.answers if answer.name in checks]
    return [*steps, *(Step(_REPORT_CODE.format(name=name), name, name) for name in left)]


def whole_steps(notebook: Notebook) -> list[Step]:
    """Every code cell from top to bottom; the checks are left out, for they have run as in grading."""
    under = headings(notebook)
    return [
        Step(cell["source"], heading)
        for cell, heading in zip(notebook["cells"], under, strict=True)
        if cell["cell_type"] == "code" and cell["source"].strip() and role(cell) != "check"
    ]


def try_as_graded(steps: list[Step], folder: Path, seconds: float, tell: Tell) -> Trial:
    """Run what runs in grading. One cell never costs another: after one that does not end, a new kernel goes on.

    Raises:
        TrialError: no kernel can be had.
    """
    trial = Trial()
    guilty: set[int] = set()
    at = 0
    while at < len(steps):
        with Kernel(folder) as kernel:
            again = [step for place, step in enumerate(steps[:at]) if not step.exercise and place not in guilty]
            for step in again:  # they ended before; nothing of what they say is new
                kernel.run(step.code, seconds)
            while at < len(steps):
                step, place = steps[at], at
                tell(step.exercise or step.heading or "your own cells", at, len(steps))
                at += 1
                ran = kernel.run(step.code, seconds)
                if step.exercise:
                    trial.checked[step.exercise] = ran.checked or Checked(
                        0, 0, ran.outcome, _sentence(step, ran, seconds)
                    )
                if ran.outcome in ("timeout", "crashed"):
                    guilty.add(place)
                    if not step.exercise:
                        trial.failures.append(_failure(step, ran, seconds))
                    break
    return trial


def try_whole(steps: list[Step], folder: Path, seconds: float, tell: Tell) -> Trial:
    """Run a notebook from top to bottom. An exercise that is not written is no failure.

    Raises:
        TrialError: no kernel can be had.
    """
    trial = Trial()
    with Kernel(folder) as kernel:
        for at, step in enumerate(steps):
            tell(step.heading, at, len(steps))
            ran = kernel.run(step.code, seconds)
            if ran.outcome != "ok" and ran.error.split(":")[0] != _NOT_WRITTEN:
                trial.failures.append(_failure(step, ran, seconds))
            if ran.outcome in ("timeout", "crashed"):
                trial.skipped = len(steps) - at - 1
                break
    return trial


def _failure(step: Step, ran: Ran, seconds: float) -> Failure:
    lines = [line.strip() for line in step.code.split("\n") if line.strip()]
    return Failure(step.heading, lines[0][:80] if lines else "", _sentence(step, ran, seconds))


def _sentence(step: Step, ran: Ran, seconds: float) -> str:
    if ran.outcome == "timeout":
        return f"did not end within {seconds:g} seconds. Is there a loop that never ends?"
    if ran.outcome == "crashed":
        return "ended the kernel (too much memory, or an exit)."
    return ran.error or "did not show what it found."


def _checked(told: Any) -> Checked | None:
    """What a check said; None where it is not of the form that :func:`report` gives."""
    match told:
        case {"marks": int(marks), "of": int(of), "outcome": str(outcome), "sentence": str(sentence)}:
            return Checked(marks, of, outcome, sentence)
    return None


@dataclass(frozen=True)
class Ran:
    """How a cell ended: "ok", "error", "timeout" or "crashed"; the error; what a check said."""

    outcome: str
    error: str = ""
    checked: Checked | None = None


class Kernel:
    """A fresh kernel in a folder, for as long as the block lasts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Kernel:
        from jupyter_client.manager import KernelManager

        self._manager = KernelManager(kernel_name="python3")
        try:
            self._manager.start_kernel(
                cwd=str(self._folder),
                env={**os.environ, "COURSE_PROGRESS": "off"},
                extra_arguments=["--log-level=ERROR"],
            )
            self._client = self._manager.client()
            self._client.start_channels()
            self._client.wait_for_ready(timeout=_SECONDS_TO_START)
        except BaseException as error:
            self.__exit__()
            if isinstance(error, Exception):
                raise TrialError(
                    f"No Python kernel could be started ({type(error).__name__}: {error}). "
                    "`pip install -r requirements.txt` installs one; --no-run goes on without."
                ) from error
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if hasattr(self, "_client"):
            self._client.stop_channels()
        if self._manager.has_kernel:
            self._manager.shutdown_kernel(now=True)
        self._manager.cleanup_resources()

    def run(self, code: str, seconds: float) -> Ran:
        """Run code until it ends, the time is over, or the kernel is gone."""
        sent = self._client.execute(code, store_history=True, allow_stdin=False, stop_on_error=False)
        end = time.monotonic() + seconds
        outcome, error, checked = "ok", "", None
        for message in self._messages(end):
            if message is None:
                return Ran("crashed")
            if message.get("parent_header", {}).get("msg_id") != sent:
                continue
            content = message["content"]
            kind = message["msg_type"]
            if kind == "error":
                outcome, error = "error", f"{content.get('ename', '')}: {str(content.get('evalue', ''))[:300]}"
            elif kind == "display_data" and REPORT in content.get("data", {}):
                checked = _checked(content["data"][REPORT])
            elif kind == "status" and content.get("execution_state") == "idle":
                return Ran(outcome, error, checked)
        return Ran("timeout")

    def _messages(self, end: float) -> Iterator[dict[str, Any] | None]:
        """What the kernel says until the time is over; None once it is gone."""
        while time.monotonic() < end:
            try:
                yield self._client.get_iopub_msg(timeout=_LOOK)
            except queue.Empty:
                if not self._manager.is_alive():
                    yield None
                    return
