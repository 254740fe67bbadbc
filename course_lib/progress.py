"""A progress bar for runs that take a while, and none for runs that do not."""

from time import monotonic, time
from typing import Any

DELAY = 2.0
"""Seconds a run must last before a bar appears that nobody asked for."""
_BETWEEN = 0.1  # seconds between two drawings


class ProgressBar:
    """Shows steps done, loss, learning rate and time left, in a notebook or a terminal (by tqdm).

    Args:
        total: how many steps there are.
        initial: how many of them an earlier run has done.
        wanted: True shows the bar at once, False never. None shows it after `DELAY` seconds, in notebooks and terminals
            but not in files and pipes, and only then loads tqdm.
    """

    def __init__(self, total: int, initial: int, wanted: bool | None) -> None:
        self._total, self._initial, self._wanted = total, initial, wanted
        self._bar: Any = None
        self._latest: tuple[int, float, float] | None = None

    def __enter__(self) -> "ProgressBar":
        self._began = self._drawn = monotonic()
        if self._wanted:
            self._open()
        return self

    def update(self, steps: int, loss: float, lr: float) -> None:
        """Take in how far the run has come; draws now and then."""
        if self._wanted is False:
            return
        self._latest = steps, loss, lr
        now = monotonic()
        if self._bar is None and now - self._began >= DELAY:
            self._open()
        if self._bar is not None and now - self._drawn >= _BETWEEN:
            self._drawn = now
            self._draw()

    def _open(self) -> None:
        try:
            from tqdm.auto import tqdm  # type: ignore[import-untyped]
        except ImportError:
            if self._wanted:
                raise
            self._wanted = False
            return
        # disable=None: tqdm's own word for "not where nobody looks", such as a file. How often to draw is settled here.
        disable = False if self._wanted else None

        class Bar(tqdm):  # type: ignore[misc, unused-ignore]
            monitor_interval = 0  # no thread that looks whether the bar still moves: a browser has none

        self._bar = Bar(
            total=self._total,
            initial=self._initial,
            unit="step",
            disable=disable,
            mininterval=0,
            miniters=1,
            smoothing=0,
        )
        self._bar.start_t = time() - (monotonic() - self._began)

    def _draw(self) -> None:
        if self._latest is not None:
            steps, loss, lr = self._latest
            self._bar.set_postfix(loss=f"{loss:.4g}", lr=f"{lr:.3g}", refresh=False)
            self._bar.update(steps - self._bar.n)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._draw()
            self._bar.close()
