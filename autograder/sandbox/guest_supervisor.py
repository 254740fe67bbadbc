"""The supervisor of a warm start: it imports once what every submission imports, and forks a guest for each.

Copied into the sandbox and run there as a program. It imports the guest's own course_lib, never the judge, and runs no
foreign code: a child confines itself before it reads its first request. Of the grader it has one socket, which no
child keeps. One guest lives at a time; when it ends, all that it started is ended with it.

- in: {"environment": {...}, "user": 1900000000} with the guest's standard input, output and error; {"end": true} to end
  the guest; the socket's end, to end
- out: "ready", once; "ended", for each guest, when nothing of it is left
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import random
import socket
import sys
from typing import Any

import confine  # type: ignore[import-not-found]  # both lie beside this file, in the sandbox
import guest_kernel  # type: ignore[import-not-found]

MAX_MESSAGE = 100_000

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
    gc.collect()
    gc.freeze()  # the children leave these objects, and with them their memory, as they are
    return channel, shell


def settle_in(shell: Any) -> None:
    """Use the new room, which lies where the supervisor's did, and draw random numbers of one's own."""
    import numpy as np

    shell.ipython_dir = os.environ["IPYTHONDIR"]
    os.makedirs(shell.ipython_dir, exist_ok=True)  # noqa: PTH103
    shell.init_profile_dir(None)
    random.seed()
    np.random.seed()  # noqa: NPY002


def become_guest(control: socket.socket, message: dict[str, Any], files: list[int], channel: Any, shell: Any) -> None:
    """In the forked child: serve one submission. Does not return."""
    confine.leave_supervisor()
    for number, file in enumerate(files):
        os.dup2(file, number)
    control.detach()
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.environ.clear()
    os.environ.update(message["environment"])
    guest_kernel.confine_as_told()
    settle_in(shell)
    guest_kernel.serve(channel, shell)


def main() -> None:
    """Prepare, then fork a guest for each message, until the grader is gone."""
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    channel, shell = prepare()
    confine.take_in_orphans()
    told = confine.hear_signals()
    control.send(b"ready")
    while True:
        data, files, _, _ = socket.recv_fds(control, MAX_MESSAGE, 3)
        if not data:
            os._exit(0)
        message = json.loads(data)
        if "environment" not in message:  # the guest had ended before it was to be ended
            continue
        child = os.fork()
        if child == 0:
            become_guest(control, message, files, channel, shell)
        for file in files:
            os.close(file)
        _, gone = confine.oversee(child, message["user"], told, control.fileno())
        if not gone:  # the grader sees the socket's end, and ends what can still be ended
            os._exit(1)
        control.send(b"ended")


if __name__ == "__main__":
    main()
