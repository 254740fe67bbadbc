"""Attacks on time, memory, processes, files and output. All are bounded, so that a machine without walls survives."""

from __future__ import annotations

from functools import partial

from tests.redteam.entries import OTHERS, OTHERS_POINTS, WORTHLESS, Entry, inside, outcomes

ANY = outcomes("graded", "timeout", "crashed")
attack = partial(Entry, family="resources", deserves=OTHERS_POINTS, outcomes=ANY, seconds=12)


def scale(body: str) -> dict[str, str | None]:
    """`scale` is an attack, and the others are right: it must cost them nothing."""
    return {**OTHERS, "scale": inside(body)}


FLOOD = {**OTHERS, "scale": WORTHLESS["scale"]}

ATTACKS = (
    attack("os-exit", answers=scale("import os\nos._exit(0)"), outcomes=outcomes("crashed"), seconds=5, quick=True,
           tries="Ends the interpreter with os._exit while it is checked."),
    attack("deaf-loop", outcomes=outcomes("timeout"), quick=True, answers=scale("""\
import signal
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
    signal.signal(number, signal.SIG_IGN)
while True:
    try:
        while True: pass
    except BaseException:
        pass"""), tries="Loops without an end, deaf to every signal it can ignore."),
    attack("abort", answers=scale("import os\nos.abort()"), outcomes=outcomes("crashed"), seconds=5,
           tries="Aborts the interpreter."),
    attack("segmentation-fault", answers=scale("import ctypes\nctypes.string_at(0)"), outcomes=outcomes("crashed"),
           seconds=5, tries="Reads address 0 through ctypes."),
    attack("kills-itself", answers=scale("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"), seconds=5,
           tries="Kills its own process."),
    attack("kills-what-it-can-see", seconds=8, answers=FLOOD, cell="""\
import os, signal
for name in os.listdir("/proc"):
    if name.isdigit() and int(name) not in (1, os.getpid()):
        try:
            command = open(f"/proc/{name}/cmdline", "rb").read()
            if b"@COURSE@" in command and b"bwrap" not in command:
                os.kill(int(name), signal.SIGSTOP)
                os.kill(int(name), signal.SIGCONT)
                won(command[:100])
        except OSError as error:
            print("refused:", type(error).__name__)
""", tries="Sends signals to every process of the trial that it can see, the grader first."),
    attack("stops-its-parent", seconds=8, answers=FLOOD, cell="""\
import os, signal
if os.getppid() > 1:
    name = open(f"/proc/{os.getppid()}/comm").read().strip()
    attempt(lambda: os.kill(os.getppid(), 0) or name, wins=name.startswith("python"))
    if not name.startswith("python"):
        attempt(lambda: os.kill(os.getppid(), signal.SIGTERM), wins=False)
""", tries="Sends signals to its parent process."),
    attack("exits", answers=scale("exit()\nquit()\nraise SystemExit(0)"), seconds=5,
           tries="Calls exit() and quit() and raises SystemExit while it is checked."),
    attack("exits-in-its-cell", answers={**OTHERS, "scale": "exit()"}, seconds=5, outcomes=outcomes("crashed"),
           tries="Ends the kernel with exit() in the answer's own cell."),
    attack("endless-recursion", answers=scale("import sys\nsys.setrecursionlimit(10**9)\nreturn scale(x, factor)"),
           tries="Recurses without an end, with the recursion limit lifted."),
    attack("fork-bomb", answers=FLOOD, cell="""\
import ctypes, os, time
ctypes.CDLL(None).prctl(15, b"@COMM@")
made = 0
try:
    for _ in range(400):
        if os.fork() == 0:
            time.sleep(120)
            os._exit(0)
        made += 1
except OSError as error:
    print("refused:", type(error).__name__)
if made == 400:
    won(made)
""", tries="Forks 400 children that stay."),
    attack("thread-bomb", answers=FLOOD, cell="""\
import threading, time
made = 0
try:
    for _ in range(4_000):
        threading.Thread(target=time.sleep, args=(120,), daemon=True).start()
        made += 1
except RuntimeError as error:
    print("refused:", error)
if made == 4_000:
    won(made)
""", tries="Starts 4,000 threads that stay."),
    attack("memory-bomb", answers=FLOOD, cell="""\
kept = []
try:
    for _ in range(60):
        kept.append(np.ones(100_000_000 // 8))
    won(f"{len(kept) / 10} GB")
except MemoryError:
    print("refused at", len(kept))
kept.clear()
""", tries="Takes 6 GB of memory in one process."),
    attack("memory-bomb-of-many", answers=FLOOD, cell="""\
import ctypes, os, time
ctypes.CDLL(None).prctl(15, b"@COMM@")
children = []
try:
    for _ in range(6):
        child = os.fork()
        if child == 0:
            try:
                kept = [np.ones(100_000_000 // 8) for _ in range(9)]
                time.sleep(2)
                os._exit(0)
            except BaseException:
                os._exit(1)
        children.append(child)
    ended = [os.waitpid(child, 0)[1] for child in children]
    if not any(ended):
        won("5.4 GB in six processes")
except OSError as error:
    print("refused:", type(error).__name__)
""", tries="Takes 5.4 GB of memory in six processes, each below the limit of one."),
    attack("disk-bomb", answers=FLOOD, cell="""\
import os
block, written = bytes(10_000_000), 0
try:
    for number in range(40):
        with open(f"block-{number}", "wb") as file:
            for _ in range(9):
                file.write(block)
                written += len(block)
    won(f"{written / 1e9} GB")
except OSError as error:
    print("refused:", type(error).__name__)
""", tries="Writes 3.6 GB in forty files, each below the limit of one."),
    attack("sparse-file", answers=FLOOD, cell="""\
with open("sparse", "wb") as file:
    attempt(lambda: file.truncate(10**12))
""", tries="Makes a file of a terabyte with nothing in it."),
    attack("many-small-files", answers=FLOOD, cell="""\
import os
os.makedirs("many")
try:
    for number in range(60_000):
        os.close(os.open(f"many/{number}", os.O_CREAT | os.O_WRONLY))
    won("60,000 files")
except OSError as error:
    print("refused:", type(error).__name__)
""", tries="Makes 60,000 empty files."),
    attack("open-files", answers=FLOOD, cell="""\
kept = []
try:
    for _ in range(200_000):
        kept.append(open("/dev/null"))
    won(len(kept))
except OSError as error:
    print("refused:", type(error).__name__, len(kept))
""", tries="Opens files until none is left."),
    attack("work-in-c", outcomes=outcomes("timeout", "crashed"),
           answers=scale("import re\nre.match('(a+)+$', 'a' * 60 + 'b')"),
           tries="Calls a regular expression that takes years, in C, where no interrupt is heard."),
    attack("huge-integers", outcomes=outcomes("timeout", "crashed"),
           answers=scale("value = 3 ** (10 ** 8)\nwhile True: value = value * value % (10 ** 10_000_000 + 1)"),
           tries="Computes with integers of millions of digits, in C."),
    attack("flood-on-stdout", answers=FLOOD, quick=True, cell="for _ in range(1_000):\n    print('x' * 100_000)",
           tries="Prints 100 MB."),
    attack("flood-on-stderr", answers=FLOOD,
           cell="import sys\nfor _ in range(1_000):\n    print('x' * 100_000, file=sys.stderr)",
           tries="Prints 100 MB on stderr."),
    attack("flood-of-displays", answers=FLOOD, cell="from IPython.display import HTML, display\n"
           "for number in range(3_000):\n    display(HTML('<b>' + 'x' * 30_000 + '</b>'))",
           tries="Displays 3,000 pieces of HTML, 90 MB together."),
    attack("flood-of-comms", answers=FLOOD, cell="from comm import create_comm\n"
           "comm = create_comm(target_name='redteam', data={})\n"
           "for _ in range(3_000):\n    comm.send({'x': 'x' * 30_000})",
           tries="Sends 90 MB of widget messages, which show nothing."),
    attack("one-huge-message", answers=FLOOD, cell="from IPython.display import display\n"
           "display({'text/plain': 'x' * 300_000_000}, raw=True)", tries="Displays one message of 300 MB."),
    attack("flood-while-checked", outcomes=ANY,
           answers=scale("import os\nfor _ in range(200): os.write(1, b'x' * 1_000_000)\nprint('x' * 200_000_000)"),
           tries="Writes to the descriptors of the check itself, past every redirection."),
    attack("giant-traceback", answers={**OTHERS, "scale": inside("raise ValueError('x' * 100_000_000)")},
           tries="Raises an exception with a message of 100 MB."),
    attack("endless-repr", answers=FLOOD, outcomes=outcomes("timeout"), cell="""\
class Endless:
    def __repr__(self):
        while True: pass
Endless()
""", tries="Shows an object whose repr never ends."),
)  # fmt: skip
