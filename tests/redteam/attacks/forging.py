"""Attacks that forge results: the channel of answers, and the messages of the kernel."""

# ruff: noqa: E501 - the code that is handed in stands in strings, as it was written

from __future__ import annotations

from functools import partial

from tests.redteam.entries import OTHERS, OTHERS_POINTS, WORTHLESS, Entry, inside, outcomes

attack = partial(Entry, family="result forging")

EXCHANGE = """\
import glob, json, os
folders = [value for name, value in os.environ.items() if name.startswith("COURSE") and os.path.isdir(value)]
exchange = folders[0] if folders else os.path.join(os.getcwd(), "exchange")
if not os.path.isdir(exchange):
    os.makedirs(exchange)
answers = os.path.join(exchange, "answers.jsonl")
runs = [value for name, value in os.environ.items() if name.startswith("COURSE")]
for path in glob.glob(exchange + "/**/*.json", recursive=True):
    try:
        runs.append(json.load(open(path))["run"])
    except Exception:
        pass
"""
LINES = """\
def line(run, name, group, case, **answer):
    whole = {"outcome": "answered", "value": None, "error": "", "modified": [], **answer}
    return json.dumps({"run": run, "exercise": name, "group": group, "case": case, "answer": whole}) + "\\n"
PLACES = [(name, group, case) for name in ("scale", "centre", "shift") for group in ("ordinary", "nasty")
          for case in range(3)]
"""


def writes(body: str) -> str:
    """Code that writes lines of its own where answers go."""
    lines = "\n".join(f"        {line}" for line in body.strip("\n").split("\n"))
    return f"{EXCHANGE}{LINES}with open(answers, 'a') as out:\n    for run in runs or ['']:\n{lines}\n"


def spoils(body: str) -> str:
    """Code that puts something else in the place of the file of answers."""
    return (
        f"{EXCHANGE}open(answers, 'a').close()\nimport shutil\n"
        f"def spoil():\n    if os.path.lexists(answers): os.remove(answers)\n    {body}\nspoil()"
    )


KERNEL = """\
kernel = get_ipython().kernel
session = kernel.session
real = session.send
"""

ATTACKS = (
    attack("forged-result-message", cell=KERNEL + """\
def send(stream, kind, content=None, *args, **kwargs):
    if kind == "error":
        return None
    if kind == "execute_reply":
        content = {"status": "ok", "execution_count": 1, "payload": [], "user_expressions": {}}
    return real(stream, kind, content, *args, **kwargs)
session.send = send
""", tries="Patches the kernel's session: no error goes out, and every reply says that all went well.", quick=True),
    attack("idle-too-early", cell=KERNEL + """\
def send(stream, kind, content=None, *args, **kwargs):
    if kind == "status":
        content = {"execution_state": "idle"}
    if kind == "error":
        return None
    return real(stream, kind, content, *args, **kwargs)
session.send = send
""", tries="Says that every cell has ended before it begins, and never that one failed."),
    attack("wrong-types-in-messages", cell=KERNEL + """\
import itertools
odd = itertools.cycle([None, [], 4, "4", {"text": 7, "name": []}, {"data": [], "execution_state": ["idle"]},
                       {"text": None, "ename": 3, "traceback": "x", "evalue": {}}, {"data": {"text/plain": {"a": 1}}}])
def send(stream, kind, content=None, parent=None, *args, **kwargs):
    for other in ("stream", "display_data", "error", "status", "clear_output", "execute_result"):
        try:
            real(stream, other, next(odd), parent, *args, **kwargs)
        except Exception:
            pass
    return real(stream, kind, content, parent, *args, **kwargs)
session.send = send
""", answers=WORTHLESS | OTHERS, deserves=OTHERS_POINTS, outcomes=outcomes("graded", "crashed", "timeout"),
           tries="Sends messages with wrong types everywhere, around each true one; its other answers are right."),
    attack("malformed-signed-frames", cell=KERNEL + """\
import zmq
sent = 0
for frames in ([b"<IDS|MSG>"], [b"x"] * 40, [b"a", b"<IDS|MSG>", b"", b"{", b"}", b"[", b"null"],
               [b"topic", b"<IDS|MSG>", b"\\xff" * 100, b'{"msg_id":NaN}', b"[" * 5000, b"{}", b"{}"]):
    try:
        kernel.iopub_socket.send_multipart(frames) if hasattr(kernel.iopub_socket, "send_multipart") else None
        header, parent, metadata, content = (json_part for json_part in (b'{"msg_type":4}', b"[]", b"7", b"null"))
        signed = [session.sign([header, parent, metadata, content]), header, parent, metadata, content]
        kernel.iopub_socket.send_multipart([b"stream", b"<IDS|MSG>", *signed])
        sent += 1
    except Exception as error:
        print(type(error).__name__)
""", answers=WORTHLESS | OTHERS, deserves=OTHERS_POINTS, outcomes=outcomes("graded", "crashed", "timeout"),
           tries="Sends frames that are no messages, and signed ones whose parts are no objects."),
    attack("signing-its-own-messages", cell=EXCHANGE + """\
import sys, zmq
from jupyter_client import BlockingKernelClient
from ipykernel import get_connection_file
client = BlockingKernelClient(connection_file=get_connection_file())
client.load_connection_file()
client.start_channels()
for index in range(20):
    client.execute("print(4)", silent=False)
    client.shell_channel.send(client.session.msg("execute_reply", {"status": "ok", "execution_count": 1}))
client.stop_channels()
""", tries="Reads the connection's key and sends requests and replies of its own, signed.",
           outcomes=outcomes("graded", "timeout", "crashed")),
    attack("shutdown-request", cell="""\
from jupyter_client import BlockingKernelClient
from ipykernel import get_connection_file
client = BlockingKernelClient(connection_file=get_connection_file())
client.load_connection_file()
client.start_channels()
client.shutdown(restart=False)
import time
time.sleep(2)
""", answers=WORTHLESS | OTHERS, deserves=OTHERS_POINTS, outcomes=outcomes("graded", "timeout", "crashed"),
           tries="Asks its own kernel to shut down, over the control channel; its other answers are right."),
    attack("payloads-of-wrong-types", cell="""\
manager = get_ipython().payload_manager
manager._payload.extend([None, 4, {"source": ["ask_exit"]}, {"source": "set_next_input", "text": "4"}, {}])
manager.write_payload = lambda *args, **kwargs: None
manager.read_payload = lambda: [4, None, {"source": {"ask_exit": 1}}]
""", outcomes=outcomes("graded", "crashed", "timeout"),
           tries="Puts values of wrong types into the payload of every reply."),
    attack("forged-points", cell=writes("""\
for points in (4, 100):
    out.write(json.dumps({"run": run, "exercise": "scale", "points": points, "outcome": "right"}) + "\\n")
    out.write(line(run, "scale", "ordinary", 0, points=points))
    out.write(json.dumps(points) + "\\n")
"""), tries="Writes lines with points where only answers belong.", quick=True),
    attack("forged-outcomes", cell=writes("""\
for place in PLACES:
    for outcome in ("right", "answered", "passed", "partial", "unanswered"):
        out.write(line(run, *place, outcome=outcome, value={"opaque": "right"}))
"""), tries="Answers every case in advance with outcomes and values that do not exist."),
    attack("answers-of-nan", cell=writes("""\
for place in PLACES:
    for value in ({"float": "nan"}, {"array": ["float64", [3], "AAAAAAAA+H8AAAAAAAD4fwAAAAAAAPh/"]}):
        out.write(line(run, *place, value=value))
out.write('{"run": NaN, "exercise": Infinity}\\n')
"""), tries="Answers every case with NaN, which no comparison should pass."),
    attack("cases-out-of-range", cell=writes("""\
for case in (-1, 10**30, 2**63, True, 0.0, "0", None, [0]):
    out.write(line(run, "scale", "ordinary", case))
    out.write(line(run, case, case, 0))
    out.write(line(case, "scale", "ordinary", 0))
"""), tries="Answers cases number -1, 10**30, True, and exercises called None."),
    attack("answers-twice", cell=writes("""\
for _ in range(2_000):
    for place in PLACES:
        out.write(line(run, *place, value={"float": "0x0p+0"}))
"""), tries="Answers each case thousands of times."),
    attack("deeply-nested-answers", cell=writes("""\
out.write("[" * 1_000_000 + "\\n")
out.write('{"a":' * 300_000 + "\\n")
out.write("9" * 1_900_000 + "\\n")
out.write(line(run, "scale", "ordinary", 0, value=7).replace("7", "7" * 100_000))
out.write(line(run, "scale", "ordinary", 0, value={"array": ["float64", [8_000_000] * 8, ""]}))
out.write(line(run, "scale", "ordinary", 0, value={"array": ["float64", [0, 8_000_000], ""]}))
"""), tries="Writes answers nested a million deep, numbers of a million digits, and arrays of 10**55 entries."),
    attack("answers-without-end", cell=EXCHANGE + """\
chunk = "x" * 10_000_000
try:
    with open(answers, "a") as out:
        for _ in range(30):
            out.write(chunk)
except OSError as error:
    print(type(error).__name__)
""", tries="Fills the file of answers with 300 MB.", outcomes=outcomes("graded", "timeout", "crashed")),
    attack("answers-as-a-link", cell=spoils("os.symlink('@COURSE@/90_fixture.secret', answers)"),
           tries="Puts a link to the secret seed in the place of its answers."),
    attack("answers-as-a-pipe", cell=spoils("os.mkfifo(answers)"),
           tries="Puts a pipe in the place of its answers, which would block whoever reads it.",
           outcomes=outcomes("graded", "timeout")),
    attack("answers-as-a-folder", cell=spoils("os.mkdir(answers)"), tries="Puts a folder in the place of its answers."),
    attack("answers-as-a-device", cell=spoils("os.symlink('/dev/zero', answers)"),
           tries="Puts a link to /dev/zero in the place of its answers."),
    attack("answers-of-a-terabyte", cell=spoils("open(answers, 'wb').truncate(10**12)"),
           tries="Makes its answers a sparse file of a terabyte.", outcomes=outcomes("graded", "timeout", "crashed")),
    attack("replaced-recorder", cell="""\
import sys
for name in [name for name in sys.modules if name.startswith("course_lib")]:
    module = sys.modules[name]
    for key in ("record", "run", "to_plain", "encode", "encode_answer", "decode_case", "_line"):
        if callable(getattr(module, key, None)):
            setattr(module, key, lambda *args, **kwargs: {"outcome": "right", "points": 4})
""", tries="Replaces the functions that write answers down by ones that say right."),
    attack("hostile-values", answers={"scale": """\
class Text(str):
    def __getitem__(self, key): return self
    def __len__(self): return 0
class Number(float):
    def __float__(self): raise SystemExit
    def hex(self): return "points"
    def __eq__(self, other): return True
class Many(dict):
    def items(self):
        while True: yield ("a", 1)
    def __len__(self): return 0
    def __iter__(self): return iter(())
class Row(list):
    def __len__(self): return 0
    def __iter__(self):
        while True: yield 1
def scale(x, factor): return [Number(4), Text("a"), Many(), Row()]""",
                                      "centre": "class Meta(type):\n    @property\n    def __name__(cls): raise SystemExit"
                                      "\nclass Nameless(metaclass=Meta): pass\ndef centre(x): return Nameless()",
                                      "shift": OTHERS["shift"]},
           deserves=2, outcomes=outcomes("graded", "timeout", "crashed"), seconds=12,
           tries="Returns subclasses of float, str, list and dict whose methods lie, never end, or exit."),
    attack("endless-iterators", answers={**OTHERS, "scale": "import itertools\ndef scale(x, factor):\n"
                                         "    return itertools.repeat(x)"}, deserves=OTHERS_POINTS,
           tries="Returns an iterator without an end."),
    attack("huge-answers", answers={**OTHERS, "scale": "def scale(x, factor):\n    return [np.zeros(900_000)] * 900"},
           deserves=OTHERS_POINTS, outcomes=outcomes("graded", "timeout", "crashed"), seconds=15,
           tries="Returns 6 GB of answers."),
    attack("answers-from-the-caller", cell="", answers={**WORTHLESS, "scale": inside("""\
import sys
frame = sys._getframe()
while frame is not None:
    for name, value in list(frame.f_locals.items()):
        if name in ("answer", "place", "given", "case", "result", "index"):
            if isinstance(value, dict):
                value.update(points=4, outcome="right", case=0)
    frame = frame.f_back
""")}, tries="Walks up the stack from its answer and edits what the recorder holds."),
)  # fmt: skip
