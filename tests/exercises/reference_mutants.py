"""Small changes to a reference, one at a time: each is a wrong answer that the check must notice.

Changed are operators, comparisons, constants, axes, signs and calls; left out are terms, calls and whole statements:
what a slip of the hand does to a right answer.
"""

from __future__ import annotations

import ast
import copy
import inspect
import signal
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

OPERATORS: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div,),
    ast.Div: (ast.Mult,),
    ast.Pow: (ast.Mult,),
    ast.MatMult: (ast.Mult,),
    ast.FloorDiv: (ast.Mult,),
    ast.Mod: (ast.Mult,),
}
COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
OTHER_CALLS = {
    "sum": "mean",
    "mean": "sum",
    "max": "min",
    "min": "max",
    "maximum": "minimum",
    "minimum": "maximum",
    "argmax": "argmin",
    "argmin": "argmax",
    "sqrt": "square",
    "exp": "expm1",
    "var": "std",
    "zeros_like": "ones_like",
    "ones_like": "zeros_like",
    "zeros": "ones",
    "ones": "zeros",
    "random": "standard_normal",
}
LONGEST = 2.0
"""Seconds that all cases may take with one mutant: one that never ends counts as noticed."""


@dataclass(frozen=True)
class Mutant:
    """A changed reference.

    Attributes:
        was, becomes: the line before and after the change.
        function: to be graded in the learner's place.
    """

    was: str
    becomes: str
    function: Callable[..., Any]


def mutants_of(reference: Callable[..., Any]) -> Iterator[Mutant]:
    """Every mutant of a function or class, in the order of its lines; two that read the same come once."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(reference)))
    _strip(tree)
    original = ast.unparse(tree)
    seen = {original}
    for place, node in enumerate(ast.walk(tree)):
        for number in range(len(_changes(node))):
            changed = copy.deepcopy(tree)
            target = next(found for i, found in enumerate(ast.walk(changed)) if i == place)
            replacement = _changes(target)[number]
            changed = ast.fix_missing_locations(_Replace(target, replacement).visit(changed))
            text = ast.unparse(changed)
            if text in seen:
                continue
            seen.add(text)
            was, becomes = _first_difference(original, text)
            names = dict(reference.__globals__ if inspect.isfunction(reference) else _globals_of(reference))
            exec(compile(changed, f"<mutant of {reference.__name__}>", "exec"), names)
            yield Mutant(was, becomes, names[reference.__name__])


@contextmanager
def ending(seconds: float = LONGEST) -> Iterator[None]:
    """Stop what runs within this block after so much processor time, where the system has alarms (not on Windows)."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError("a mutant that never ends")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds, 0.05)  # again and again: the mutant may catch the first
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


class _Replace(ast.NodeTransformer):
    def __init__(self, target: ast.AST, replacement: ast.AST | None) -> None:
        self.target, self.replacement = target, replacement

    def visit(self, node: ast.AST) -> Any:
        return self.replacement if node is self.target else super().visit(node)


def _strip(tree: ast.Module) -> None:
    """Without docstrings and annotations, which change nothing."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            if ast.get_docstring(node) is not None:
                node.body = node.body[1:] or [ast.Pass()]
        if isinstance(node, ast.FunctionDef):
            node.returns = None
            for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
                argument.annotation = None
        for field, value in ast.iter_fields(node):
            if isinstance(value, list):
                setattr(node, field, [_plain(item) for item in value])


def _plain(node: Any) -> Any:
    """`grad: Array = ...` as `grad = ...`."""
    if isinstance(node, ast.AnnAssign) and node.value is not None:
        return ast.copy_location(ast.Assign(targets=[node.target], value=node.value), node)
    return node


def _changes(node: ast.AST) -> list[ast.AST]:
    """What may stand in this node's place."""
    found: list[ast.AST] = []
    if isinstance(node, ast.BinOp):
        found += [ast.BinOp(node.left, other(), node.right) for other in OPERATORS.get(type(node.op), ())]
        found += [node.left, node.right]
    elif isinstance(node, ast.AugAssign):
        found += [ast.AugAssign(node.target, other(), node.value) for other in OPERATORS.get(type(node.op), ())]
        found += [ast.Assign([node.target], node.value), ast.Pass()]
    elif isinstance(node, ast.Compare) and len(node.ops) == 1:
        found += [ast.Compare(node.left, [other()], node.comparators) for other in COMPARISONS[type(node.ops[0])]]
    elif isinstance(node, ast.UnaryOp):
        found.append(node.operand)
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        found += [ast.Constant(node.value + 1), ast.Constant(node.value * 2), ast.Constant(0)]
    elif isinstance(node, ast.Constant) and type(node.value) is bool:
        found.append(ast.Constant(not node.value))
    elif isinstance(node, ast.Attribute) and node.attr == "T":
        found.append(node.value)
    elif isinstance(node, ast.Call):
        found += _other_calls(node)
    elif isinstance(node, ast.BoolOp):
        found.append(ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values))
        found += node.values
    elif isinstance(node, ast.IfExp):
        found += [node.body, node.orelse]
    elif isinstance(node, ast.If):
        found += [
            ast.If(ast.Constant(True), node.body, node.orelse),
            ast.If(ast.Constant(False), node.body, node.orelse),
        ]
    elif isinstance(node, ast.Tuple) and len(node.elts) == 2 and isinstance(node.ctx, ast.Load):
        found.append(ast.Tuple(node.elts[::-1], node.ctx))
    return found


def _other_calls(node: ast.Call) -> list[ast.AST]:
    """Another function in its place, no call at all, or the call without one of its keywords or with another axis."""
    found: list[ast.AST] = []
    if isinstance(node.func, ast.Attribute) and node.func.attr in OTHER_CALLS:
        other = ast.Attribute(node.func.value, OTHER_CALLS[node.func.attr], ast.Load())
        found.append(ast.Call(other, node.args, node.keywords))
    for i, keyword in enumerate(node.keywords):
        others = node.keywords[:i] + node.keywords[i + 1 :]
        found.append(ast.Call(node.func, node.args, others))
        if keyword.arg == "axis" and isinstance(keyword.value, ast.Constant) and keyword.value.value in (0, 1):
            turned = ast.keyword("axis", ast.Constant(1 - keyword.value.value))
            found.append(ast.Call(node.func, node.args, [*node.keywords[:i], turned, *node.keywords[i + 1 :]]))
    if isinstance(node.func, ast.Attribute) and not node.args:  # x.sum() -> x
        found.append(node.func.value)
    if len(node.args) == 1:  # np.sqrt(x) -> x
        found.append(node.args[0])
    if len(node.args) == 2:  # np.maximum(x, 0) -> x
        found += node.args
    return found


def _globals_of(kind: Any) -> dict[str, Any]:
    module = inspect.getmodule(kind)
    assert module is not None
    return vars(module)


def _first_difference(before: str, after: str) -> tuple[str, str]:
    """The first lines that differ."""
    ours, theirs = before.splitlines(), after.splitlines()
    for i, line in enumerate(ours):
        if i >= len(theirs) or line != theirs[i]:
            return line.strip(), theirs[i].strip() if i < len(theirs) else ""
    return "", theirs[len(ours)].strip()
