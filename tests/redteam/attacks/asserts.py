"""Attacks on tests and asserts: worthless answers that make whatever looks at them agree."""

# ruff: noqa: E501 - the code that is handed in stands in strings, as it was written

from __future__ import annotations

from functools import partial

import nbformat
from nbformat import NotebookNode

from tests.redteam.entries import WORTHLESS, Entry, on_checks

FAMILY = "tests and asserts"
attack = partial(Entry, family=FAMILY)


def _skip(cell: NotebookNode) -> None:
    cell.metadata["tags"] = ["skip-execution"]


def _skip_and_show(cell: NotebookNode) -> None:
    _skip(cell)
    cell.outputs = [nbformat.v4.new_output("execute_result", data={"text/plain": "4"}, execution_count=1)]
    cell.execution_count = 1


def _pass(cell: NotebookNode) -> None:
    cell.source = "4"


def _markdown(notebook: NotebookNode) -> None:
    for place, cell in enumerate(notebook.cells):
        if cell.id.startswith("check_"):
            notebook.cells[place] = nbformat.v4.new_markdown_cell(cell.source, id=cell.id, metadata=cell.metadata)


def _delete(notebook: NotebookNode) -> None:
    notebook.cells = [cell for cell in notebook.cells if not cell.id.startswith("check_")]


EQUAL = """\
class Equal(np.ndarray):
    def __eq__(self, other): return Equal.new()
    def __ne__(self, other): return False
    def __array_ufunc__(self, *args, **kwargs): return Equal.new()
    def __array_function__(self, *args, **kwargs): return True
    def __bool__(self): return True
    def all(self, *args, **kwargs): return True
    @staticmethod
    def new(): return np.zeros(3).view(Equal)
"""
LAZY = """\
class Lazy:
    \"\"\"Becomes whatever it is compared with.\"\"\"
    __array_priority__ = 1e9
    known = None
    def __array__(self, dtype=None, copy=None):
        import gc, sys
        frame = sys._getframe()
        while frame is not None:
            for name in ("expected", "desired", "b", "actual"):
                if isinstance(frame.f_locals.get(name), np.ndarray):
                    return frame.f_locals[name]
            frame = frame.f_back
        return np.zeros(3)
    def __array_function__(self, function, types, args, kwargs): return True
    def __array_ufunc__(self, *args, **kwargs): return True
    def __eq__(self, other): return True
    def __getattr__(self, name): return lambda *args, **kwargs: True
    def __reduce__(self): return (print, ("4",))
"""

ATTACKS = (
    attack("skip-execution-tag", tries="Tags every check cell with skip-execution, so that no test runs.",
           edit=on_checks(_skip), quick=True),
    attack("skipped-with-results", tries="Tags the checks with skip-execution and hands in forged results with them.",
           edit=on_checks(_skip_and_show)),
    attack("always-equal-object", tries="Returns an array that says it equals everything.",
           answers={name: EQUAL + f"def {name}(*args, **kwargs):\n    return Equal.new()" for name in WORTHLESS},
           quick=True),
    attack("lazy-object", tries="Returns an object that becomes the expected value once it is compared.",
           answers={name: LAZY + f"def {name}(*args, **kwargs):\n    return Lazy()" for name in WORTHLESS}),
    attack("input-transformer", tries="Registers an input transformer that blanks every line of a test.",
           cell="""\
def blank(line):
    space = line[:len(line) - len(line.lstrip())]
    return space + "pass\\n" if line.lstrip().startswith(("assert", "check(", "__import__")) else line
get_ipython().input_transformers_cleanup.append(lambda lines: [blank(line) for line in lines])
"""),
    attack("ast-transformer", tries="Registers a transformer that takes asserts and calls of check out of the tree.",
           cell="""\
import ast
class Blank(ast.NodeTransformer):
    def visit_Assert(self, node): return ast.copy_location(ast.Pass(), node)
    def visit_Expr(self, node):
        return ast.copy_location(ast.Pass(), node) if "check" in ast.dump(node) or "testing" in ast.dump(node) else node
get_ipython().ast_transformers.append(Blank())
"""),
    attack("replaced-run-cell", tries="Replaces the shell's run_cell by one that runs `pass` and reports success.",
           cell="""\
shell = get_ipython()
real = shell.run_cell
def run_cell(source, *args, **kwargs):
    return real("pass" if "assert" in source or "check" in source else source, *args, **kwargs)
shell.run_cell = run_cell
async def run_cell_async(source, *args, **kwargs):
    return await type(shell).run_cell_async(shell, "pass" if "assert" in source or "check" in source else source,
                                            *args, **kwargs)
shell.run_cell_async = run_cell_async
"""),
    attack("replaced-check", tries="Replaces `check`, at home and inside course_lib, by a function that says 4.",
           cell="""\
import course_lib.check as module
class Full:
    points, result = 4, None
    def __repr__(self): return "4"
check = lambda *args, **kwargs: Full()
for name in [name for name in dir(module) if not name.startswith("_")]:
    if callable(getattr(module, name)):
        setattr(module, name, check)
"""),
    attack("patched-comparison", tries="Replaces NumPy's comparisons by functions that always agree.",
           cell="""\
import builtins
for name in ("allclose", "array_equal", "array_equiv", "isclose", "all", "any"):
    setattr(np, name, lambda *args, **kwargs: True)
for name in [name for name in dir(np.testing) if name.startswith("assert")]:
    setattr(np.testing, name, lambda *args, **kwargs: None)
builtins.all = builtins.isinstance = lambda *args: True
""", outcomes=frozenset({"graded", "crashed", "timeout"})),
    attack("patched-repr", tries="Makes NumPy print every array as the full points.",
           cell="np.set_printoptions(formatter={'all': lambda value: '4'})\n"
           "np.array2string = np.array_repr = np.array_str = lambda *args, **kwargs: '4'"),
    attack("swallowed-errors", tries="Lets the shell swallow every exception without showing it.",
           cell="""\
shell = get_ipython()
shell.set_custom_exc((BaseException,), lambda *args, **kwargs: None)
shell.showtraceback = shell.showsyntaxerror = shell._showtraceback = lambda *args, **kwargs: None
shell.display_formatter.format = lambda value, *a, **k: ({"text/plain": "4"}, {})
"""),
    attack("deleted-checks", tries="Hands in the notebook without its check cells.", edit=_delete),
    attack("rewritten-checks", tries="Replaces the text of each check by the number of points.",
           edit=on_checks(_pass)),
    attack("checks-as-markdown", tries="Turns the checks into text cells.", edit=_markdown),
    attack("namespace-of-a-subclass", tries="Swaps the notebook's namespace for a dict that answers for every name.",
           cell="""\
class Names(dict):
    def __missing__(self, name): return lambda *args, **kwargs: args[0]
    def __contains__(self, name): return True
    def __getitem__(self, name): return (lambda *a, **k: True) if name in ("scale", "check") else dict.get(self, name)
shell = get_ipython()
shell.user_ns = Names(shell.user_ns)
"""),
    attack("callable-with-a-code", tries="Answers with an object that is callable, iterable, and pretends to be an array.",
           answers={name: f"""\
class {name}_:
    __class__ = np.ndarray
    __name__ = "{name}"
    dtype, shape, ndim, size, nbytes = np.dtype("float64"), (3,), 1, 3, 24
    def __call__(self, *args, **kwargs): return self
    def __len__(self): return 3
    def __iter__(self): return iter((self, self, self))
    def __float__(self): return 4.0
    def __eq__(self, other): return True
    def __hash__(self): return 4
    def __array__(self, *args, **kwargs): raise ValueError("4")
{name} = {name}_()""" for name in WORTHLESS}),
)  # fmt: skip
