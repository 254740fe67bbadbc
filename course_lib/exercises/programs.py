"""A case is a small program in data: construct, call, read, reuse an earlier result.

The same program runs on a learner's code (at home or in the sandbox), on the reference, and on each known wrong
implementation; so classes, caches and functions of functions are checked by the same means as plain functions.

>>> case = Case((call("scale", x=np.array([1.0, 2.0]), factor=3.0),))
>>> run(case, {"scale": lambda x, factor: factor * x}).value
array([3., 6.])
"""

from __future__ import annotations

import contextlib
import io
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np

from course_lib.budget import OverBudget, processor_time
from course_lib.exercises import answers, functions
from course_lib.exercises.answers import BadEncoding

MAX_MESSAGE = 300
LAST = ("missing", "slow", "interrupted")
"""Outcomes after which no further case of an exercise is run."""


@dataclass(frozen=True)
class Result:
    """The live value of an earlier step (0 is the first), or one item of it when `item` is given."""

    step: int
    item: int | str | None = None


@dataclass(frozen=True)
class Given:
    """The very object that an earlier step was given under this name, as that step left it: a generator, say."""

    step: int
    name: str


@dataclass(frozen=True)
class RandomGenerator:
    """A fresh `numpy.random.Generator` with its own seed."""

    seed: int


@dataclass(frozen=True)
class Function:
    """A function of the fixed list in `functions`, with plain parameters."""

    name: str
    parameters: dict[str, Any]


@dataclass(frozen=True)
class Record:
    """An object with these attributes, such as a data set with `X_train` and `y_train`; a fresh one for each call."""

    fields: dict[str, Any]


@dataclass(frozen=True)
class Step:
    """One step of a program.

    `call` calls the learner's name `target` (a class is constructed by calling it); `method` calls the method
    `target` of `of`; `attribute` reads the attribute `target` of `of`. Arguments are passed by position: their names
    serve the messages.
    """

    kind: Literal["call", "method", "attribute"]
    target: str
    arguments: dict[str, Any] = field(default_factory=dict)
    of: Result | None = None


@dataclass(frozen=True)
class Case:
    """A program, and what belongs to it.

    Attributes:
        steps: the program.
        answer: the steps whose values are its answer.
        label: what a learner reads ("N = 1").
        names: what each of several values is, where the exercise's `outputs` cannot; they stay with the judge.
        seconds: how much processor time it may use; what uses more is stopped, and the answer is "slow". 0: no budget.
        hidden: what a property needs to judge the answer, such as the labels of test images. It never leaves the
            process that drew the case: :func:`encode_case` does not write it.
    """

    steps: tuple[Step, ...]
    answer: tuple[int, ...] = (-1,)
    label: str = ""
    names: tuple[str, ...] = ()
    seconds: float = 0.0
    hidden: Any = field(default=None, repr=False)

    def in_float64(self) -> Case:
        """The same case with every floating array in float64: what the reference computes with."""
        return replace(self, steps=tuple(replace(s, arguments=_map(s.arguments, _float64)) for s in self.steps))

    def dtype(self) -> np.dtype[Any]:
        """The least precise floating dtype among the inputs (float64 where there is none)."""
        found: list[np.dtype[Any]] = [np.dtype(np.float64)]

        def note(value: Any) -> Any:
            if isinstance(value, np.ndarray) and value.dtype.kind == "f":
                found.append(value.dtype)
            return value

        for step in self.steps:
            _map(step.arguments, note)
        return min(found, key=lambda dtype: dtype.itemsize)


@dataclass(frozen=True)
class Answer:
    """What came back from running a case.

    Attributes:
        outcome: "answered"; "unanswered" (NotImplementedError, as the untouched stub raises); "missing" (no such
            name); "error" (any other exception); "slow" (it used more processor time than the case allows);
            "interrupted".
        value: the plain value (a tuple when the case asks for several), None unless answered.
        error: type and message of the exception, with the line of the learner's function where known. Where a call
            that another one depends on is missing, unanswered or ends in an error, its name (and the error).
        modified: names of arguments that the call changed in place.
    """

    outcome: Literal["answered", "unanswered", "missing", "error", "slow", "interrupted"]
    value: Any = None
    error: str = ""
    modified: tuple[str, ...] = ()


def call(target: str, /, **arguments: Any) -> Step:
    """A step that calls the learner's function or class `target`."""
    return Step("call", target, arguments)


def method(of: Result, target: str, /, **arguments: Any) -> Step:
    """A step that calls a method of an earlier result."""
    return Step("method", target, arguments, of)


def attribute(of: Result, target: str) -> Step:
    """A step that reads an attribute of an earlier result."""
    return Step("attribute", target, {}, of)


def run(case: Case, namespace: Mapping[str, Any]) -> Answer:
    """Run `case` with the names in `namespace`; never raises.

    Each call gets its own copies of the case's arrays. An argument counts as modified when it moved by more than
    rounding (1e-9 of its size), so that code which nudges an entry and puts it back is not blamed.
    """
    if not case.seconds:
        return _run(case, namespace)
    try:
        with processor_time(case.seconds):
            return _run(case, namespace)
    except OverBudget:
        return Answer("slow", error=f"more than {case.seconds:g} seconds of processor time")


def _run(case: Case, namespace: Mapping[str, Any]) -> Answer:
    live: list[Any] = []
    handed: list[dict[str, Any]] = []
    modified: list[str] = []
    for step in case.steps:
        function: Any = None
        try:
            if step.kind == "call":
                if step.target not in namespace:
                    return Answer("missing", error=step.target)
                function = namespace[step.target]
                if not callable(function):
                    return Answer("error", error=f"{step.target} is a {type(function).__name__}, not a function")
            else:
                assert step.of is not None
                function = getattr(_pick(live, step.of), step.target)
                if step.kind == "attribute":
                    live.append(function)
                    handed.append({})
                    continue
            given = {name: _map(value, _build(live, handed)) for name, value in step.arguments.items()}
            handed.append(given)
            with np.errstate(all="warn", under="ignore"):  # NumPy's own way; what underflows is 0, and meant to be
                live.append(function(*given.values()))
            modified += [name for name, value in given.items() if _moved(value, step.arguments[name])]
        except NotImplementedError:
            return Answer("unanswered", error=_other_function(case, step), modified=tuple(modified))
        except KeyboardInterrupt:
            return Answer("interrupted", modified=tuple(modified))
        except OverBudget:
            raise
        except BaseException as error:  # noqa: BLE001 - a learner's code may raise anything, SystemExit included
            other = _other_function(case, step)
            text = f"{other}'s {_describe(error, function)}" if other else _describe(error, function)
            return Answer("error", error=text, modified=tuple(modified))
    try:
        values = tuple(answers.to_plain(live[index]) for index in case.answer)
    except OverBudget:
        raise
    except BaseException as error:  # noqa: BLE001 - an object may refuse to be copied
        return Answer("error", error=_describe(error, None), modified=tuple(modified))
    return Answer("answered", values[0] if len(values) == 1 else values, modified=tuple(dict.fromkeys(modified)))


def run_cases(cases: dict[str, list[Case]], namespace: Mapping[str, Any]) -> dict[str, list[Answer]]:
    """Answers by group; stops at the first missing, slow or interrupted one, which the rest would repeat."""
    answers: dict[str, list[Answer]] = {}
    for group, group_cases in cases.items():
        answers[group] = []
        for case in group_cases:
            answer = run(case, namespace)
            answers[group].append(answer)
            if answer.outcome in LAST:
                return answers
    return answers


@contextlib.contextmanager
def captured() -> Iterator[io.StringIO]:
    """Collect what is printed, to either stream: in plain nbgrader a warning on stderr would cost the points."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        yield printed


def encode_case(case: Case) -> dict[str, Any]:
    """JSON-ready data for `case`: all that is needed to run it, and nothing that says which answer is right."""
    steps = [
        [step.kind, step.target, answers.encode(step.arguments, _encode_special), _encode_special(step.of)]
        for step in case.steps
    ]
    return {"steps": steps, "answer": list(case.answer), "label": case.label, "seconds": case.seconds}


def decode_case(data: Any) -> Case:
    """The case that :func:`encode_case` wrote; raises BadEncoding for anything else."""
    try:
        steps = tuple(
            Step(kind, target, answers.decode(arguments, _SPECIAL), None if of is None else Result(*of["result"]))
            for kind, target, arguments, of in data["steps"]
        )
        return Case(steps, tuple(data["answer"]), data["label"], seconds=float(data["seconds"]))
    except (LookupError, TypeError, ValueError) as error:
        raise BadEncoding("not a case") from error


def encode_answer(answer: Answer) -> dict[str, Any]:
    """JSON-ready data for `answer`."""
    return {
        "outcome": answer.outcome,
        "value": answers.encode(answer.value),
        "error": answer.error[: 2 * MAX_MESSAGE],
        "modified": list(answer.modified)[:20],
    }


def decode_answer(data: Any) -> Answer:
    """The answer that :func:`encode_answer` wrote; raises BadEncoding for anything else."""
    if type(data) is not dict or set(data) != {"outcome", "value", "error", "modified"}:
        raise BadEncoding("an answer has an outcome, a value, an error and a list of modified arguments")
    outcome, error, modified = data["outcome"], data["error"], data["modified"]
    if outcome not in ("answered", "unanswered", "missing", "error", "slow", "interrupted"):
        raise BadEncoding("not an outcome")
    if type(error) is not str or len(error) > 2 * MAX_MESSAGE:
        raise BadEncoding("an error is a short string")
    if type(modified) is not list or len(modified) > 20 or not all(type(n) is str and len(n) <= 80 for n in modified):
        raise BadEncoding("modified arguments are a short list of names")
    return Answer(outcome, answers.decode(data["value"]), error, tuple(modified))


def _map(value: Any, change: Callable[[Any], Any]) -> Any:
    """Apply `change` to every leaf of nested tuples, lists and dicts; a Function or a Record is a leaf."""
    if isinstance(value, tuple | list):
        return type(value)(_map(item, change) for item in value)
    if isinstance(value, dict):
        return {key: _map(item, change) for key, item in value.items()}
    return change(value)


def _float64(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return value.astype(np.float64)
    if isinstance(value, Function):
        return Function(value.name, _map(value.parameters, _float64))
    if isinstance(value, Record):
        return Record(_map(value.fields, _float64))
    return value


def _build(live: list[Any], handed: list[dict[str, Any]]) -> Callable[[Any], Any]:
    def change(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return value.copy()
        if isinstance(value, Result):
            return _pick(live, value)
        if isinstance(value, Given):
            return handed[value.step][value.name]
        if isinstance(value, RandomGenerator):
            return np.random.default_rng(value.seed)
        if isinstance(value, Function):
            return functions.build(value.name, _map(value.parameters, _build(live, handed)))
        if isinstance(value, Record):
            return SimpleNamespace(**_map(value.fields, _build(live, handed)))
        return value

    return change


def _pick(live: list[Any], result: Result) -> Any:
    value = live[result.step]
    if result.item is None:
        return value
    try:
        return value[result.item]
    except (TypeError, IndexError, KeyError) as error:
        what = f"item {result.item!r}" if isinstance(result.item, str) else f"{result.item + 1} or more values"
        raise TypeError(f"an earlier call should return {what}; it returned a {type(value).__name__}") from error


def _other_function(case: Case, step: Step) -> str:
    """The name that `step` calls, where the last call of the case is to another function that depends on it."""
    last = next((s for s in reversed(case.steps) if s.kind == "call"), step)
    return step.target if step.kind == "call" and step.target != last.target else ""


def _moved(after: Any, before: Any) -> bool:
    if isinstance(before, np.ndarray):
        if not isinstance(after, np.ndarray) or after.shape != before.shape or after.dtype != before.dtype:
            return True
        if after.tobytes() == before.tobytes():
            return False
        if before.dtype.kind != "f":
            return not np.array_equal(after, before)
        slack = 1e-9 if before.dtype == np.float64 else 1e-5
        return not np.allclose(after, before, rtol=slack, atol=1e-12, equal_nan=True)
    if isinstance(before, tuple | list):
        return len(after) != len(before) or any(_moved(a, b) for a, b in zip(after, before, strict=True))
    if isinstance(before, dict):
        return list(after) != list(before) or any(_moved(after[key], before[key]) for key in before)
    return False


def _describe(error: BaseException, function: Any) -> str:
    """Type and message, and the line within the learner's function where it was raised, when that is known."""
    try:
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    except Exception:  # noqa: BLE001 - an exception may refuse to be printed
        text = type(error).__name__
    code = getattr(function, "__code__", None) or getattr(getattr(function, "__init__", None), "__code__", None)
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if code and f.filename == code.co_filename]
    where = f" (line {lines[-1]} of the cell)" if lines else ""
    return text[:MAX_MESSAGE] + where


def _encode_special(value: object) -> dict[str, Any] | None:
    if isinstance(value, Result):
        return {"result": [value.step, value.item]}
    if isinstance(value, Given):
        return {"given": [value.step, value.name]}
    if isinstance(value, RandomGenerator):
        return {"generator": value.seed}
    if isinstance(value, Function):
        return {"function": [value.name, answers.encode(value.parameters, _encode_special)]}
    if isinstance(value, Record):
        return {"record": answers.encode(value.fields, _encode_special)}
    return None


_SPECIAL: dict[str, Callable[[Any], Any]] = {
    "result": lambda content: Result(*content),
    "given": lambda content: Given(*content),
    "generator": lambda content: RandomGenerator(content),
    "function": lambda content: Function(content[0], answers.decode(content[1], _SPECIAL)),
    "record": lambda content: Record(answers.decode(content, _SPECIAL)),
}
