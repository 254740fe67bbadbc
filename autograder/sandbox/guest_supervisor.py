"""The supervisor of warm starts: it imports once what every submission imports, and forks guests.

Copied into the sandbox and run there as a program. It imports the guest's own course_lib, never the judge, and runs no
foreign code: a guest is a fork that confines itself before it reads its first request. Of the grader it has two
sockets: the owner's, whose end is its own end, and one on which graders' workers call. For each caller it forks a
deputy, which has one guest at a time, ends all that a guest started when it ends, and hands no socket on.

- from a caller: {"environment": {...}, "settings": {...}} with the guest's standard input, output and error;
  {"end": true} to end the guest; the socket's end, to end
- to a caller: "ready", once; "guest", for each, from it before it does anything else, as the kernel says with a message
  whose it is; "ended", for each guest, when nothing of it is left
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import random
import select
import signal
import socket
import sys
from typing import Any

import confine  # type: ignore[import-not-found]  # both lie beside this file, in the sandbox
import guest_kernel  # type: ignore[import-not-found]

FIRST_CELLS = (
    "import matplotlib.pyplot as plt\nplt.plot([0, 1], label='$x^2$')\nplt.title('x')\nplt.legend()\nplt.show()",
    "import ipywidgets\nipywidgets.IntSlider()",
    "import numpy as np\nnp.random.default_rng(0).normal(size=(3, 3)) @ np.ones(3)",
    "1 / 0",
)
"""What is slow the first time: a figure, a widget, a product of matrices, a traceback."""


def prepare() -> tuple[Any, Any]:
    """Import everything; returns a channel, still closed, and a shell in which nothing is defined."""
    guest_kernel.keep_to_the_shelf()
    channel = guest_kernel.Channel()
    shell = guest_kernel.make_shell(channel)
    course_lib: Any = importlib.import_module("course_lib")
    for module in pkgutil.walk_packages(course_lib.__path__, "course_lib.", onerror=lambda _: None):
        with contextlib.suppress(ImportError):  # what this lesson withholds
            importlib.import_module(module.name)
    fresh = dict(shell.user_ns)
    for cell in FIRST_CELLS:
        shell.run_cell(cell)
    shell.reset()
    shell.user_ns.update({name: fresh[name] for name in fresh if name not in shell.user_ns and name[:2] == "__"})
    for name in ("last_type", "last_value", "last_traceback", "last_exc"):
        vars(sys).pop(name, None)
    close_fonts()
    gc.collect()
    gc.freeze()  # the children leave these objects, and with them their memory, as they are
    return channel, shell


def close_fonts() -> None:
    """Let go of the font files that drawing has opened: forks would share how far each has been read."""
    from matplotlib import font_manager, mathtext

    fonts: Any = font_manager
    fonts._get_font.cache_clear()
    parser: Any = mathtext.MathTextParser
    parser._parse_cached.cache_clear()


def settle_in(shell: Any) -> None:
    """Forget the supervisor's room for one's own, and draw random numbers of one's own."""
    import matplotlib
    import numpy as np

    mpl: Any = matplotlib
    mpl.get_configdir = mpl.get_cachedir = lambda: os.environ["MPLCONFIGDIR"]  # they remember the supervisor's
    shell.ipython_dir = os.environ["IPYTHONDIR"]
    os.makedirs(shell.ipython_dir, exist_ok=True)  # noqa: PTH103
    shell.init_profile_dir(None)
    random.seed()
    np.random.seed()  # noqa: NPY002


def become_guest(message: dict[str, Any], files: list[int], caller: socket.socket, channel: Any, shell: Any) -> None:
    """In a child of a deputy: serve one submission. Does not return."""
    confine.leave_supervisor(signal.SIGKILL)
    caller.send(b"guest")
    for number, file in enumerate(files):
        os.dup2(file, number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.environ.clear()
    os.environ.update(message["environment"])
    guest_kernel.confine_as_told(message["settings"])
    settle_in(shell)
    guest_kernel.serve(channel, shell)


def be_deputy(caller: socket.socket, channel: Any, shell: Any) -> None:
    """In a child of the supervisor: fork a guest for each message of one caller. Does not return."""
    confine.leave_supervisor(signal.SIGTERM)
    confine.take_in_orphans()
    told = confine.hear_signals()
    supervisor = os.getppid()
    caller.send(b"ready")
    while True:
        if caller not in select.select([told, caller], [], [])[0]:
            if signal.SIGTERM in os.read(told, 64):
                os._exit(0)
            continue
        data, files, _, _ = socket.recv_fds(caller, guest_kernel.MAX_MESSAGE, 3)
        if not data:
            os._exit(0)
        message = json.loads(data)
        if "environment" not in message:  # the guest had ended before it was to be ended
            continue
        child = os.fork()
        if child == 0:
            become_guest(message, files, caller, channel, shell)
        for file in files:
            os.close(file)
        _, gone = confine.oversee(child, message["settings"]["user"], told, caller.fileno())
        if not gone or os.getppid() != supervisor:
            caller.close()  # who sees that, and asks for another deputy
            confine.end_all(message["settings"]["user"])
            os._exit(1)
        caller.send(b"ended")


def main() -> None:
    """Prepare, then fork a deputy for each caller, until the owner is gone."""
    owner, calls = (socket.socket(fileno=int(number)) for number in sys.argv[1:3])
    channel, shell = prepare()
    told = confine.hear_signals()
    confine.take_in_orphans()
    deputies: set[int] = set()
    while True:
        ready = select.select([told, owner, calls], [], [])[0]
        if told in ready and {signal.SIGTERM, signal.SIGHUP} & set(os.read(told, 64)):
            os._exit(0)
        if owner in ready and not owner.recv(1):
            os._exit(0)
        if told in ready:  # a deputy that was killed may have left a guest
            confine.end_all(None, spared=deputies)
            deputies &= confine.children()
        if calls in ready:
            caller, _ = calls.accept()
            deputy = os.fork()
            if deputy == 0:
                owner.detach()
                calls.detach()
                os.closerange(3, caller.fileno())
                os.closerange(caller.fileno() + 1, os.sysconf("SC_OPEN_MAX"))
                be_deputy(caller, channel, shell)
            deputies.add(deputy)
            caller.close()


if __name__ == "__main__":
    main()
