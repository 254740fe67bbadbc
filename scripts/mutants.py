"""Mutation testing: change the library a little, one place at a time, and see that a test fails each time.

    python scripts/mutants.py                     every module below; some minutes
    python scripts/mutants.py optimizers layers   only these
    python scripts/mutants.py --write             list what survived, with room for the reasons

mutmut makes the changes, in a copy of the repository that is deleted afterwards. A change that no test notices must
stand in tests/course_lib/survivors.toml with the reason why that is no harm: none may change a number that the library
gives. What is not listed there ends the run with exit code 1, and so does a listed one that a test has learnt to kill.
mutmut 3 changes the bodies and defaults of functions; decorated ones (properties) and class attributes it leaves alone.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SURVIVORS = ROOT / "tests" / "course_lib" / "survivors.toml"
COPIED = ("course_lib", "autograder/__init__.py", "autograder/tools.py", "tests/conftest.py", "tests/course_lib")

MODULES = {
    "optimizers": ("test_optimizers.py", "parity"),
    "modern_optimizers": ("test_modern_optimizers.py",),
    "schedulers": ("test_schedulers.py", "parity"),
    "clipping": ("test_clipping.py", "parity"),
    "layers": ("test_layers.py", "test_network.py", "test_gradcheck.py", "parity"),
    "dropout": ("test_dropout.py", "test_network.py", "parity"),
    "batchnorm": ("test_batchnorm.py", "test_network.py", "parity"),
    "losses": ("test_losses.py", "parity"),
    "initializers": ("test_initializers.py", "parity"),
    "regularizers": ("test_regularizers.py",),
    "early_stopping": ("test_early_stopping.py",),
    "range_test": ("test_range_test.py",),
}
"""Module of course_lib -> the tests (files and folders of tests/course_lib) that are to notice every change in it."""


@dataclass(frozen=True, order=True)
class Mutant:
    """A change: in which function, what stood there, what stands there now."""

    function: str
    was: str
    becomes: str


def survivors_of(module: str, jobs: int) -> tuple[int, list[Mutant]]:
    """Run mutmut on one module; returns how many changes it made, and those that no test noticed."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as place:
        folder = Path(place)
        for name in COPIED:
            source, target = ROOT / name, folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(source, target)
        tests = ", ".join(f'"tests/course_lib/{name}"' for name in MODULES[module])
        settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8") + (
            f'\n[tool.mutmut]\nsource_paths = ["course_lib/{module}.py"]\n'
            f'also_copy = ["course_lib", "autograder"]\npytest_add_cli_args_test_selection = [{tests}]\n'
            'pytest_add_cli_args = ["-m", "not slow", "-p", "no:cacheprovider"]\nuse_git_change_detection = false\n'
        )
        (folder / "pyproject.toml").write_text(settings, encoding="utf-8")
        ran = mutmut(folder, "run", "--max-children", str(jobs))
        counts = re.findall(r"(\d+)/(\d+) ", ran)
        if not counts or counts[-1][0] != counts[-1][1]:
            tail = "\n".join(re.split(r"[\r\n]+", ran)[-40:])
            raise SystemExit(f"mutmut did not finish with {module}; its last lines:\n{tail}")
        found = re.findall(r"^\s+(\S+): (survived|no tests|suspicious)$", mutmut(folder, "results"), re.MULTILINE)
        return int(counts[-1][1]), sorted(read(name, mutmut(folder, "show", name)) for name, _ in found)


def mutmut(folder: Path, *arguments: str) -> str:
    """What mutmut prints, and says on stderr."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", "from mutmut.__main__ import cli; cli()", *arguments]
    done = subprocess.run(  # noqa: S603  our own arguments
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return done.stdout


def read(name: str, diff: str) -> Mutant:
    """A mutant from mutmut's name for it and its diff."""
    lines = [line for line in diff.splitlines() if re.match(r"[-+](?![-+])", line)]
    was, becomes = (" ".join(line[1:].strip() for line in lines if line[0] == sign) for sign in "-+")
    module, mangled = name.rsplit(".", 1)
    # mutmut names a method xǁClassǁmethod__mutmut_3 and a function x_function__mutmut_3.
    function = re.sub(r"__mutmut_\d+$", "", mangled).removeprefix("x").removeprefix("_").strip("ǁ").replace("ǁ", ".")
    return Mutant(f"{module}.{function}", was, becomes)


def main() -> int:
    """Run the modules named on the command line, compare with the list, and say what differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=f"of {', '.join(MODULES)}; all if none")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at once (default: all cores)")
    parser.add_argument("--write", action="store_true", help="write what survived to survivors.toml, reasons kept")
    options = parser.parse_args()
    modules = options.modules or list(MODULES)
    if unknown := sorted(set(modules) - set(MODULES)):
        parser.error(f"no such module: {', '.join(unknown)}; there are {', '.join(MODULES)}")
    listed = reasons()
    new, gone = [], []
    for module in modules:
        made, survived = survivors_of(module, options.jobs)
        mine = {mutant for mutant in listed if mutant.function.startswith(f"course_lib.{module}.")}
        print(f"{module}: {made} changes, {made - len(survived)} noticed, {len(survived)} survived")
        unlisted, noticed = sorted(set(survived) - mine), sorted(mine - set(survived))
        for title, some in (("not listed in survivors.toml", unlisted), ("listed, but noticed: take it out", noticed)):
            for mutant in some:
                print(f"  {title}: {mutant.function}\n    - {mutant.was}\n    + {mutant.becomes}")
        sys.stdout.flush()
        new, gone = new + unlisted, gone + noticed
    if options.write:
        write({mutant: why for mutant, why in listed.items() if mutant not in gone} | dict.fromkeys(new, ""))
    return 1 if new or gone else 0


def reasons() -> dict[Mutant, str]:
    """The listed survivors and why each is no harm."""
    entries = tomllib.loads(SURVIVORS.read_text(encoding="utf-8"))["survivor"] if SURVIVORS.exists() else []
    return {Mutant(entry["function"], entry["was"], entry["becomes"]): entry["why"] for entry in entries}


def write(listed: dict[Mutant, str]) -> None:
    """Write survivors.toml."""
    lines = ["# Changes to the library that no test notices, and why that is no harm. `make mutants` compares."]
    for mutant, why in sorted(listed.items()):
        fields = {"function": mutant.function, "was": mutant.was, "becomes": mutant.becomes, "why": why}
        lines += ["", "[[survivor]]", *(f"{name} = {quoted(value)}" for name, value in fields.items())]
    SURVIVORS.write_text("\n".join(lines) + "\n", encoding="utf-8")


def quoted(text: str) -> str:
    """A TOML string."""
    return f"'{text}'" if "'" not in text else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


if __name__ == "__main__":
    sys.exit(main())
