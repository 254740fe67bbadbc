"""Attacks on the gradebook and on the other files of the course."""

from __future__ import annotations

from functools import partial

from tests.redteam.entries import Entry, outcomes

attack = partial(Entry, family="gradebook and files")

EDIT = """\
import sqlite3
def edit(path):
    with sqlite3.connect(path, timeout=1.0) as book:
        book.execute("update grade set manual_score = 4, auto_score = 4, needs_manual_grade = 0")
        book.execute("create trigger if not exists redteam after update on grade when new.auto_score = 0 begin "
                     "update grade set auto_score = 4, manual_score = 4 where id = new.id; end")
    return "wrote into the gradebook"
"""
WRITE = """\
import os
def write(path, text):
    with open(path, "a") as file:
        file.write(text)
    return path
"""

ATTACKS = (
    attack("edited-gradebook", cell=EDIT + """\
import os
if os.path.exists("@COURSE@/gradebook.db"):
    attempt(lambda: edit("@COURSE@/gradebook.db"))
else:
    print("refused: not there")
""", tries="Writes full marks into the gradebook, with a trigger that keeps them there."),
    attack("gradebook-found-upwards", cell=EDIT + """\
import os
folder = os.getcwd()
while True:
    path = os.path.join(folder, "gradebook.db")
    if os.path.exists(path):
        attempt(lambda: edit(path))
    if folder == os.path.dirname(folder):
        break
    folder = os.path.dirname(folder)
""", tries="Looks for the gradebook in the folders above its own and writes full marks into it."),
    attack("gradebook-of-its-own", cell=EDIT + """\
import os
from pathlib import Path
for name in ("gradebook.db", "nbgrader_config.py", "course_grading.json"):
    Path(name).write_text("c = get_config()\\n")
print(sorted(os.listdir(".")))
""", tries="Writes a gradebook and settings of its own into the folder it runs in."),
    attack("deleted-gradebook", cell="""\
import os
for name in ("gradebook.db", "90_fixture.secret"):
    attempt(lambda: os.remove("@COURSE@/" + name))
""", tries="Deletes the gradebook and the seed."),
    attack("locked-gradebook", cell="""\
import os, sqlite3
def lock():
    book = sqlite3.connect("file:@COURSE@/gradebook.db?mode=rw", uri=True, timeout=1.0)
    book.execute("begin exclusive")
    globals()["kept"] = book
    return "holds a lock"
attempt(lock)
""", tries="Locks the gradebook, so that no grade can be written."),
    attack("rewritten-solutions", cell=WRITE + """\
import glob
for path in glob.glob("@COURSE@/solutions/*/*.ipynb") or ["@COURSE@/solutions/90_fixture/90_fixture.ipynb"]:
    attempt(lambda: write(path, " "), wins=False)
attempt(lambda: write("@COURSE@/solutions/@MARK@", "x"), wins=False)
""", tries="Changes the instructor's notebook, which all grading starts from."),
    attack("rewritten-settings", cell=WRITE + """\
attempt(lambda: write("@COURSE@/nbgrader_config.py", "# @MARK@\\n"), wins=False)
""", tries="Adds a line to nbgrader_config.py, which is Python that the grader runs."),
    attack("rewritten-seed", cell=WRITE + """\
attempt(lambda: write("@COURSE@/90_fixture.secret", "0"), wins=False)
""", tries="Makes the secret seed a known one."),
    attack("spoilt-neighbours", quick=True, cell=WRITE + """\
import glob
for path in glob.glob("@COURSE@/submitted/*/*/*.ipynb") or ["@COURSE@/submitted/zz-canary/90_fixture/x"]:
    attempt(lambda: write(path, " "), wins=False)
""", tries="Changes what the others handed in."),
    attack("own-result-in-advance", cell=WRITE + """\
def forge():
    folder = "@COURSE@/autograded/redteam/90_fixture"
    os.makedirs(folder)
    return write(folder + "/@MARK@", "x")
attempt(forge, wins=False)
""", tries="Writes a graded notebook of its own into autograded/."),
    attack("back-dated", cell=WRITE + """\
import glob
for path in glob.glob("@COURSE@/submitted/*/90_fixture") or ["@COURSE@/submitted/zz-canary/90_fixture"]:
    attempt(lambda: write(path + "/@MARK@", "2020-01-01 00:00:00 UTC"), wins=False)
""", tries="Writes an earlier time of submission beside its own and everybody's notebook."),
    attack("through-the-grader-s-folder", cell=WRITE + """\
import os
for number in [name for name in os.listdir("/proc") if name.isdigit()]:
    for link in ("cwd", "root"):
        try:
            place = os.readlink(f"/proc/{number}/{link}")
        except OSError:
            continue
        inner = "@COURSE@" if link == "root" else ""
        path = f"/proc/{number}/{link}{inner}"
        if os.path.exists(path + "/gradebook.db") and os.path.exists(path + "/solutions"):
            attempt(lambda: write(path + "/@MARK@", "x"), wins=False)
""", tries="Writes into the course through the root and the working folder of every other process."),
    attack("new-mounts", cell="""\
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def mount():
    os.makedirs("mounted", exist_ok=True)
    if libc.mount(b"none", b"mounted", b"tmpfs", 0, None) != 0:
        raise OSError(ctypes.get_errno(), "mount")
    libc.umount2(b"mounted", 2)
    return "mounted"
def namespace():
    pid = os.fork()
    if pid == 0:
        os._exit(0 if libc.unshare(0x10000000) == 0 else 1)
    if os.waitpid(pid, 0)[1] != 0:
        raise OSError("unshare")
    return "a user namespace"
def root():
    if libc.chroot(b"/proc/1/root") != 0:
        raise OSError("chroot")
    return "another root"
attempt(mount); attempt(namespace)
if os.path.exists(os.path.join("/proc/1/root", "etc")):
    pid = os.fork()
    if pid == 0:
        os._exit(0 if libc.chroot(b"/proc/1/root") == 0 else 1)
    print("chroot:", os.waitpid(pid, 0)[1])
""", tries="Mounts a file system, makes a user namespace, changes its root.",
           outcomes=outcomes("graded", "crashed")),
    attack("links-out-of-its-folder", cell="""\
import os
for target in ("@COURSE@/gradebook.db", "@COURSE@/90_fixture.secret", "/etc/shadow"):
    name = "link-" + os.path.basename(target)
    os.symlink(target, name)
    attempt(lambda: open(name, "rb").read(1) or 1)
    attempt(lambda: os.link(target, "hard-" + os.path.basename(target)))
""", tries="Makes symbolic and hard links to the gradebook, the seed and /etc/shadow, and reads them."),
)  # fmt: skip
