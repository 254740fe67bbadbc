"""JupyterLab on a free port of this machine, and a notebook in it, as a learner's browser sees them."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

from playwright.sync_api import Locator, Page, expect

HOST = "127.0.0.1"
SECONDS_TO_START = 120
SECONDS_TO_RUN = 600
CHROMIUM_FLAGS = (
    "--no-sandbox",  # Chromium refuses to start as root with one
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {HOST}",
)
SETTINGS = {
    "apputils-extension/notification": {"checkForUpdates": False, "fetchNews": "false"},
    "notebook-extension/tracker": {"windowingMode": "none"},  # every cell is on the page, also those out of sight
}


def find_chromium() -> str | None:
    """The Chromium on this machine; none is ever downloaded."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    return None


@contextmanager
def serve(folder: Path, home: Path, *more: str) -> Iterator[str]:
    """Run JupyterLab on `folder` with settings of its own in `home`; gives its address, with a token.

    `more` are further arguments; with any, it starts in `folder`, as nbgrader's extensions want.

    Raises:
        RuntimeError: with the server's log when it does not start.
    """
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    for name, settings in SETTINGS.items():
        path = home / "settings/@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings), encoding="utf-8")
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "IPYTHONDIR": str(home / "ipython"),
    }
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser",
        f"--ServerApp.ip={HOST}", f"--ServerApp.port={port}", "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}",
        "--LabApp.extension_manager=readonly", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        *more,
    ]  # fmt: skip
    log = home / "server.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=environment, cwd=folder if more else home
        )
        try:
            _wait_until_it_answers(f"http://{HOST}:{port}/api/status?token={token}", server, log)
            yield f"http://{HOST}:{port}/lab/tree/{{path}}?token={token}&reset"
        finally:
            server.terminate()
            try:
                server.wait(timeout=20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _wait_until_it_answers(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text(encoding='utf-8')[-3000:]}")


class Requests:
    """Every request of a page that was meant for another machine."""

    def __init__(self, page: Page) -> None:
        self.left: list[str] = []
        page.context.on("request", lambda request: self._note(request.url))
        page.on("websocket", lambda socket: self._note(socket.url))

    def _note(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https", "ws", "wss", "ftp") and parts.hostname != HOST:
            self.left.append(url)


class NotebookPage:
    """A notebook open in JupyterLab.

    Attributes:
        page: the browser's page, for whatever this class has no method for.
        requests: what it asked of other machines; nothing, it is hoped.
        errors: uncaught errors of the page's own scripts.
    """

    def __init__(self, page: Page, address: str, screenshots: Path) -> None:
        self.page = page
        self.requests = Requests(page)
        self.errors: list[str] = []
        self._address = address
        self._screenshots = screenshots
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def open(self, path: str) -> None:
        """Open a notebook, by its path in the served folder, and wait until its kernel is ready."""
        self.page.goto(self._address.format(path=quote(path)))
        self.wait_until_ready(path)

    def wait_until_ready(self, path: str, shown: float = 60.0, ready: float = 60.0) -> None:
        """Wait for a notebook that is being opened, and then for its kernel; at most so many seconds for each."""
        expect(self.page.locator(".jp-Notebook").first).to_be_visible(timeout=1000 * shown)
        self.page.wait_for_function(
            """(path) => {
                const open = window.jupyterapp?.shell.currentWidget;
                return open?.context?.path === path && open.sessionContext?.session?.kernel?.status === 'idle';
            }""",
            arg=path,
            timeout=1000 * ready,
        )

    def run_all(self) -> None:
        """Run every cell and wait until all have ended."""
        self.page.evaluate(
            """(limit) => Promise.race([
                window.jupyterapp.commands.execute('notebook:run-all-cells').then(() => null),
                new Promise((_, fail) => setTimeout(() => fail(new Error(`not done after ${limit} s`)), 1000 * limit)),
            ])""",
            SECONDS_TO_RUN,
        )

    def cell(self, index: int) -> Locator:
        """The cell with this index, from 0, in the order of the notebook."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(index)

    def in_both_themes(self) -> Iterator[str]:
        """Show JupyterLab dark, then light, and say which; it stays light."""
        for name in ("Dark", "Light"):
            self.page.evaluate(
                "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })",
                f"JupyterLab {name}",
            )
            light = str(name == "Light").lower()
            expect(self.page.locator("body")).to_have_attribute("data-jp-theme-light", light, timeout=30_000)
            yield name.lower()

    def error_outputs(self) -> list[str]:
        """The text of every output that is an exception or was written to stderr."""
        texts = self.page.locator(
            '.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.error"], '
            '.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.stderr"]'
        ).all_inner_texts()
        return list(texts)

    def move_slider(self, slider: Locator, steps: int) -> None:
        """Move an ipywidgets slider with the arrow keys, to the right when `steps` is positive."""
        handle = slider.locator(".noUi-handle").first
        handle.scroll_into_view_if_needed()
        handle.focus()
        for _ in range(abs(steps)):
            self.page.keyboard.press("ArrowRight" if steps > 0 else "ArrowLeft")

    def screenshot(self, name: str, of: Locator | None = None) -> Path:
        """Write a picture of the page, or of one thing on it, for a person to look at."""
        path = self._screenshots / f"{name}.png"
        (of or self.page).screenshot(path=path)
        return path
