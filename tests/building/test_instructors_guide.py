"""The instructor's guide does what it says: its commands run, in order, in a fresh copy of the repository."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
import typer

from autograder.archives import collect
from autograder.building import rules
from autograder.building.source import canonical, read
from autograder.cli import app
from autograder.demo import DemoError, download
from autograder.gradebook import Course
from autograder.sandbox import SandboxError
from autograder.sandbox.choice import choose
from tests.exercises.exercise_checks import (
    GENERIC_STUBS,
    assert_form,
    assert_rejected_by_name,
    assert_right,
    assert_stub_earns_nothing,
)

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "instructors.md"
EXAMPLE = ROOT / "docs" / "adding-a-lesson.md"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "sample_class" / "README.md"])

NOT_RUN = {
    "git clone REPOSITORY course": "the copy is the clone",
    "cd course": "the copy is the clone",
    "make setup": "fetches packages; the environment of the tests is the one it makes",
    ". .venv/bin/activate": "that environment's programs come first on PATH",
    "jupyter lab": "does not end by itself; tests/browser opens formgrader",
}
"""Commands that the runner passes over, with the reason."""
LONGER = ("python -m autograder doctor", "python -m autograder student-kit")
"""Commands that read all lessons: left to the slow run here, and to their own tests."""
FEW = ("amara", "goran", "jun", "mia")
"""The sample class of the quick run: nobody in it runs into a time limit."""

_FENCE = re.compile(r"(`{3,})(\w+)(?: +(\S+))?")
_CODES = re.compile(r"# exit code (\d+)(?:, or (\d+))?")
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True)
class Block:
    """A fenced block: commands to run, or a file to write (`path`), or to change (a diff)."""

    page: Path
    line: int
    section: str
    language: str
    path: str
    text: str


@dataclass(frozen=True)
class Command:
    """A command as it is typed, what the guide shows of its output, and the exit codes that it names."""

    text: str
    shown: tuple[str, ...]
    codes: tuple[int, ...]


class GuideError(AssertionError):
    """A block does not do what the guide says."""


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of a page that have a language, in order."""
    section, opened, inside = "", None, []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        if opened is not None:
            fence, begun = opened
            if line == fence[1]:
                text = "\n".join(inside) + "\n"
                yield Block(page, begun, section, fence[2], fence[3] or "", text)
                opened, inside = None, []
            else:
                inside.append(line)
        elif found := _FENCE.fullmatch(line):
            opened = found, number
        elif line.startswith("## "):
            section = line.removeprefix("## ")
    assert opened is None, f"{page.name}:{opened[1] if opened else 0}: a block without an end"


def commands(block: Block) -> Iterator[Command]:
    """The commands of a console block."""
    lines = block.text.splitlines()
    starts = [index for index, line in enumerate(lines) if line.startswith("$ ")]
    assert starts[:1] == [0], f"{block.page.name}:{block.line}: a console block begins with a command, `$ ...`"
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        text = lines[start].removeprefix("$ ")
        codes = _CODES.search(text)
        named = tuple(int(code) for code in codes.groups() if code) if codes else (0,)
        yield Command(text.split("    #")[0].strip(), tuple(lines[start + 1 : end]), named)


def shows(output: str, shown: Sequence[str], *, numbers: bool = True) -> bool:
    """Whether an output is what is shown of it: `...` stands for anything in a line, alone for any lines.

    How much space stands between words does not matter, and without `numbers` any number is as good as any other.
    """

    def plain(line: str) -> str:
        words = " ".join(line.split())
        return words if numbers else _NUMBER.sub("0", words)

    if not shown:
        return True
    wanted = [r"(?:.*\n)*?" if plain(line) == "..." else _pattern(plain(line)) for line in shown]
    return re.fullmatch("".join(wanted), "".join(f"{plain(line)}\n" for line in output.splitlines())) is not None


def _pattern(line: str) -> str:
    return ".*".join(map(re.escape, line.split("..."))) + "\n"


class Clone:
    """A fresh copy of the repository, in which blocks are done one after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file():  # one that is deleted and not committed yet is still listed
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, folder / name)
        here = Path(sys.executable).parent
        kept = {key: value for key, value in os.environ.items() if key not in ("FORCE_COLOR", "PYTHONHOME")}
        self.environment = {
            **kept,
            "PATH": f"{here}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(folder),  # what `pip install --editable .` is in a clone
            "COLUMNS": "100",
            "NO_COLOR": "1",
            "PYTEST_ADDOPTS": "-p no:cacheprovider",
        }

    def do(self, block: Block, *, without: Sequence[str] = (), numbers: bool = True) -> None:
        """Write the block's file, make its change, or run its commands.

        Raises:
            GuideError: when a command ends otherwise or shows something else than the guide says.
        """
        if block.language == "console":
            for command in commands(block):
                if command.text not in NOT_RUN and command.text not in without:
                    self.run(block, command, numbers=numbers)
        elif block.path:
            path = self.folder / block.path
            path.parent.mkdir(parents=True, exist_ok=True)
            text = changed(path.read_text("utf-8"), block) if block.language == "diff" else block.text
            path.write_text(text, encoding="utf-8", newline="\n")

    def run(self, block: Block, command: Command, *, numbers: bool) -> None:
        """Run one command with bash."""
        done = subprocess.run(
            ["bash", "-c", command.text], cwd=self.folder, env=self.environment, check=False, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
        )  # fmt: skip
        where = f"{block.page.name}:{block.line}: $ {command.text}\n"
        if done.returncode not in command.codes:
            raise GuideError(f"{where}ended with exit code {done.returncode}, not {command.codes}:\n{done.stdout}")
        if not shows(done.stdout, command.shown, numbers=numbers):
            raise GuideError(f"{where}showed\n{done.stdout}\nand the guide says\n" + "\n".join(command.shown))


def changed(text: str, block: Block) -> str:
    """The text with the change of a diff block made: its lines must stand there exactly once."""
    lines = block.text.splitlines()
    before = "".join(f"{line[1:]}\n" for line in lines if line[0] in " -")
    after = "".join(f"{line[1:]}\n" for line in lines if line[0] in " +")
    if text.count(before) != 1:
        raise GuideError(
            f"{block.page.name}:{block.line}: stands {text.count(before)} times in {block.path}:\n{before}"
        )
    return text.replace(before, after)


def only_few(clone: Clone) -> None:
    """Leave few students in the sample class of the copy."""
    folder = clone.folder / "sample_class" / "04_adaptive_optimizers"
    for path in folder.glob("*.py"):
        if path.stem not in FEW:
            path.unlink()
    head, *entries = re.split(r"^(?=\[\w+\]$)", (folder / "grades.toml").read_text("utf-8"), flags=re.MULTILINE)
    kept = [entry for entry in entries if entry.startswith(tuple(f"[{name}]" for name in FEW))]
    assert len(kept) == len(FEW)
    (folder / "grades.toml").write_text(head + "".join(kept), encoding="utf-8")


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    if not (ROOT / ".git").exists() or shutil.which("git") is None or shutil.which("bash") is None:
        pytest.skip("needs git, a clone, and bash")
    try:
        choose()
    except SandboxError as error:
        pytest.skip(f"no sandbox works here: {error}")
    folder = tmp_path / "course"
    folder.mkdir()
    return Clone(folder)


def test_the_first_class_and_a_regrade_work_as_written(clone: Clone) -> None:
    only_few(clone)
    for block in blocks(GUIDE):
        if block.section.startswith(("1.", "4.")):
            clone.do(block, without=LONGER, numbers=False)
    assert (clone.folder / "feedback/goran/04_adaptive_optimizers/04_adaptive_optimizers.html").is_file()
    assert "goran@example.org,9" in (clone.folder / "moodle.csv").read_text("utf-8")


@pytest.mark.slow
def test_the_whole_guide_and_the_worked_example_work_as_written(clone: Clone) -> None:
    before = {path.relative_to(clone.folder) for path in clone.folder.rglob("*") if "__pycache__" not in path.parts}
    for block in blocks(GUIDE):
        clone.do(block)
    after = {path.relative_to(clone.folder) for path in clone.folder.rglob("*") if "__pycache__" not in path.parts}
    left = {path.parts[0] for path in after - before}
    assert left <= {"dist"}, "what a class left is removed at the end of section 5"
    for block in blocks(EXAMPLE):
        clone.do(block)


def test_the_guide_has_what_the_runner_leaves_out_and_nothing_else_like_it() -> None:
    typed = [c.text for page in (GUIDE, EXAMPLE) for b in blocks(page) if b.language == "console" for c in commands(b)]
    assert set(NOT_RUN) | set(LONGER) <= set(typed)
    assert len(typed) > 30
    told = [block for page in (GUIDE, EXAMPLE) for block in blocks(page) if block.language != "console"]
    assert all(block.path for block in told), "a block is commands, or a file with its path"


def test_the_worked_example_is_a_whole_exercise(tmp_path: Path) -> None:
    files = {block.path: block.text for block in reversed([*blocks(EXAMPLE)]) if block.language != "diff"}
    path = tmp_path / "absolute_loss.py"
    path.write_text(files["course_lib/exercises/absolute_loss.py"], encoding="utf-8")
    spec = importlib.util.spec_from_file_location("absolute_loss_of_the_guide", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (exercise,) = module.EXERCISES
    assert_form(exercise)
    for seed in range(4):
        assert_right(exercise, exercise.reference, seed)
        for mistake in exercise.misconceptions:
            assert_rejected_by_name(exercise, mistake.name, seed)
        for stub in GENERIC_STUBS.values():
            assert_stub_earns_nothing(exercise, stub, seed)
    source = tmp_path / f"{exercise.lesson}.md"
    source.write_text(canonical(files[f"solutions/{exercise.lesson}.md"]), encoding="utf-8")
    assert [str(problem) for problem in rules.problems(read(source), {exercise.name: exercise.core_points})] == []


def test_the_sample_class_can_be_downloaded_as_from_an_lms(tmp_path: Path) -> None:
    lesson = "04_adaptive_optimizers"
    for name in (f"lessons/{lesson}", f"sample_class/{lesson}"):
        shutil.copytree(ROOT / name, tmp_path / name)
    path = download(tmp_path, lesson)
    course = Course(tmp_path)
    done = collect(course, lesson, path)
    assert [taken.student for taken in done.taken] == sorted(file.stem for file in (tmp_path / name).glob("*.py"))
    assert done.left == []
    handed_in = nbformat.read(course.folder("submitted", "goran", lesson) / f"{lesson}.ipynb", as_version=4)
    answers = {cell.id: cell.source for cell in handed_in.cells}
    assert answers["adam_step"] in (tmp_path / name / "goran.py").read_text("utf-8")
    with pytest.raises(DemoError, match=r"with a sample class: 04_adaptive_optimizers\."):
        download(tmp_path, "05_weight_penalties")


def test_git_ignores_every_file_of_a_class() -> None:
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("needs git, and a clone")
    table = next(part for part in GUIDE.read_text(encoding="utf-8").split("\n\n") if part.startswith("| File |"))
    names = [name for row in table.splitlines()[2:] for name in re.findall(r"`([^`]+)`", row.split("|")[1])]
    assert len(names) > 10
    for name in names:
        path = name.replace("STUDENT", "ada").replace("LESSON", "12_absolute_loss").replace("*", "x")
        found = subprocess.run(["git", "check-ignore", "-q", path + "x" * path.endswith("/")], cwd=ROOT, check=False)
        assert found.returncode == 0, f"{name} is not in .gitignore"


def block_of(tmp_path: Path, text: str) -> Block:
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    (block,) = blocks(page)
    return block


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("$ true    # exit code 1: some are left out", "ended with exit code 0, not \\(1,\\)"),
        ("$ false", "ended with exit code 1"),
        ("$ echo one && echo two\none", "showed\none\ntwo"),
        ("$ echo 12 notebooks\n... notebook", "showed"),
        ("$ true\nnothing", "showed"),
    ],
)
def test_a_block_that_does_something_else_is_told(tmp_path: Path, clone: Clone, typed: str, said: str) -> None:
    block = block_of(tmp_path, f"```console\n{typed}\n```\n")
    with pytest.raises(GuideError, match=said):
        clone.do(block)


def test_what_is_shown_may_stand_for_what_varies() -> None:
    assert shows("a 1\nb\nc\n", ["a ...", "...", "c"])
    assert shows("c\n", ["...", "c"])
    assert not shows("c\nd\n", ["...", "c"])
    assert shows("4 of 4\n", ["12 of 12"], numbers=False)
    assert not shows("4 of 4\n", ["12 of 12"])


def test_a_change_that_fits_nowhere_is_told(tmp_path: Path) -> None:
    block = block_of(tmp_path, "```diff some.py\n one\n-two\n+three\n```\n")
    assert changed("zero\none\ntwo\n", block) == "zero\none\nthree\n"
    with pytest.raises(GuideError, match="stands 0 times in some"):
        changed("one\nfour\n", block)


# Commands and options that any page names -----------------------------------------------------------------------------


def options() -> dict[str, set[str]]:
    """The options of each command."""
    group = typer.main.get_command(app)
    found: dict[str, set[str]] = {}
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        opts = {opt for param in command.params for opt in (*param.opts, *param.secondary_opts)}
        found[name] = {opt for opt in opts if opt.startswith("-")} | {"--help"}
    return found


_TYPED = re.compile(r"python3? -m autograder +(?P<name>[a-z][a-z-]*)(?P<rest>[^\n`|#;)&]*)")
_OPTION = re.compile(r"(?<=\s)--?[a-z][a-z-]*")


def unknown(text: str, known: dict[str, set[str]]) -> Iterator[str]:
    """What a text types that is no command, or no option of its command; `NAME ...` in backticks is a command too."""
    short = re.compile(rf"`(?P<name>{'|'.join(map(re.escape, known))})(?P<rest> [^`\n]*)?`")
    for found in (*_TYPED.finditer(text), *short.finditer(text)):
        name = found["name"]
        if name not in known:
            yield f"there is no command {name}: {found[0]}"
            continue
        for option in _OPTION.findall(found["rest"] or ""):
            if option not in known[name]:
                yield f"{name} has no {option}: {found[0]}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_and_option_that_a_page_names_is_there(page: Path) -> None:
    assert list(unknown(page.read_text(encoding="utf-8"), options())) == []


def test_a_command_or_option_that_is_not_there_is_told() -> None:
    known = options()
    said = "python -m autograder grade 04 --twice\nsee `python -m autograder mark 04`, `grade L --again --harder`"
    assert len(list(unknown(said, known))) == 3
    assert list(unknown("`grade LESSON --again`, python -m autograder export --to csv | cat --number", known)) == []
    assert sum(len(_TYPED.findall(page.read_text(encoding="utf-8"))) for page in PAGES) > 50


@pytest.mark.parametrize("page", [GUIDE, EXAMPLE], ids=lambda page: page.name)
def test_every_link_of_the_guide_leads_somewhere(page: Path) -> None:
    def slug(title: str) -> str:
        return re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-")

    for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        name, _, anchor = target.partition("#")
        path = page.parent / name
        assert path.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in map(slug, titles), target
