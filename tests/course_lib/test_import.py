"""`import course_lib` is light, and its names load what they need, no more."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import course_lib

HEAVY = ("matplotlib", "ipywidgets", "IPython", "tqdm", "numpy")


def modules_after(code: str) -> set[str]:
    """Top-level modules loaded by a fresh interpreter that ran this code."""
    program = f"{code}\nimport sys, json; print(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_the_package_loads_nothing_heavy():
    assert not modules_after("import course_lib") & set(HEAVY)


@pytest.mark.parametrize("name", ["Adam", "MLP", "fit", "Value", "gradient_check"])
def test_the_subject_loads_no_plots_or_widgets(name):
    loaded = modules_after(f"from course_lib import {name}")
    assert not loaded & {"matplotlib", "ipywidgets", "IPython", "tqdm"}
    assert "numpy" in loaded or name == "Value"


def test_data_figures_and_sweep_load_no_plots_until_used():
    loaded = modules_after("import course_lib.data, course_lib.figures, course_lib.sweep, course_lib.intervals")
    assert not loaded & {"matplotlib", "ipywidgets", "IPython"}


def test_the_subject_knows_nothing_of_exercises_checks_or_grading():
    files = Path(course_lib.__file__).parent.glob("*.py")
    modules = {f"course_lib.{path.stem}" for path in files} - {
        f"course_lib.{name}" for name in ("check", "learner", "__main__")
    }
    code = "\n".join(f"import {name}" for name in sorted(modules))
    program = (
        f"{code}\nimport sys; print(*sorted(name for name in sys.modules if name.startswith(('course_lib', 'auto'))))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == modules | {"course_lib"}


@pytest.mark.parametrize("name", course_lib.__all__)
def test_every_public_name_can_be_had(name):
    assert getattr(course_lib, name).__name__ == name
    assert name in dir(course_lib)


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(AttributeError, match=r"no 'Adm'; it has .*Adam"):
        _ = course_lib.Adm
