"""The honest submission graded right after an attack: it shows all that an attack could have changed around it."""

from __future__ import annotations

from tests.redteam.entries import FULL, RIGHT, Entry

LOOK_AROUND = """\
import os, sys, tempfile, threading
import builtins, course_lib, course_lib.check, matplotlib
def listed(folder):
    try:
        return sorted(os.listdir(folder))
    except OSError as error:
        return type(error).__name__
def marked(folder):
    found = listed(folder)
    return [name for name in found if "redteam" in name] if isinstance(found, list) else found
print("here:", listed("."), "home:", marked("~"), marked(os.path.expanduser("~")))
for folder in ("/tmp", "/var/tmp", "/dev/shm", tempfile.gettempdir(), matplotlib.get_cachedir(), *sys.path):
    print(len(folder) > 0, marked(folder or "."))
print("startup:", marked(get_ipython().profile_dir.startup_dir), hasattr(builtins, "redteam"))
print("modules:", [name for name in ("sitecustomize", "usercustomize") if "redteam" in str(sys.modules.get(name))])
print("numpy:", np.allclose.__module__, np.array2string(np.arange(3.0)), np.testing.assert_allclose(1, 1))
print("matplotlib:", matplotlib.rcParams["figure.dpi"], "check:", callable(course_lib.check.check))
print("threads:", sum(thread.name.startswith("redteam") for thread in threading.enumerate()))
mine = []
for number in [name for name in os.listdir("/proc") if name.isdigit()] if os.path.isdir("/proc") else []:
    try:
        mine += [number for what in ("cmdline", "comm") if b"redteam-" in open(f"/proc/{number}/{what}", "rb").read()]
    except OSError:
        pass
print("processes:", len(mine))
print("files:", sum(len(names) for _, _, names in os.walk(".")))
"""

PROBE = Entry("probe", "probe", "Looks around.", FULL, answers=RIGHT, cell=LOOK_AROUND, prelude=False)
