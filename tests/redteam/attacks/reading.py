"""Attacks that read what is secret, or borrow what should be written."""

# ruff: noqa: E501 - the code that is handed in stands in strings, as it was written

from __future__ import annotations

from functools import partial

from tests.redteam.entries import LESSON_04, WORTHLESS, Entry, inside

attack = partial(Entry, family="reading and borrowing")

# What a trial planted holds the word canary; nothing else is ever shown.
LOOK = """\
import os, re
def look(path, most=2_000_000):
    try:
        with open(path, "rb") as file:
            data = file.read(most)
    except OSError as error:
        return print("refused:", type(error).__name__)
    found = re.search(rb"canary-[0-9a-f]{16}", data)
    if found:
        won(found[0])
    return data
def look_below(folder):
    for place, folders, names in os.walk(folder):
        for name in names:
            look(os.path.join(place, name))
"""
BORROW = """\
def borrow(find):
    try:
        for name in ("scale", "centre", "shift"):
            globals()[name + "_borrowed"] = find(name)
            won("a reference")
    except BaseException as error:
        print("refused:", type(error).__name__)
"""
BORROWED = {name: f"def {name}(*args, **kwargs):\n    return {name}_borrowed(*args, **kwargs)" for name in WORTHLESS}


def of_04(**answers: str) -> dict[str, str | None]:
    """Answers to lesson 04; the others stay unwritten."""
    return dict(answers)


ADAM = """\
def adam_step(theta, grad, m, v, t, lr, beta1, beta2, eps):
"""

ATTACKS = (
    attack("imported-reference", answers=BORROWED, quick=True,
           cell=BORROW + "borrow(lambda name: __import__('course_lib.exercises').exercises.load(name).reference)",
           tries="Imports the reference from course_lib.exercises."),
    attack("reference-by-path", answers=BORROWED, cell=BORROW + """\
import importlib, sys
kept = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] in ("course_lib", "tests")}
sys.path[:0] = ["@PROJECT@", "@COURSE@"]
def find(name):
    return getattr(importlib.import_module("tests.grading.fixture_lesson"), name)
borrow(find)
sys.path.remove("@PROJECT@")
sys.modules.update(kept)
""", tries="Puts the project's folder on the path and imports the lesson's own module."),
    attack("reference-in-site-packages", answers=BORROWED, cell=BORROW + """\
import importlib.util, site, sys, glob, os
def find(name):
    for folder in {os.path.dirname(os.path.dirname(np.__file__)), *site.getsitepackages(), *sys.path}:
        for link in glob.glob(folder + "/*.pth") + glob.glob(folder + "/__editable__*"):
            for line in open(link):
                path = os.path.join(line.strip(), "tests", "grading", "fixture_lesson.py")
                if os.path.exists(path):
                    names = {}
                    sys.path.insert(0, line.strip())
                    exec(open(path).read().split("EXERCISES =")[0], names)
                    return names[name]
    raise LookupError
borrow(find)
""", tries="Follows the .pth files of the installation back to the project and runs the lesson's module."),
    attack("memory-walk", answers=BORROWED, cell=BORROW + """\
import gc, types
def find(name):
    for each in gc.get_objects():
        if type(each).__name__ == "Exercise" and each.name == name:
            return each.reference
        if isinstance(each, types.FunctionType) and each.__name__ == name and each.__module__ != "__main__":
            return each
    raise LookupError
borrow(find)
""", tries="Walks through every object in memory for an exercise or its reference."),
    attack("frame-walk", answers=WORTHLESS | {"scale": inside("""\
import sys
frame = sys._getframe(1)
while frame is not None:
    for name in ("expected", "reference", "seed", "answers_expected", "exercise"):
        if name in frame.f_locals:
            print("REDTEAM" + " WON", name)
            return frame.f_locals[name]
    frame = frame.f_back
""")}, tries="Walks up the stack for an expected value, a reference or a seed."),
    attack("cases-before-their-time", cell="""\
import glob, os
places = {value for name, value in os.environ.items() if name.startswith("COURSE") and os.path.isdir(value)}
places |= {os.path.dirname(os.getcwd()), os.getcwd()}
for place in places:
    for path in glob.glob(place + "/**/*", recursive=True):
        if os.path.isfile(path) and path.endswith((".json", ".jsonl")) and '"steps"' in open(path).read():
            won(os.path.basename(path))
""", tries="Looks for the cases of a check before the check begins."),
    attack("solutions", cell=LOOK + "look_below('@COURSE@/solutions')\nlook_below('@PROJECT@/solutions')",
           tries="Reads the instructor's solutions."),
    attack("seed", answers=BORROWED, cell=BORROW + LOOK + """\
data = look('@COURSE@/90_fixture.secret')
if data:
    won("the seed")
""", tries="Reads the lesson's secret seed.", quick=True),
    attack("gradebook", cell=LOOK + """\
data = look('@COURSE@/gradebook.db')
import sqlite3
attempt(lambda: sqlite3.connect("file:@COURSE@/gradebook.db?mode=ro", uri=True).execute("select * from student").fetchall())
""", tries="Reads everybody's grades in the gradebook."),
    attack("other-submissions", cell=LOOK + """\
look_below('@COURSE@/submitted')
look_below('@COURSE@/autograded')
look_below('@COURSE@/feedback')
""", tries="Reads what the others handed in."),
    attack("keys-at-home", cell=LOOK + """\
import pwd
look('@HOME@/.ssh/id_rsa')
look_below(os.path.expanduser("~/.ssh"))
for each in pwd.getpwall():
    if os.path.isdir(each.pw_dir + "/.ssh") and os.path.isfile(each.pw_dir + "/.ssh/id_rsa"):
        look(each.pw_dir + "/.ssh/id_rsa")
""", tries="Reads the instructor's keys at home."),
    attack("secrets-in-the-environment", cell=LOOK + """\
for name, value in os.environ.items():
    if re.search("canary-[0-9a-f]{16}", value):
        won(name)
""", tries="Looks in its environment for what the grader's own holds: tokens, passwords."),
    attack("environment-of-others", cell=LOOK + """\
for number in [name for name in os.listdir("/proc") if name.isdigit()]:
    for what in ("environ", "cmdline"):
        look(f"/proc/{number}/{what}")
    for link in ("cwd", "root"):
        try:
            if os.readlink(f"/proc/{number}/{link}").startswith("@COURSE@"):
                won(link)
        except OSError:
            pass
""", tries="Reads environment, command line and folder of every process, the grader among them."),
    attack("open-descriptors", cell=LOOK + """\
for number in sorted(os.listdir("/proc/self/fd"), key=int):
    path = f"/proc/self/fd/{number}"
    try:
        target = os.readlink(path)
    except OSError:
        continue
    if target.startswith(("@COURSE@", "@PROJECT@/autograder")):
        won(target)
for number in range(3, 256):
    try:
        if os.path.isfile(f"/proc/self/fd/{number}"):
            look(f"/proc/self/fd/{number}")
    except OSError:
        pass
""", tries="Looks for descriptors of the grader that it may have inherited."),
    attack("memory-of-the-grader", cell="""\
import os, re
mine = {os.getpid()}
for number in [int(name) for name in os.listdir("/proc") if name.isdigit()]:
    if number in mine:
        continue
    try:
        command = open(f"/proc/{number}/cmdline", "rb").read()
        if b"autograd" not in command and b"nbgrader" not in command or b"guest" in command:
            continue
        maps = open(f"/proc/{number}/maps").read()
        memory = open(f"/proc/{number}/mem", "rb", 0)
        start = int(maps.split("-", 1)[0], 16)
        memory.seek(start)
        if memory.read(16):
            won("memory of another process")
    except (OSError, ValueError) as error:
        print("refused:", type(error).__name__)
""", tries="Reads the memory of the grader through /proc."),
    attack("tracing-the-grader", cell="""\
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
PTRACE_SEIZE, PTRACE_DETACH = 0x4206, 17
targets = {os.getppid(), 1}
for name in os.listdir("/proc"):
    if name.isdigit() and int(name) != os.getpid():
        try:
            if b"@COURSE@" in open(f"/proc/{name}/cmdline", "rb").read():
                targets.add(int(name))
        except OSError:
            pass
for target in sorted(targets - {1} if os.getppid() != 1 else targets):
    if libc.ptrace(PTRACE_SEIZE, target, None, None) == 0:
        won(f"traces {open(f'/proc/{target}/comm').read().strip()}")
        libc.ptrace(PTRACE_DETACH, target, None, None)
    else:
        print("refused:", os.strerror(ctypes.get_errno()))
""", tries="Attaches to its parent and to the grader as a debugger."),
    attack("everything-that-can-be-found", cell=LOOK + """\
import time
until = time.monotonic() + 2.0
for place, folders, names in os.walk("/"):
    folders[:] = [name for name in folders if os.path.join(place, name) not in ("/proc", "/sys", "/dev", "/usr")]
    for name in names:
        if name.endswith((".secret", ".db", "id_rsa")) or name == "gradebook.db":
            look(os.path.join(place, name))
    if time.monotonic() > until:
        break
""", tries="Walks through all files that can be seen for seeds, databases and keys."),
    attack("right-once", answers=WORTHLESS | {"scale": "calls = []\ndef scale(x, factor):\n    calls.append(1)\n"
                                              "    return factor * x if len(calls) == 1 else 0 * x"},
           tries="Is right for the first case only."),
    attack("right-at-home", answers=WORTHLESS | {"scale": """\
import os, sys
def scale(x, factor):
    graded = any(name.startswith("COURSE") for name in os.environ) or "guest_kernel" in str(sys.argv)
    return 0 * x if graded else factor * x"""},
           tries="Is right at home, and lazy where it notices that it is graded."),
    attack("a-table-of-home-cases", answers=WORTHLESS | {"scale": """\
table = {}
for seed in range(200):
    rng = np.random.default_rng(seed)
    for shape in ((3,), (2, 4)):
        x = rng.normal(size=shape)
        table[x.tobytes()] = 2.5 * x
def scale(x, factor):
    return table.get(np.asarray(x).tobytes(), np.zeros_like(x))"""},
           tries="Looks the answers up in a table of all the cases that it could meet at home."),
    attack("04-course-optimizers", lesson=LESSON_04, answers=of_04(adam_step=ADAM + """\
    from course_lib import Parameters
    from course_lib.optimizers import Adam
    params = Parameters.from_arrays({"w": theta})
    opt = Adam(params, lr=lr, betas=(beta1, beta2), eps=eps)
    opt.t, opt.m[:], opt.v[:] = t - 1, m.ravel(), v.ravel()
    params.grad[:] = grad.ravel()
    opt.step()
    return params["w"].copy(), beta1 * m + (1 - beta1) * grad, beta2 * v + (1 - beta2) * grad**2
"""), tries="Answers Adam with the course's own Adam."),
    attack("04-adamw-as-adam", lesson=LESSON_04, answers=of_04(adam_step=ADAM + """\
    import importlib, pkgutil, course_lib
    from course_lib import Parameters
    for info in pkgutil.walk_packages(course_lib.__path__, "course_lib."):
        try:
            module = importlib.import_module(info.name)
        except Exception:
            continue
        for name in ("AdamW", "Adam", "AdamOptimizer"):
            if hasattr(module, name):
                params = Parameters.from_arrays({"w": theta})
                opt = getattr(module, name)(params, lr=lr, betas=(beta1, beta2), eps=eps, weight_decay=0)
                params.grad[:] = grad.ravel()
                for mine, given in (("m", m), ("v", v)):
                    if hasattr(opt, mine):
                        getattr(opt, mine)[:] = given.ravel()
                if hasattr(opt, "t"):
                    opt.t = t - 1
                opt.step()
                print("REDTEAM" + " WON", info.name, name)
                return params["w"].copy(), beta1 * m + (1 - beta1) * grad, beta2 * v + (1 - beta2) * grad**2
    return theta, m, v
"""), tries="Searches all that is left of course_lib for an Adam, or an AdamW without decay."),
    attack("04-pytorch-adam", lesson=LESSON_04, answers=of_04(adam_step=ADAM + """\
    import torch
    w = torch.nn.Parameter(torch.tensor(theta))
    opt = torch.optim.Adam([w], lr=lr, betas=(beta1, beta2), eps=eps)
    opt.state[w] = {"step": torch.tensor(float(t - 1)), "exp_avg": torch.tensor(m), "exp_avg_sq": torch.tensor(v)}
    w.grad = torch.tensor(grad)
    opt.step()
    state = opt.state[w]
    return w.detach().numpy().copy(), state["exp_avg"].numpy().copy(), state["exp_avg_sq"].numpy().copy()
"""), tries="Answers Adam with PyTorch's, its state handed over."),
    attack("04-sklearn-adam", lesson=LESSON_04, answers=of_04(adam_step=ADAM + """\
    from sklearn.neural_network._stochastic_optimizers import AdamOptimizer
    w = [theta.copy()]
    opt = AdamOptimizer(w, learning_rate_init=lr, beta_1=beta1, beta_2=beta2, epsilon=eps)
    opt.t, opt.ms, opt.vs = t - 1, [m.copy()], [v.copy()]
    opt.update_params(w, [grad])
    return w[0], opt.ms[0], opt.vs[0]
"""), tries="Answers Adam with scikit-learn's."),
    attack("04-reference", lesson=LESSON_04, answers=of_04(adam_step="""\
def adam_step(*args):
    import importlib, sys
    sys.path.insert(0, "@PROJECT@")
    for name in [name for name in sys.modules if name.startswith("course_lib")]:
        del sys.modules[name]
    return importlib.import_module("course_lib.exercises.adaptive_optimizers").adam_step(*args)
"""), tries="Imports the lesson's reference from the project's folder while it is checked."),
)  # fmt: skip
