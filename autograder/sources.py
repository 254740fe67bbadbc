"""Sources: what something follows from, found in the text of the code and without running it.

Of a whole module: the modules that it imports, at its top or inside a function, and those that these import. Of one
definition: what it names in its own module, and what that names. Both find too much rather than too little.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path

import autograder
import course_lib

Folders = Mapping[str, Path]
"""The folders of the packages that are looked into, by their names; imports of others are passed over."""

OURS: Folders = {package.__name__: Path(str(package.__file__)).parent for package in (autograder, course_lib)}
# A statement that imports something of a package of ours; to parse whole modules takes too long.
_IMPORT = re.compile(
    r"^[ \t]*((?:from[ \t]+[.\w]+[ \t]+import[ \t]*\([^)]*\))|(?:(?:from|import)[ \t](?:[^\n\\]|\\\n)*))", re.MULTILINE
)
_NEVER_RUN = re.compile(r"^(?:if|elif) (?:typing\.)?TYPE_CHECKING:\n(?:(?:[ \t]+[^\n]*)?\n)+", re.MULTILINE)


def file_of(module: str, folders: Folders = OURS) -> Path | None:
    """The file of a module or package; None where it is none of ours."""
    top, *inside = module.split(".")
    if top not in folders:
        return None
    path = folders[top].joinpath(*inside)
    places = [path / "__init__.py"] if not inside else [path.with_name(f"{path.name}.py"), path / "__init__.py"]
    return next((place for place in places if place.is_file()), None)


def imported(source: str, module: str, folders: Folders = OURS, *, package: bool = False) -> set[str]:
    """The names of ours that a module's text imports: modules, and what may be a module.

    Wherever it does so but under `if TYPE_CHECKING:`, which never runs.

    Args:
        source: the text.
        module: its name, from which relative imports count.
        folders: of the packages that are ours.
        package: whether the module is a package.
    """
    source = _NEVER_RUN.sub("", f"{source}\n")
    marks = (*folders, "from .")
    found = [each[1] for each in _IMPORT.finditer(source) if any(mark in each[1] for mark in marks)]
    try:
        trees = [ast.parse(statement) for statement in found]
    except SyntaxError:  # prose that begins with such a word
        trees = [ast.parse(source)]
    return {name for tree in trees for node in ast.walk(tree) for name in _names(node, module, package=package)}


def _names(node: ast.AST, module: str, *, package: bool) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = module.split(".")
        up = node.level - package
        start = base[: len(base) - up] if node.level else []
        where = ".".join([*start, *([node.module] if node.module else [])])
        yield where
        yield from (f"{where}.{alias.name}" for alias in node.names)


def reached(modules: Iterable[str], folders: Folders = OURS) -> set[Path]:
    """The files of these modules, of all that they import, and of the packages that hold those."""
    waiting, seen, files = list(modules), set[str](), set[Path]()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        path = file_of(name, folders)
        if path is None:
            continue
        files.add(path)
        package = path.name == "__init__.py"
        waiting += [*imported(path.read_text("utf-8"), name, folders, package=package), name.rpartition(".")[0]]
    return files


def exercise_text(source: str, module: str, name: str, apart: Iterable[str] = ()) -> tuple[str, frozenset[str]] | None:
    """What a call `Exercise(name, ...)` in a module's text follows from.

    Names in strings and comments aside, whatever stands in the call and is also a name of the module counts, with all
    that stands there, and so on; so does every statement of the module that defines nothing. Comments, docstrings and
    layout do not.

    Args:
        source: of the module.
        module: its name.
        name: of the exercise.
        apart: what it is called by that counts for nothing: "hints".

    Returns:
        Text that is the same as long as all of that is, in whatever version of Python, and the names of what it
        imports. None where no such call stands there, or more than one.
    """
    known = _Module.of(source)
    calls = [call for each, call in known.exercises if each == name]
    if len(calls) != 1:
        return None
    passed = set(apart)
    call = ast.Call(
        calls[0].func,
        [value for field, value in zip(_fields(), calls[0].args, strict=False) if field not in passed],
        [keyword for keyword in calls[0].keywords if keyword.arg not in passed],
    )
    waiting: list[ast.AST] = [call, *known.others]
    seen: set[str] = set()
    imports: set[str] = set()
    parts = []
    while waiting:
        node = waiting.pop(0)
        text, used, names = _looked_at(node, module)
        parts.append(text)
        imports |= names
        for name_used in sorted(used - seen):
            waiting += known.bindings.get(name_used, [])
        seen |= used
    return "\n".join(parts), frozenset(imports)


@lru_cache(maxsize=10_000)  # neighbours share most of what they use
def _looked_at(node: ast.AST, module: str) -> tuple[str, set[str], set[str]]:
    """A piece of syntax as text, the names that it uses, and what it imports."""
    nodes = list(ast.walk(node))
    used = {each.id for each in nodes if isinstance(each, ast.Name)}
    return plain(node), used, {name for each in nodes for name in _names(each, module, package=False)}


class _Module:
    """A module's statements: what defines which name, what defines none, and the exercises in them."""

    def __init__(self, source: str) -> None:
        self.bindings: dict[str, list[ast.stmt]] = {}
        self.others: list[ast.stmt] = []
        self.exercises: list[tuple[str, ast.Call]] = []
        for statement in ast.parse(source).body:
            bound = set(_bound(statement))
            for name in bound:
                self.bindings.setdefault(name, []).append(statement)
            if not bound and not _is_text(statement):
                self.others.append(statement)
            if isinstance(statement, ast.Assign | ast.AnnAssign):
                self.exercises += _exercises(statement)

    @staticmethod
    @lru_cache(maxsize=4)
    def of(source: str) -> _Module:
        return _Module(source)


def _bound(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Import | ast.ImportFrom):
        yield from ((alias.asname or alias.name).split(".")[0] for alias in statement.names)
    elif isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        whole = [name for target in targets for name in _plain_targets(target)]
        yield from whole if all(whole) else ()  # a change of a part, `TABLE["a"] = 1`, counts for everything


def _plain_targets(target: ast.expr) -> list[str]:
    if isinstance(target, ast.Tuple | ast.List):
        return [name for each in target.elts for name in _plain_targets(each)]
    return [target.id if isinstance(target, ast.Name) else ""]


def _exercises(statement: ast.Assign | ast.AnnAssign) -> list[tuple[str, ast.Call]]:
    found = []
    for node in ast.walk(statement):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Exercise":
            given = [node.args[0]] if node.args else [each.value for each in node.keywords if each.arg == "name"]
            if given and isinstance(given[0], ast.Constant) and isinstance(given[0].value, str):
                found.append((given[0].value, node))
    return found


def _fields() -> tuple[str, ...]:
    from course_lib.exercises.exercise import Exercise

    return tuple(Exercise.__dataclass_fields__)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def plain(node: object) -> str:
    """A piece of syntax as text: what is empty is left out, as versions of Python differ in it; so are docstrings."""
    if isinstance(node, list):
        return f"[{','.join(plain(each) for each in node if not _is_text(each))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    parts = [
        f"{name}={plain(value)}"
        for name, value in ast.iter_fields(node)
        if name not in ("ctx", "kind", "type_comment") and value is not None and value != []
    ]
    return f"{type(node).__name__}({','.join(parts)})"
