"""What submitted code can reach: for each back end that works on this machine, tried from inside."""

from __future__ import annotations

import json
import os
import platform
import secrets
import socket
import stat
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from autograder.sandbox.kernel import KernelSandbox
from tests.grading.helpers import RIGHT
from tests.grading.sandboxes import run, states, text

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the back ends that are tried here are Linux's")

SEEN = (sys.base_prefix, sysconfig.get_path("stdlib"), str(Path(np.__path__[0]).parent), tempfile.gettempdir())
"""The places that Python, the packages and a run's folder lie in; their names can be seen, whatever is in them not."""
ENVIRONMENT = """
PATH HOME USERPROFILE USER LOGNAME TMPDIR TEMP TMP IPYTHONDIR MPLCONFIGDIR MPLBACKEND PYTHONPATH PYTHONNOUSERSITE
PYTHONDONTWRITEBYTECODE PYTHONHASHSEED PYTHONIOENCODING OPENBLAS_NUM_THREADS OMP_NUM_THREADS MKL_NUM_THREADS
COURSE_WORK COURSE_RUN MALLOC_ARENA_MAX LANG LC_ALL LC_CTYPE TZ PWD
"""
"""All that a submission may find in its environment; none of it is secret."""

PASSWD = "/etc/passwd"
PROGRAMS = ("guest_kernel.py", "guest_supervisor.py")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder of the grader's that everybody may read and write, as far as its mode is concerned."""
    with tempfile.TemporaryDirectory(prefix="open-") as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


def attempts(walls: KernelSandbox, before: str, ways: dict[str, str]) -> list[str]:
    """Which of the ways did not end in an exception; each is a statement."""
    source = (
        f"{before}\nimport json\nways = {ways!r}\ndone = []\n"
        "for name, way in ways.items():\n"
        "    try:\n        exec(way)\n"
        "    except BaseException:\n        continue\n"
        "    done.append(name)\n"
        "print(json.dumps(done))"
    )
    done = run(source, walls=walls, check=False, cell=30.0)
    assert states(done) == ["ok", "ok"], (states(done), done.cells[1].error, done.cells[1].outputs)
    found: list[str] = json.loads(text(done, 1).splitlines()[-1])
    return found


def test_an_honest_notebook_works_within(walls: KernelSandbox) -> None:
    plot = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()"
    files = (
        "import shutil, subprocess, tempfile, pathlib\n"
        "with tempfile.TemporaryDirectory() as folder:\n    np.save(folder + '/x.npy', np.ones(3))\n"
        "pathlib.Path('a.txt').write_text('hello')\nshutil.copy2('a.txt', 'b.txt')\n"
        "print(pathlib.Path('b.txt').read_text(), subprocess.run(['echo', 'x'], capture_output=True).stdout)"
    )
    widget = "import ipywidgets, tqdm.auto\nipywidgets.IntSlider()"
    awaits = "import asyncio\nawait asyncio.sleep(0.01)\nprint('awaited')"
    threads = "import threading\nt = threading.Thread(target=print, args=('thread',))\nt.start()\nt.join()"
    done = run(RIGHT["scale"], plot, files, widget, awaits, threads, walls=walls, cell=30.0)
    assert states(done) == ["ok"] * 8
    assert "image/png" in done.cells[2].outputs[0].data
    assert text(done, 3) == "hello b'x\\n'\n"
    assert "text/plain" in done.cells[4].outputs[0].data
    assert (text(done, 5), text(done, 6)) == ("awaited\n", "thread\n")
    assert len(done.answers.splitlines()) == 3


def test_files_of_others_cannot_be_read(walls: KernelSandbox, root: Path, open_folder: Path) -> None:
    secret = open_folder / "gradebook.db"
    secret.write_text("marks")
    here = os.getpid()
    ways = {
        **{
            path: f"open({path!r}, 'rb').read(1)"
            for path in (
                str(secret),
                str(root / "README.md"),
                str(root / "course_lib" / "optimizers.py"),
                str(root / "solutions" / "01_backpropagation.md"),
                "/etc/passwd",
                "/etc/shadow",
                "/etc/hostname",
                "/dev/kmsg",
                "/dev/mem",
                f"/proc/{here}/mem",
                f"/proc/{here}/environ",
                f"/proc/{here}/cwd/README.md",
                f"/proc/{here}/root{PASSWD}",
                f"/proc/self/root{PASSWD}",
                "/proc/self/cwd/../../../../../etc/passwd",
                "/etc/ssh/sshd_config",
            )
        },
        **{
            f"list {path}": f"assert set(os.listdir({str(path)!r})) - {_on_the_way(path)}"
            for path in (open_folder, root, Path.home(), *map(Path, ("/home", "/var", "/srv", "/opt", "/mnt")))
        },
        **{
            f"import {name}": f"import {name}"
            for name in (
                "torch", "sklearn", "nbgrader", "autograder", "sqlalchemy", "pytest", "jupyter_server",
                "course_lib.exercises.grading", "course_lib.exercises.exercise", "course_lib.optimizers", "tests",
            )
        },
    }  # fmt: skip
    assert attempts(walls, "import os", ways) == []


def _on_the_way(path: Path) -> set[str]:
    """What may be seen in a folder because Python or its packages lie below it."""
    ways = [Path(place) for place in SEEN]
    return {way.relative_to(path).parts[0] for way in ways if path in way.parents} | {""}


def test_nothing_outside_its_folder_can_be_changed(walls: KernelSandbox, root: Path, open_folder: Path) -> None:
    kept = open_folder / "kept"
    kept.write_text("as it was")
    kept.chmod(0o666)
    os.utime(kept, (1_000, 1_000))
    site = next(iter(map(Path, sys.modules["numpy"].__path__)))
    ways = {
        **{
            f"write {path}": f"pathlib.Path({path!r}).open('a').write('x' * 100_000)"
            for path in (
                str(kept), str(open_folder / "new"), str(site / "new.py"), "/usr/lib/new", "/etc/new", "/new",
                "/dev/new", "/proc/sys/kernel/hostname", "/sys/new", "/tmp/new",
                "/var/tmp/new",
            )
        },
        "write into the guest": "open(os.path.dirname(confine.__file__) + '/confine.py', 'a')",
        "replace the guest": "os.rename(os.path.dirname(confine.__file__), os.environ['HOME'] + '/guest')",
        "write onto the shelf": "os.symlink('/etc', os.environ['PYTHONPATH'].split(':')[1] + '/evil')",
        "leave its folder": "home = os.environ['HOME']; os.rename(home, os.path.dirname(os.path.dirname(home)) + '/h')",
        "remove": f"os.remove({str(kept)!r})",
        "link": f"os.link({str(kept)!r}, 'mine')",
        "truncate": f"os.truncate({str(kept)!r}, 0)",
        "a device": "os.mknod('disk', 0o60666, os.makedev(8, 0))",
    }  # fmt: skip
    attributes = (
        "import os, pathlib, confine\n"
        f"for change in (lambda p: os.chmod(p, 0), lambda p: os.utime(p, (5, 5)), lambda p: os.chown(p, 7, 7),\n"
        f"               lambda p: os.setxattr(p, 'user.x', b'1')):\n"
        f"    try:\n        change({str(kept)!r})\n    except OSError:\n        pass"
    )
    assert attempts(walls, attributes, ways) == []
    after = kept.stat()
    assert (kept.read_text(), stat.S_IMODE(after.st_mode), after.st_mtime) == ("as it was", 0o666, 1_000)
    assert after.st_uid == os.geteuid()
    assert [path.name for path in open_folder.iterdir()] == ["kept"]
    assert os.listxattr(kept) == []


def test_there_is_no_network_and_no_socket_of_another_program(walls: KernelSandbox, open_folder: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_UNIX) as path_server,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        path = str(open_folder / "socket")
        path_server.bind(path)
        path_server.listen()
        Path(path).chmod(0o777)
        name = f"\0course-{secrets.token_hex(8)}"
        abstract.bind(name)
        abstract.listen()
        port = tcp.getsockname()[1]
        ways = {
            "tcp": f"socket.create_connection(('127.0.0.1', {port}), 2)",
            "listen": "socket.create_server(('127.0.0.1', 0))",
            "udp": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))",
            "raw": "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
            "packet": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
            "netlink": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)",
            "vsock": "socket.socket(socket.AF_VSOCK)",
            "unix": f"socket.socket(socket.AF_UNIX).connect({path!r})",
            "abstract": f"socket.socket(socket.AF_UNIX).connect({name!r})",
            "datagram": f"a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM); a.sendto(b'x', {name!r})",
            "names": "assert socket.getaddrinfo('example.org', 80)",
            "http": "import urllib.request; urllib.request.urlopen('http://127.0.0.1:%d' % 80, timeout=2)",
        }
        assert attempts(walls, "import socket", ways) == []


def test_other_processes_are_out_of_reach(walls: KernelSandbox) -> None:
    grader = os.getpid()
    libc = "import ctypes, os, resource, signal\nlibc = ctypes.CDLL(None, use_errno=True)\nbefore = os.getppid()"
    refused = "assert libc.{} != -1"
    ways = {
        "signal the grader": f"os.kill({grader}, 0); open('/proc/{grader}/cmdline').read()",
        "signal the first process": "os.kill(1, 0); assert os.getpid() != 2 and os.path.exists('/proc/1/exe')",
        "limit the grader": f"resource.prlimit({grader}, resource.RLIMIT_CPU, (1, 1))",
        "slow the grader down": f"os.sched_setaffinity({grader}, [0])",
        "make it nice": f"os.setpriority(os.PRIO_PROCESS, {grader}, 19)",
        "open the grader": f"os.pidfd_open({grader})",
        "open the supervisor": "os.pidfd_open(before)",
        "trace": refused.format(f"ptrace(16, {grader}, 0, 0)"),
        "trace the supervisor": refused.format("ptrace(16, before, 0, 0)"),
        "read memory": refused.format(f"process_vm_readv({grader}, None, 0, None, 0, 0)"),
        "become root": "os.setuid(0) if os.getuid() else 1 / 0",
        "become another": "os.setuid(54_321)",
        "leave the groups": "os.setgroups([0])",
    }
    assert attempts(walls, libc, ways) == []


CALLS = {
    "unshare a user namespace": "libc.unshare(0x10000000)",
    "unshare a network": "libc.unshare(0x40000000)",
    "mount": "libc.mount(b'none', b'/', b'tmpfs', 0, None)",
    "chroot": "libc.chroot(b'.')",
    "a key": "libc.syscall(248, b'user', b'x', b'y', 1, -3)",
    "a keyring": "libc.syscall(250, 0, -3, 1)",
    "io_uring": "libc.syscall(425, 8, ctypes.create_string_buffer(200))",
    "bpf": "libc.syscall(321, 0, ctypes.create_string_buffer(100), 100)",
    "perf": "libc.syscall(298, ctypes.create_string_buffer(200), 0, -1, -1, 0)",
    "userfaultfd": "libc.syscall(323, 0)",
    "shared memory that stays": "libc.shmget(0, 4096, 0o1600)",
    "semaphores that stay": "libc.semget(0, 1, 0o1600)",
    "a queue that stays": "libc.msgget(0, 0o1600)",
    "memory without a name": "libc.memfd_create(b'x', 0)",
    "clone3": "libc.syscall(435, ctypes.create_string_buffer(88), 88)",
    "clone with a namespace": "libc.syscall(56, 0x10000000 | 17, 0, 0, 0, 0)",
    "open by handle": "libc.syscall(304, -100, ctypes.create_string_buffer(200), 0)",
    "watch files": "libc.inotify_init1(0)",
    "typing into a terminal": "libc.ioctl(0, 0x5412, b'x')",
}


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers of the calls are x86-64's")
def test_dangerous_system_calls_are_refused(walls: KernelSandbox) -> None:
    before = "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\nassert libc.prctl(39, 0, 0, 0, 0) == 1"
    ways = {name: f"assert {call} != -1" for name, call in CALLS.items()}
    assert attempts(walls, before, ways) == []


def test_what_it_sees_is_on_a_list(walls: KernelSandbox, monkeypatch: pytest.MonkeyPatch, open_folder: Path) -> None:
    word = "seed-" + secrets.token_hex(8)
    monkeypatch.setenv("SECRET_SEED", word)
    keep = (open_folder / "seed").open("w+")  # a descriptor of the grader's, with a secret behind it
    os.set_inheritable(keep.fileno(), True)
    keep.write(word)
    keep.flush()
    source = (
        "import json, os\n"
        "def read(path):\n"
        "    try:\n        return open(path, 'rb').read(1_000_000).decode('latin-1')\n"
        "    except OSError:\n        return ''\n"
        "def names(path):\n"
        "    try:\n        return sorted(os.listdir(path))\n"
        "    except OSError:\n        return []\n"
        "def link(path):\n"
        "    try:\n        return os.readlink(path)\n"
        "    except OSError:\n        return '/dev/null'  # the listing's own\n"
        "pids = [name for name in names('/proc') if name.isdigit()]\n"
        "print(json.dumps({\n"
        "    'environment': dict(os.environ),\n"
        "    'descriptors': [link('/proc/self/fd/' + n) for n in names('/proc/self/fd')],\n"
        "    'processes': [read(f'/proc/{pid}/cmdline') + read(f'/proc/{pid}/environ') for pid in pids],\n"
        "    'root': names('/'), 'dev': names('/dev'), 'tmp': names('/tmp'), 'shm': names('/dev/shm'),\n"
        "    'guest': names(os.environ['PYTHONPATH'].split(':')[0]),\n"
        "    'room': names(os.path.dirname(os.environ['HOME'])),\n"
        "}))"
    )
    with keep:
        done = run(source, walls=walls, check=False)
    assert states(done) == ["ok", "ok"]
    shown = text(done, 1)
    assert word not in shown
    seen = json.loads(shown)
    assert set(seen["environment"]) <= set(ENVIRONMENT.split())
    kinds = {target.split(":")[0] for target in seen["descriptors"]}
    assert kinds <= {"pipe", "socket", "anon_inode", "/dev/null"}
    assert len(seen["descriptors"]) <= 16
    assert len(seen["processes"]) <= 3
    assert all(any(name in line for name in PROGRAMS) for line in seen["processes"])
    top = {Path(path).parts[1] for path in SEEN}
    assert set(seen["root"]) <= {"bin", "sbin", "lib", "lib32", "lib64", "usr", "etc", "dev", "proc", *top}
    devices = "console core fd full null ptmx pts random shm stderr stdin stdout tty urandom zero"
    assert set(seen["dev"]) <= set(devices.split(" "))
    leading = {path.parts[2] for path in map(Path, (sys.prefix, sys.base_prefix)) if path.parts[1] == "tmp"}
    assert len(set(seen["tmp"]) - leading) <= 1  # the run's own folder, and the way to Python where that is there
    assert seen["shm"] == []
    assert set(seen["guest"]) - {"confinement.json"} == {"confine.py", "course_lib", *PROGRAMS}
    assert set(seen["room"]) == {"home", "work", "tmp", "shm"}


def test_cases_come_in_with_their_check_and_not_before(walls: KernelSandbox) -> None:
    # A search through all memory of the interpreter, before and after.
    source = (
        "import gc\n"
        "found = [o for o in gc.get_objects() if type(o) is dict and 'groups' in o and 'check' in o]\nprint(len(found))"
    )
    done = run(source, RIGHT["scale"], walls=walls)
    assert text(done, 1) == "0\n"
    assert len(done.answers.splitlines()) == 3


def test_a_run_leaves_nothing_for_the_next(
    walls: KernelSandbox, monkeypatch: pytest.MonkeyPatch, open_folder: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(open_folder))
    leave = (
        "import os, pathlib\n"
        "for place in ('/tmp', '/dev/shm', '/var/tmp', os.environ['HOME'], os.environ['TMPDIR'], '.'):\n"
        "    try:\n        pathlib.Path(place, 'left-by-a-submission').write_text('x')\n"
        "    except OSError:\n        pass\n"
        "pathlib.Path(os.environ['MPLCONFIGDIR'], 'matplotlibrc').write_text('lines.linewidth: 99')\n"
        "pathlib.Path(os.environ['IPYTHONDIR'], 'profile_default', 'startup').mkdir(parents=True, exist_ok=True)\n"
        "pathlib.Path(os.environ['IPYTHONDIR'], 'profile_default', 'startup', 'a.py').write_text('evil = 1')\n"
        "try:\n    import multiprocessing\n    multiprocessing.Semaphore()\nexcept OSError:\n    pass"
    )
    assert states(run(leave, walls=walls, check=False)) == ["ok", "ok"]
    look = (
        "import glob, os, matplotlib\n"
        "print('evil' in dir(), matplotlib.rcParams['lines.linewidth'], "
        "glob.glob(os.path.dirname(os.environ['HOME']) + '/*/left*'), glob.glob('/dev/shm/*'), glob.glob('/tmp/left*'))"
    )
    assert text(run(look, walls=walls, check=False), 1) == "False 1.5 [] [] []\n"
    assert list(open_folder.iterdir()) == []
    assert [path for place in ("/tmp", "/dev/shm", "/var/tmp") for path in Path(place).glob("left-by-*")] == []
