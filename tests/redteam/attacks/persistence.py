"""Attacks that leave something behind for the submissions after them, or for the grader."""

from __future__ import annotations

from functools import partial

from tests.redteam.entries import Entry, outcomes

attack = partial(Entry, family="persistence between submissions")

LEAVE = """\
import os
def leave(path, text="# @MARK@\\n"):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "a") as file:
        file.write(text)
    return path
"""
# A child that does nothing for half an hour and can be told by its command line.
STAY = "import time; time.sleep(1800)  # @MARK@"
SPAWN = f"""\
import os, signal, subprocess, sys
def daemon(*before):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for prepare in before:
                prepare()
            os.execv(sys.executable, [sys.executable, "-c", {STAY!r}])
        os._exit(0)
"""

ATTACKS = (
    attack("pth-file", cell=LEAVE + """\
import site, sysconfig
for folder in {sysconfig.get_path("purelib"), os.path.dirname(os.path.dirname(np.__file__)), *site.getsitepackages()}:
    attempt(lambda: leave(folder + "/@MARK@.pth"), wins=False)
""", tries="Leaves a .pth file among the installed packages, which Python runs at every start.", quick=True),
    attack("sitecustomize", cell=LEAVE + """\
import sys
for folder in [place for place in sys.path if os.path.isdir(place)] + ["@HOME@/.local/lib/python3.11/site-packages"]:
    attempt(lambda: leave(folder + "/@MARK@.py"), wins=False)
""", tries="Leaves a module in every folder that Python imports from, as sitecustomize would be."),
    attack("ipython-startup", cell=LEAVE + """\
attempt(lambda: leave("@HOME@/.ipython/profile_default/startup/@MARK@.py"), wins=False)
leave(os.path.expanduser("~/.ipython/profile_default/startup/00-@MARK@.py"), "import builtins; builtins.redteam = 1\\n")
leave(get_ipython().profile_dir.startup_dir + "/00-@MARK@.py", "import builtins; builtins.redteam = 1\\n")
""", tries="Leaves start-up code in the IPython profile, at home and in the sandbox."),
    attack("shell-start-up", cell=LEAVE + """\
for name in (".bashrc", ".profile", ".config/systemd/user/@MARK@.service", ".ssh/authorized_keys"):
    attempt(lambda: leave("@HOME@/" + name), wins=False)
""", tries="Adds to .bashrc, .profile and the authorised keys at home."),
    attack("matplotlib-cache", cell=LEAVE + """\
import matplotlib
for folder in {matplotlib.get_cachedir(), matplotlib.get_configdir(), "@HOME@/.config/matplotlib"}:
    try:
        leave(folder + "/@MARK@")
        with open(folder + "/matplotlibrc", "a") as file:
            file.write("figure.dpi: 1\\n")
    except OSError as error:
        print("refused:", type(error).__name__)
""", tries="Leaves settings in matplotlib's folders, the list of fonts among them."),
    attack("leftovers-in-tmp", cell=LEAVE + """\
import tempfile
for folder in ("/tmp", "/var/tmp", tempfile.gettempdir(), "/run", "/dev/shm", "/dev/mqueue"):
    try:
        leave(folder + "/@MARK@")
    except OSError as error:
        print("refused:", type(error).__name__)
""", tries="Leaves files in /tmp, /var/tmp, /run and /dev/shm.", quick=True),
    attack("shared-memory", cell="""\
import ctypes
from multiprocessing import resource_tracker, shared_memory
try:
    block = shared_memory.SharedMemory("@MARK@"[:200], create=True, size=1_000_000)
    block.buf[:7] = b"redteam"
    resource_tracker.unregister(block._name, "shared_memory")
except OSError as error:
    print("refused:", type(error).__name__)
libc = ctypes.CDLL(None, use_errno=True)
key = int("@COMM@"[2:9], 16)
print("segment:", libc.shmget(key, 4096, 0o1666) >= 0, "semaphores:", libc.semget(key, 1, 0o1666) >= 0)
""", tries="Leaves POSIX and System V shared memory and semaphores.", outcomes=outcomes("graded", "crashed")),
    attack("daemon", cell=SPAWN + "daemon()", tries="Leaves a daemon: a new session, forked twice.", quick=True),
    attack("stopped-daemon", cell=SPAWN + """\
daemon(lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN), lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
child = subprocess.Popen([sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)  # @MARK@"],
                         start_new_session=True, env={})
""", tries="Leaves processes that ignore signals, have an empty environment, or are stopped."),
    attack("late-writer", cell=f"""\
import subprocess, sys
code = '''import os, time  # @MARK@
for _ in range(900):
    time.sleep(1)
    for path in ("@COURSE@/gradebook.db", "@COURSE@/90_fixture.secret"):
        if os.path.exists(path) and os.access(path, os.W_OK):
            open("@COURSE@/@MARK@-late", "w").close()
'''
subprocess.Popen([sys.executable, "-c", code], start_new_session=True, env={{}},
                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
{""}""", tries="Leaves a process that waits for its own grading to end and then writes into the course."),
    attack("poisoned-course-lib", cell=LEAVE + """\
import course_lib
try:
    leave(os.path.dirname(course_lib.__file__) + "/@MARK@.py")
    with open(course_lib.__file__, "a") as file:
        file.write("\\nimport builtins; builtins.redteam = 1\\n")
except OSError as error:
    print("refused:", type(error).__name__)
""", tries="Writes into the sandbox's copy of course_lib, in the hope that the next one gets it too."),
    attack("poisoned-packages", cell="""\
import importlib.util, numpy, IPython, ipykernel, os
for module in (numpy, IPython, ipykernel):
    attempt(lambda: open(module.__file__, "r+b").close() or module.__name__)
    cached = importlib.util.cache_from_source(module.__file__)
    if os.path.exists(cached):
        attempt(lambda: open(cached, "r+b").close() or cached)
""", tries="Opens the files and the bytecode of NumPy, IPython and ipykernel for writing."),
    attack("cron-and-at", cell=LEAVE + """\
for folder in ("/etc/cron.d", "/var/spool/cron/crontabs", "/var/spool/cron/atjobs", "/etc/profile.d", "/etc"):
    if os.path.isdir(folder):
        attempt(lambda: leave(folder + "/@MARK@"), wins=False)
""", tries="Leaves entries for cron, at and login shells."),
    attack("at-exit", cell="""\
import atexit, os, sys, threading
def again():
    import time
    time.sleep(30)
atexit.register(again)
atexit.register(sys.exit, 3)
threading.Thread(target=again, daemon=False).start()
sys.addaudithook(lambda name, args: None)
""", tries="Registers work for the end of the kernel: sleeping, exiting again, a thread that keeps it alive."),
)  # fmt: skip
