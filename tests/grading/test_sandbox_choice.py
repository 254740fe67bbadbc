"""Which back end is chosen, what it says where none works, and the container's command line."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from autograder.sandbox import Limits, SandboxError, choice
from autograder.sandbox.bubblewrap import Bubblewrap
from autograder.sandbox.container import Container, containerfile
from autograder.sandbox.isolation import Place, spare_user
from autograder.sandbox.kernel import KernelSandbox
from autograder.sandbox.landlock import Landlock
from autograder.sandbox.none import NoIsolation
from autograder.sandbox.view import FOR_LEARNERS, view
from tests.grading.helpers import RIGHT
from tests.grading.sandboxes import run, states

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="Linux's own back ends")
POSIX = pytest.mark.skipif(os.name != "posix", reason="a program in the shell's language stands for the engine")


@pytest.fixture
def nothing_works(monkeypatch: pytest.MonkeyPatch) -> None:
    choice.forget()
    monkeypatch.setattr(choice, "probe", lambda sandbox, _withheld: f"{sandbox.isolation.name} is missing, install it")


@pytest.mark.usefixtures("nothing_works")
def test_where_nothing_works_nothing_runs_and_a_sentence_says_what_to_do() -> None:
    with pytest.raises(SandboxError) as raised:
        choice.choose()
    said = str(raised.value)
    assert said.startswith("No sandbox works here, so nothing was run. bubblewrap: bubblewrap is missing, install it")
    assert "landlock is missing" in said
    assert "container is missing" in said
    assert "--unsafe" in said


@pytest.mark.usefixtures("nothing_works")
def test_no_walls_are_there_for_the_asking_only() -> None:
    assert isinstance(choice.choose(unsafe=True).isolation, NoIsolation)
    assert "none" not in choice.NAMES
    with pytest.raises(ValueError, match="there is no sandbox 'none'; choose one of auto, bubblewrap"):
        choice.choose("none")


@LINUX
def test_what_holds_is_tried_once_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []
    choice.forget()
    monkeypatch.setattr(choice, "probe", lambda sandbox, _withheld: tried.append(sandbox.isolation.name) or "")
    assert choice.choose().isolation.name == "bubblewrap"
    assert choice.choose().isolation.name == "bubblewrap"
    assert tried == ["bubblewrap"]
    assert choice.choose("landlock").isolation.name == "landlock"
    choice.forget()


@LINUX
def test_the_probe_sees_that_no_walls_are_no_walls() -> None:
    said = choice.probe(KernelSandbox(NoIsolation()))
    assert said.startswith("the walls do not hold: from inside one can read the grader's files, read the project")
    assert "reach a server on this machine" in said
    assert "signal the grader's process" in said


@LINUX
@pytest.mark.parametrize("isolation", [Bubblewrap(), Landlock()], ids=["bubblewrap", "landlock"])
def test_what_is_missing_is_named_with_its_package(
    isolation: Bubblewrap | Landlock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autograder.sandbox.bubblewrap.shutil.which", lambda name: None)
    monkeypatch.setattr("autograder.sandbox.confine.landlock_abi", lambda: 0)
    said = isolation.missing() if isinstance(isolation, Bubblewrap) else Landlock().missing()
    assert ("apt-get install bubblewrap" in said) or ("Linux 5.13 or later" in said)


@LINUX
@pytest.mark.skipif(os.name == "posix" and os.geteuid() != 0, reason="only root can change its user")
def test_each_run_has_a_user_that_is_nobody_else() -> None:
    users = {spare_user() for _ in range(100)}
    assert len(users) > 90
    assert all(user is not None and user >= 60_000 for user in users)


def test_the_shelf_holds_what_lessons_use_and_nothing_of_the_grader() -> None:
    shelf = set(view().shelf)
    assert {"numpy", "matplotlib", "IPython", "ipywidgets", "tqdm"} <= shelf
    unwanted = {
        "torch",
        "sklearn",
        "nbgrader",
        "autograder",
        "course_lib",
        "jupyter_server",
        "sqlalchemy",
        "zmq",
        "pip",
    }
    assert shelf & unwanted == set()


def test_the_container_is_told_every_limit_and_shown_nothing_but_the_guest(tmp_path: Path) -> None:
    place = Place(tmp_path)
    launch = Container("podman").launch(place, Limits(memory=2_000_000_000, disk=7_000_000, files=9, processes=5))
    line = " ".join(launch.command)
    for wanted in (
        "podman run --rm --interactive", "--network none", "--read-only", "--cap-drop ALL", "no-new-privileges",
        "--user 65532:65532", "--pids-limit 5", "--memory 2000000000", "--memory-swap 2000000000", "fsize=100000000",
        "--tmpfs /sandbox/room:rw,nosuid,nodev,size=7000000,nr_inodes=9,mode=1777", "--pull never",
    ):  # fmt: skip
        assert wanted in line
    mounts = [part for before, part in zip(launch.command, launch.command[1:], strict=False) if before == "--mount"]
    assert mounts == [f"type=bind,source={place.guest},target=/sandbox/guest,readonly"]
    assert launch.command[-4:] == ["course-sandbox", "python", "-s", "/sandbox/guest/guest_kernel.py"]
    assert list(launch.stop[:3]) == ["podman", "rm", "--force"]
    assert launch.stop[3] in launch.command
    assert "SECRET" not in launch.environment


def test_the_image_has_this_machine_s_versions() -> None:
    recipe = containerfile()
    assert f"python:{sys.version_info[0]}.{sys.version_info[1]}-slim" in recipe
    assert all(f" {name}==" in recipe for name in FOR_LEARNERS)


ENGINE = """#!/bin/sh
# Stands for podman: it keeps what it was asked, and runs the guest without any walls.
echo "$@" >> "{folder}/asked"
[ "$1" = info ] && exit {info}
[ "$1" = image ] && exit {image}
[ "$1" = run ] || exit 0
while [ "$1" != course-sandbox ]; do
    case "$1" in
        --mount) source=${{2#*source=}}; source=${{source%%,*}} ;;
        --env) export "$(echo "$2" | sed 's|/sandbox/room|{folder}/room|; s|/sandbox/guest|'"$source"'|')" ;;
    esac
    shift
done
sed -i 's|"/fonts"|""|' "$source/confinement.json"
export PYTHONPATH="$source:{packages}"
exec "{python}" -s "$source/guest_kernel.py"
"""


def engine(folder: Path, info: int = 0, image: int = 0) -> Container:
    path = folder / "podman"
    packages = Path(view().shelf["numpy"]).parent
    path.write_text(
        ENGINE.format(folder=folder, info=info, image=image, packages=packages, python=sys.executable), encoding="utf-8"
    )
    path.chmod(0o755)
    return Container(str(path))


@POSIX
def test_a_container_is_talked_with_over_its_input_and_output_and_removed(tmp_path: Path) -> None:
    container = engine(tmp_path)
    assert container.missing() == ""
    done = run(RIGHT["scale"], "quit()", "print(1)", walls=KernelSandbox(container))
    assert states(done) == ["ok", "ok", "crashed", "ok", "ok"]
    assert len(done.answers.splitlines()) == 3
    asked = (tmp_path / "asked").read_text().splitlines()
    names = [line.split("--name ")[1].split()[0] for line in asked if line.startswith("run ")]
    assert [line for line in asked if line.startswith("rm ")] == [f"rm --force {name}" for name in names]


@POSIX
def test_an_engine_that_does_not_keep_what_it_promises_is_not_used(tmp_path: Path) -> None:
    assert "the walls do not hold" in choice.probe(KernelSandbox(engine(tmp_path)))


@POSIX
def test_a_container_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "its engine does not answer; start it" in engine(tmp_path, info=1).missing()
    assert "python -m autograder.sandbox.container | " in engine(tmp_path, image=1).missing()
    monkeypatch.setattr("autograder.sandbox.container.shutil.which", lambda name: None)
    assert "neither podman nor docker is installed" in Container().missing()
