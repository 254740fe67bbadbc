"""The kernel of the sandbox: IPython's shell, which takes cells from its input and writes what they show to its output.

Copied into the sandbox and run there as a program. It confines itself before it imports anything but the standard
library; in a warm start it is forked, with all imports made, and confines itself before it reads a request. A frame is
a line feed, a letter, JSON and a line feed; an answer's JSON is written by the check:

- in: {"number": 1, "source": "..."}, {"number": 2, "check": "adam_step", "run": "...", "groups": {...}},
  {"interrupt": 1}
- out: R ready, O an output in the notebook format, A an answer, D the end of a request (its number, and the error)

Nothing in here is trusted: foreign code runs in the same process and may write any frame.
"""

from __future__ import annotations

import asyncio
import base64
import builtins
import contextlib
import importlib
import io
import json
import os
import queue
import shutil
import signal
import sys
import threading
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
MAX_FRAME = 2_000_000
"""The grader reads no longer frame; an output that would be longer is left out."""
MAX_MESSAGE = 150_000
"""The longest message with which a supervisor is asked for a guest: its environment and its walls."""
MAX_TEXT = 60_000
"""A longer piece of text goes out in several frames."""


def keep_to_the_shelf() -> None:
    """Import from the standard library, the guest and the shelf beside it, and from nowhere else.

    Where there is no shelf (a container, Windows), from every place that does not hold the course or its grader.
    """
    shelf = HERE.parent / "shelf"
    own = [HERE, shelf] if shelf.is_dir() else [HERE]

    def foreign(place: Path) -> bool:
        if shelf.is_dir():
            return place.name in ("site-packages", "dist-packages")
        return any((place / name).exists() for name in ("course_lib", "autograder"))

    given = [Path(place) for place in sys.path if place]
    sys.path[:] = map(str, [*own, *(place for place in given if place not in own and not foreign(place))])


class Channel:
    """The two ends of the conversation, moved out of the way of code that closes or redirects the usual ones.

    Until it is opened nothing is read, and what is written is lost.
    """

    def __init__(self) -> None:
        self._owner = 0

    def open(self) -> None:
        """Take over standard input and output."""
        self._out = os.dup(1)
        self._in = os.fdopen(os.dup(0), "rb")
        self._lock = threading.RLock()
        self._owner = os.getpid()
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1):
            os.dup2(null, stream)

    @property
    def ours(self) -> bool:
        """Whether this is the process that the grader talks to, not a fork of it."""
        return os.getpid() == self._owner

    def write(self, kind: str, *texts: str) -> None:
        """Write frames. Each begins with a line feed too, so that a torn one spoils no other."""
        if not self.ours:
            return
        data = "".join(f"\n{kind}{text}\n" for text in texts).encode("utf-8", "backslashreplace")
        with self._lock:
            while data:
                data = data[os.write(self._out, data) :]

    def send(self, kind: str, content: Any) -> None:
        """Write one frame of JSON; one that is too long is left out, with its size."""
        text = json.dumps(content)
        if len(text) > MAX_FRAME:
            text = json.dumps({"output_type": "too large", "size": len(text)})
        self.write(kind, text)

    def read(self) -> Any:
        """The next request; None at the end."""
        line = self._in.readline()
        return json.loads(line) if line else None


class Stream(io.TextIOBase):
    """Standard output or error: whole lines go out at once, the rest at the end of the cell."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, channel: Channel, name: str, descriptor: int) -> None:
        self.name = name
        self._channel = channel
        self._descriptor = descriptor
        self._waiting = ""
        self._lock = threading.RLock()

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        with self._lock:
            self._waiting += text
            if "\n" in text or len(self._waiting) > MAX_TEXT:
                self.flush()
        return len(text)

    def flush(self) -> None:
        with self._lock:
            text, self._waiting = self._waiting, ""
        for start in range(0, len(text), MAX_TEXT):
            piece = text[start : start + MAX_TEXT]
            self._channel.send("O", {"output_type": "stream", "name": self.name, "text": piece})


def nobody_answers(*_: object, **__: object) -> str:
    """Takes the place of asking. IPython's own error is a NotImplementedError, which would read as "unanswered"."""
    raise EOFError("in grading nobody is there to answer input()")


def mime_bundle(data: Any) -> dict[str, Any]:
    """What the formatters returned, with bytes in base64 and whatever is no JSON as text."""
    bundle: dict[str, Any] = {}
    for mime, value in dict(data or {}).items():
        if isinstance(value, bytes):
            value = base64.b64encode(value).decode("ascii")
        try:
            json.dumps(value)
        except (TypeError, ValueError, RecursionError):
            value = str(value)
        bundle[str(mime)] = value
    return bundle


def make_shell(channel: Channel) -> Any:
    """IPython's shell, with everything that it shows going to `channel`."""
    import getpass

    from IPython.core.displayhook import DisplayHook
    from IPython.core.displaypub import DisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    def flush() -> None:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):  # a cell may have put anything there
                stream.flush()

    class Hook(DisplayHook):
        def start_displayhook(self) -> None:
            flush()

        def write_output_prompt(self) -> None:
            pass

        def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
            output = {"data": mime_bundle(format_dict), "metadata": mime_bundle(md_dict)}
            if output["data"]:
                channel.send("O", {"output_type": "execute_result", "execution_count": self.prompt_count, **output})

        def finish_displayhook(self) -> None:
            pass

    class Publisher(DisplayPublisher):
        def publish(self, data: Any, metadata: Any = None, source: Any = None, **_: Any) -> None:
            flush()
            output = {"data": mime_bundle(data), "metadata": mime_bundle(metadata)}
            channel.send("O", {"output_type": "display_data", **output})

        def clear_output(self, wait: bool = False) -> None:
            flush()
            channel.send("O", {"output_type": "clear_output"})

    class Shell(InteractiveShell):
        def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:
            flush()
            name, said = describe(etype, evalue)
            lines = [str(line) for line in stb][-400:]
            channel.send("O", {"output_type": "error", "ename": name, "evalue": said, "traceback": lines})

        def ask_exit(self) -> None:
            flush()
            os._exit(0)

        def enable_gui(self, gui: Any = None) -> None:
            pass

        def init_display_pub(self) -> None:
            self.display_pub = Publisher(parent=self, shell=self)  # type: ignore[no-untyped-call]

    config = Config()
    config.HistoryManager.enabled = False
    shell = Shell.instance(config=config, displayhook_class=Hook, colors_force=True)
    shell.display_page = True
    builtins.input = nobody_answers
    getpass.getpass = nobody_answers
    return shell


def describe(etype: Any, evalue: Any) -> tuple[str, str]:
    """Name and message of an exception, which may refuse to tell."""
    try:
        said = str(evalue)
    except BaseException:  # noqa: BLE001
        said = "<no message>"
    return str(getattr(etype, "__name__", etype))[:200], said[:10_000]


async def run_cell(shell: Any, source: str) -> Any:
    """Run a cell as a notebook does: an event loop is running, and a cell may await."""
    try:
        cell, failed = shell.transform_cell(source), None
    except Exception:  # noqa: BLE001  IPython shows it when the cell runs
        cell, failed = source, sys.exc_info()
    if not shell.should_run_async(source, transformed_cell=cell, preprocessing_exc_tuple=failed):
        return shell.run_cell(source)
    try:
        result = await shell.run_cell_async(source, transformed_cell=cell, preprocessing_exc_tuple=failed)
    finally:
        shell.events.trigger("post_execute")
    shell.events.trigger("post_run_cell", result)
    return result


class Server:
    """Takes requests from the channel in a thread, and runs them in this one."""

    def __init__(self, channel: Channel, streams: tuple[Stream, ...]) -> None:
        self._channel = channel
        self._streams = streams
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._running = 0

    def listen(self) -> None:
        """Read requests and interrupts; ends the process when the grader is gone."""
        while True:
            try:
                request = self._channel.read()
            except (OSError, ValueError):
                request = None
            if request is None:
                os._exit(0)
            if request.get("interrupt") == self._running:
                _interrupt()
            elif "number" in request:
                self._requests.put(request)

    def serve(self, shell: Any) -> None:
        """Run what comes, for ever."""
        check: Any = importlib.import_module("course_lib.check")  # the guest's own
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        threading.Thread(target=self.listen, daemon=True).start()
        self._channel.send("R", {})
        while True:
            try:
                request = self._requests.get()
            except KeyboardInterrupt:  # it came too late
                continue
            number, error = request["number"], ""
            self._running = number
            try:
                if "check" in request:
                    answers: list[str] = []  # of a check that does not end none counts, so that they go out together
                    try:
                        check.answer_cases(request, shell.user_ns, answers.append)
                    finally:
                        self._channel.write("A", *answers)
                else:
                    result = loop.run_until_complete(run_cell(shell, request["source"]))
                    raised = result.error_before_exec or result.error_in_exec
                    error = ": ".join(describe(type(raised), raised)) if raised is not None else ""
            except BaseException as raised:  # noqa: BLE001  whatever it was, the next request is served
                error = ": ".join(describe(type(raised), raised))
            if not self._channel.ours:  # a fork that ran to the end of its cell
                os._exit(0)
            self._finish(number, error)

    def _finish(self, number: int, error: str) -> None:
        while True:
            try:
                self._running = 0
                for stream in self._streams:
                    stream.flush()
                self._channel.send("D", {"number": number, "error": error[:300].removesuffix(": ")})
            except KeyboardInterrupt:
                continue
            return


def _interrupt() -> None:
    if os.name == "posix":
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        import _thread

        _thread.interrupt_main()


def capture(stream: Stream) -> None:
    """Show what programs and C code write to the usual descriptors."""
    read, write = os.pipe()
    for number in (1, 2):
        os.dup2(write, number)
    os.close(write)

    def forward() -> None:
        while data := os.read(read, 65536):
            stream.write(data.decode("utf-8", "replace"))
            stream.flush()

    threading.Thread(target=forward, daemon=True).start()


def confine_as_told(settings: Any) -> None:
    """Put up this process's walls, and go to the one folder that is left to write to."""
    import confine  # type: ignore[import-not-found]  # it lies beside this file, in the sandbox

    if settings.get("supervised"):
        confine.supervised(settings["user"])
    confine.confine(settings)
    for name in ("HOME", "TMPDIR", "COURSE_WORK"):  # in a container the room is empty
        Path(os.environ[name]).mkdir(parents=True, exist_ok=True)
    if settings.get("fonts"):
        shutil.copytree(settings["fonts"], os.environ["MPLCONFIGDIR"], dirs_exist_ok=True)
    os.chdir(os.environ["COURSE_WORK"])


def serve(channel: Channel, shell: Any) -> None:
    """Serve the grader at the other end of standard input and output, for ever."""
    channel.open()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    out, err = Stream(channel, "stdout", 1), Stream(channel, "stderr", 2)
    sys.stdout, sys.stderr = out, err
    sys.stdin = io.StringIO()
    capture(out)
    Server(channel, (out, err)).serve(shell)


def main() -> None:
    """Confine this process, then serve."""
    confine_as_told(json.loads((HERE / "confinement.json").read_text(encoding="utf-8")))
    keep_to_the_shelf()
    channel = Channel()
    serve(channel, make_shell(channel))


if __name__ == "__main__":
    main()
