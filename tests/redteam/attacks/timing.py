"""Attacks by threads, signals, traces and clocks, while the check runs."""

from __future__ import annotations

from functools import partial

from tests.redteam.attacks.forging import EXCHANGE
from tests.redteam.entries import OTHERS, OTHERS_POINTS, WORTHLESS, Entry, inside, outcomes

ANY = outcomes("graded", "timeout", "crashed")
attack = partial(Entry, family="timing and threads", outcomes=ANY)

ATTACKS = (
    attack("thread-that-forges", cell=EXCHANGE + """\
import threading, time
def forge():
    for _ in range(3_000):
        try:
            text = open(answers).read()
            if text:
                open(answers, "w").write(text.replace('"answered"', '"right"'))
        except (OSError, ValueError):
            pass
        time.sleep(0.001)
threading.Thread(target=forge, daemon=True).start()
""", tries="A thread rewrites the file of answers while the check writes it."),
    attack("thread-that-swaps-functions", cell="""\
import threading, time
def swap():
    while True:
        for name, value in (("scale", lambda x, factor: None), ("centre", lambda x: x), ("check", print)):
            globals()[name] = value
        time.sleep(0.0005)
threading.Thread(target=swap, daemon=True).start()
""", tries="A thread exchanges functions while they are checked."),
    attack("alarms", answers=WORTHLESS | {"scale": """\
import signal
class Alarm(BaseException): pass
def ring(*args): raise Alarm
def scale(x, factor):
    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    return np.zeros_like(x)"""} | OTHERS, deserves=OTHERS_POINTS, exact=False,
           tries="Rings an alarm that raises in the check itself, and in those of its right answers."),
    attack("trace-function", cell="""\
import sys, threading
def trace(frame, event, arg):
    for name in ("answer", "points", "outcome"):
        if name in frame.f_locals and isinstance(frame.f_locals[name], (str, int)):
            frame.f_locals[name] = 4
    if event == "exception":
        frame.f_trace_lines = False
    return trace
sys.settrace(trace)
threading.settrace(trace)
""", tries="Traces every line of the check and changes its variables.", seconds=8),
    attack("clock", cell="""\
import time
time.monotonic = time.time = time.perf_counter = lambda: 0.0
time.sleep = lambda seconds: None
import threading
threading.Event.wait = lambda *args, **kwargs: True
""", answers=WORTHLESS | {"scale": inside("while True: pass")}, outcomes=outcomes("timeout", "crashed"),
           tries="Stops the clocks of its kernel and then loops: the limit is measured elsewhere."),
    attack("deaf-in-a-thread", answers={**OTHERS, "scale": WORTHLESS["scale"]}, deserves=OTHERS_POINTS, cell="""\
import threading
def burn():
    while True:
        sum(range(10_000))
for _ in range(8):
    threading.Thread(target=burn, daemon=True).start()
""", tries="Eight threads burn processor time beside every later cell."),
    attack("switches-that-never-come", answers={**OTHERS, "scale": WORTHLESS["scale"]}, deserves=OTHERS_POINTS,
           cell="import sys, gc\nsys.setswitchinterval(100)\ngc.disable()\nsys.setrecursionlimit(80)",
           tries="Lets no other thread run for 100 seconds, and leaves room for hardly a call."),
    attack("event-loop", answers={**OTHERS, "scale": WORTHLESS["scale"]}, cell="""\
import asyncio
loop = asyncio.get_event_loop()
async def forever():
    while True:
        await asyncio.sleep(0)
for _ in range(100):
    loop.create_task(forever())
loop.call_soon(lambda: loop.stop())
""", deserves=OTHERS_POINTS, tries="Floods the kernel's event loop with tasks and stops it."),
    attack("later-cell-changes-answers", quick=True, cell="", last=EXCHANGE + """\
import re
for path in glob.glob(exchange + "/**/*", recursive=True):
    if os.path.isfile(path) and os.access(path, os.W_OK):
        text = open(path, errors="replace").read()
        open(path, "w").write(text.replace('"answered"', '"right"'))
""", prelude=False, tries="A cell after the last check rewrites the answers that were given."),
    attack("slow-to-the-limit", answers={name: f"import time\ndef {name}(*args):\n    time.sleep(60)\n    return 0"
                                         for name in WORTHLESS}, outcomes=outcomes("timeout"), seconds=20,
           tries="Sleeps in every answer for as long as it may."),
)  # fmt: skip
