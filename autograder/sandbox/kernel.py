"""A back end: a Jupyter kernel in a process of its own, in a temporary directory with a home of its own.

It keeps a submission's accidents from the grader (loops, crashes, floods) and the reference from the submission. It
does not yet keep a hostile submission from the machine: the process runs as the same user and has the network.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Coroutine, Sequence
from pathlib import Path
from queue import Empty
from typing import Any, TypeVar

import nbformat
import psutil  # type: ignore[import-untyped]
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbformat import NotebookNode

from autograder.assemble import PlannedCell
from autograder.files import read_plain
from autograder.sandbox import MAX_ANSWERS, CellRun, Limits, Request, Run, SandboxError, State, guest

START_SECONDS = 60.0
GRACE_SECONDS = 2.0
"""How long a kernel may take to heed an interrupt."""
PLACE = "sandbox"
"""What messages and tracebacks show for the folder of a run."""
_POLL_SECONDS = 0.1
_GUILTY: tuple[State, ...] = ("timeout", "crashed")
T = TypeVar("T")


class KernelSandbox:
    """Runs each submission in a fresh kernel, and in another one from where the first one died."""

    def run(self, request: Request) -> Run:
        """Run the cells of `request`; never raises for what submitted code does.

        Raises:
            SandboxError: when no kernel starts.
        """
        with tempfile.TemporaryDirectory(prefix="grading-", ignore_cleanup_errors=True) as folder:
            place = _Place(Path(folder).resolve(), request)
            try:
                cells, starts = _wait_for(_run_all(request, place))
            finally:
                place.end_processes()
            return Run({index: place.hidden_in(cell) for index, cell in cells.items()}, place.answers(), starts)


class _Place:
    """The temporary directory of one run, and the processes that were started from it."""

    def __init__(self, folder: Path, request: Request) -> None:
        self.folder = folder
        self.run = request.run
        self._written = json.dumps(str(folder))[1:-1]
        for name in ("home", "work", "exchange/cases", "kernels/guest"):
            (folder / name).mkdir(parents=True)
        guest.build(folder / "guest", request.withheld)
        for exercise, groups in request.cases.items():
            path = folder / "exchange" / "cases" / f"{exercise}.json"
            path.write_text(json.dumps({"run": request.run, "groups": groups}), encoding="utf-8")
        argv = [sys.executable, str(folder / "guest" / "guest_kernel.py"), "{connection_file}"]
        spec = {"argv": argv, "display_name": "guest", "language": "python"}
        (folder / "kernels" / "guest" / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
        self.environment = self._environment(request.limits)

    def _environment(self, limits: Limits) -> dict[str, str]:
        home = str(self.folder / "home")
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "TZ") if name in os.environ}
        given = {
            "HOME": home,
            "USERPROFILE": home,
            "TMPDIR": home,
            "IPYTHONDIR": str(self.folder / "home" / "ipython"),
            "MPLCONFIGDIR": _fonts(self.folder / "home" / "matplotlib"),
            "PYTHONPATH": str(self.folder / "guest"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0",
            "PYTHONIOENCODING": "utf-8",
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            "MKL_NUM_THREADS": "1",
            "COURSE_EXCHANGE": str(self.folder / "exchange"),
            "COURSE_MEMORY": str(limits.memory),
            "COURSE_FILE": str(limits.file),
            "COURSE_RUN": self.run,
        }
        return {**kept, **given}

    def answers(self) -> bytes:
        """The lines that were written; nothing where the file is not a plain file any more."""
        try:
            raw = read_plain(self.folder / "exchange" / "answers.jsonl", MAX_ANSWERS)
        except OSError:
            return b""
        return raw.replace(self._written.encode(), PLACE.encode())

    def hidden_in(self, cell: CellRun) -> CellRun:
        """What happened to a cell without this run's own folder, which is another one each time."""
        outputs = tuple(
            nbformat.from_dict(json.loads(json.dumps(output).replace(self._written, PLACE))) for output in cell.outputs
        )
        return CellRun(cell.state, outputs, cell.error.replace(str(self.folder), PLACE))

    def end_processes(self) -> None:
        """End every process that this run started and that can be found: by its environment."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get("COURSE_RUN") == self.run:
                    process.kill()


def _fonts(folder: Path) -> str:
    """A folder with the list of fonts that matplotlib would otherwise take seconds to make."""
    import matplotlib.font_manager  # makes the list where there is none yet

    folder.mkdir()
    for path in Path(matplotlib.get_cachedir()).glob("fontlist-*.json"):
        shutil.copy(path, folder)
    return str(folder)


async def _run_all(request: Request, place: _Place) -> tuple[dict[int, CellRun], int]:
    """Run the cells; where a kernel dies, start another, replay what made names, and go on."""
    deadline = time.monotonic() + request.limits.total
    done: dict[int, CellRun] = {}
    guilty: set[int] = set()
    starts = 0
    alive = False
    while not alive:
        starts += 1
        async with _kernel(place, request.limits) as kernel:
            alive = await _run_in(kernel, request, done, guilty, deadline)
    return done, starts


async def _run_in(
    kernel: _Kernel, request: Request, done: dict[int, CellRun], guilty: set[int], deadline: float
) -> bool:
    """Run in one kernel all that is not done; False where the kernel died."""
    for cell in request.cells:
        if cell.index in guilty or (cell.role == "check" and cell.index in done):
            continue
        left = deadline - time.monotonic()
        stopped = _answer_state(request.cells, cell, done) if cell.role == "check" else None
        if left <= 0 or stopped is not None:
            done.setdefault(cell.index, CellRun("not run"))
            continue
        source = (
            f'__import__("course_lib.check").check.record({cell.exercise!r})' if cell.role == "check" else cell.source
        )
        # Set-up is the instructor's and imports what is slow to import: a short limit is not meant for it.
        limit = max(request.limits.cell, START_SECONDS) if cell.role == "setup" else request.limits.cell
        result = await kernel.execute(source, min(left, limit))
        if cell.index not in done or result.state in _GUILTY:
            done[cell.index] = result
        if result.state in _GUILTY:
            guilty.add(cell.index)
        if not kernel.alive:
            return False
    return True


def _answer_state(cells: Sequence[PlannedCell], check: PlannedCell, done: dict[int, CellRun]) -> State | None:
    """How the exercise's answer cell ended, where it did not end by itself."""
    ended = (
        done[c.index].state for c in cells if c.role == "answer" and c.exercise == check.exercise and c.index in done
    )
    return next((state for state in ended if state in _GUILTY), None)


@contextlib.asynccontextmanager
async def _kernel(place: _Place, limits: Limits) -> Any:
    """A running kernel; ended, with its children, on leaving."""
    specs = KernelSpecManager(kernel_dirs=[str(place.folder / "kernels")], ensure_native_kernel=False)
    manager = AsyncKernelManager(kernel_name="guest", kernel_spec_manager=specs)
    number = len(list(place.folder.glob("connection-*")))
    manager.connection_file = str(place.folder / f"connection-{number}.json")
    if os.name == "posix":
        manager.transport, manager.ip = "ipc", str(place.folder / f"socket-{number}")
    devnull = Path(os.devnull).open("w")  # noqa: SIM115  it stays open as long as the kernel runs
    client: AsyncKernelClient | None = None
    try:
        try:
            await manager.start_kernel(
                cwd=str(place.folder / "work"), env=place.environment, stdout=devnull, stderr=devnull
            )
            client = manager.client()
            client.start_channels()
            await client.wait_for_ready(timeout=START_SECONDS)
        except (RuntimeError, OSError) as error:
            raise SandboxError(f"no kernel started in the sandbox: {error}") from error
        yield _Kernel(manager, client, limits)
    finally:
        await _end(manager, client)
        devnull.close()


async def _end(manager: AsyncKernelManager, client: AsyncKernelClient | None) -> None:
    process = getattr(manager.provisioner, "pid", None)
    children: list[psutil.Process] = []
    with contextlib.suppress(psutil.Error, TypeError, ValueError):
        children = psutil.Process(process).children(recursive=True) if process else []
    if client is not None:
        client.stop_channels()
    if manager.has_kernel:
        await manager.shutdown_kernel(now=True)
    for child in children:
        with contextlib.suppress(psutil.Error):
            child.kill()


class _Kernel:
    """One kernel and the cells that are sent to it."""

    def __init__(self, manager: AsyncKernelManager, client: AsyncKernelClient, limits: Limits) -> None:
        self.manager = manager
        self.client = client
        self.limits = limits
        self.alive = True

    async def execute(self, source: str, seconds: float) -> CellRun:
        """Run one cell and say how it ended; at most `seconds`, and two more for a kernel that heeds no interrupt."""
        message = self.client.execute(source, allow_stdin=False, stop_on_error=False)
        outputs = _Outputs(self.limits)
        deadline = time.monotonic() + seconds
        stopped: State | None = None
        quiet = 0
        while True:
            if time.monotonic() > deadline or (stopped is None and outputs.flooded):
                if stopped is not None:  # deaf to the interrupt
                    return await self._lost(stopped, outputs)
                stopped = "flooded" if outputs.flooded else "timeout"
                await self.manager.interrupt_kernel()
                deadline = time.monotonic() + GRACE_SECONDS
            try:
                heard = await self.client.get_iopub_msg(timeout=_POLL_SECONDS)
            except Empty:
                if not await self.manager.is_alive():
                    return await self._lost(stopped or "crashed", outputs)
                # A flood can lose the message that the cell has ended; its reply comes another way.
                quiet = quiet + 1 if await self.client.shell_channel.msg_ready() else 0
                if quiet < 5:
                    continue
                break
            if heard["parent_header"].get("msg_id") != message:
                continue
            if heard["msg_type"] == "status" and heard["content"].get("execution_state") == "idle":
                break
            outputs.add(heard)
        return await self._ended(message, stopped, outputs)

    async def _ended(self, message: str, stopped: State | None, outputs: _Outputs) -> CellRun:
        reply = await self._reply(message)
        if reply is None:
            return await self._lost(stopped or "crashed", outputs)
        payload = reply.get("payload")
        if any(isinstance(item, dict) and item.get("source") == "ask_exit" for item in payload or []):
            return await self._lost("crashed", outputs)  # `exit()`: the kernel ends a moment after its reply
        error = ""
        if reply.get("status") == "error":
            error = f"{reply.get('ename', 'error')}: {reply.get('evalue', '')}"[:300].removesuffix(": ")
        return CellRun(stopped or ("error" if error else "ok"), outputs.kept(), error)

    async def _reply(self, message: str) -> dict[str, Any] | None:
        until = time.monotonic() + GRACE_SECONDS
        while time.monotonic() < until:
            try:
                reply = await self.client.get_shell_msg(timeout=GRACE_SECONDS)
            except Empty:
                return None
            if reply["parent_header"].get("msg_id") == message:
                content = reply["content"]
                return content if isinstance(content, dict) else None
        return None

    async def _lost(self, state: State, outputs: _Outputs) -> CellRun:
        self.alive = False
        # A cell that floods and heeds no interrupt has, for its exercise, not ended in time.
        return CellRun("timeout" if state == "flooded" else state, outputs.kept())


class _Outputs:
    """What a cell shows, kept up to a limit and counted beyond it."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.size = 0
        self.flooded = False
        self._found: list[NotebookNode] = []
        self._cut = False

    def add(self, message: dict[str, Any]) -> None:
        """Take a message of the kernel; one that shows nothing is passed over."""
        kind = message["msg_type"]
        if kind == "clear_output":
            self._found.clear()
            return
        if kind not in ("stream", "display_data", "execute_result", "error"):
            return
        try:
            output = nbformat.v4.output_from_msg(message)
            size = len(json.dumps(output))
        except (ValueError, TypeError, KeyError):
            return
        self.size += size
        self.flooded = self.size > self.limits.output
        if self.size > self.limits.kept_output and kind != "error":
            self._cut = True
            if kind == "stream":
                room = max(0, self.limits.kept_output - (self.size - size))
                output["text"] = str(output["text"])[:room]
            else:
                return
        last = self._found[-1] if self._found else None
        if kind == "stream" and last is not None and last.output_type == "stream" and last.name == output.name:
            last.text += output.text
        elif kind != "stream" or output.text:
            self._found.append(output)

    def kept(self) -> tuple[NotebookNode, ...]:
        """The outputs, with a line where something was left out."""
        if self._cut:
            text = f"\n[more than {self.limits.kept_output:,} bytes were shown; the rest is left out]\n"
            self._found.append(nbformat.v4.new_output("stream", name="stdout", text=text))
            self._cut = False
        return tuple(self._found)


def _wait_for(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, also where this thread already has an event loop (formgrader's server has one)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    result: list[T] = []
    failed: list[BaseException] = []

    def target() -> None:
        try:
            result.append(asyncio.run(work))
        except BaseException as error:  # noqa: BLE001  raised again below, in the caller's thread
            failed.append(error)

    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return result[0]


__all__ = ["KernelSandbox"]
