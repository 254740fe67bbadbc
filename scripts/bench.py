"""How long a training step takes, beside PyTorch's, and how long importing the library takes.

Run from the top of the repository: make bench, or .venv/bin/python scripts/bench.py --help.

A step is forward, loss, backward and Adam, in float32 and one thread. Side by side in every round: ours; PyTorch's
("eager"); PyTorch's with its fused Adam ("fused"); and the bare matrix products that no implementation can do without
("floor"): for each layer one forward and two backward, without the gradient of the first input. All start each round
from the same weights and see the same batches, a pool of 8 with labels of their own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

# The libraries below read these when they load.
for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402

from course_lib import MLP, Adam, softmax_cross_entropy  # noqa: E402
from course_lib.layers import Linear  # noqa: E402

try:
    import torch
except ImportError:
    torch = None

ROOT = Path(__file__).resolve().parents[1]
NETWORKS = (([64, 64, 10], 32), ([64, 128, 64, 10], 32), ([64, 128, 64, 10], 128), ([784, 256, 128, 10], 128))
POOL = 8
ROUND_SECONDS = 0.02  # how long our steps of one round take, about
MOST_STEPS = 300  # a round: few enough that nothing decays into numbers too small to be computed at full speed
TOLERANCE = 1e-3  # how far our weights and PyTorch's may be apart after CHECKED_STEPS, of the largest weight
CHECKED_STEPS = 5

IMPORTS = {
    "import numpy": ("", "import numpy"),
    "import course_lib, after numpy": ("import numpy", "import course_lib"),
    "from course_lib import MLP, Adam, fit, after numpy": ("import numpy", "from course_lib import MLP, Adam, fit"),
}

Batch = tuple[Any, Any]


@dataclass
class Contestant:
    """One way to take a training step.

    Attributes:
        reset: go back to the first weights and an optimizer that has taken no step.
        step: take one step on a batch.
        batches: the pool, as this contestant's arrays.
        theta: the weights now, flat and in our order; None for the floor, which learns nothing.
    """

    reset: Callable[[], None]
    step: Callable[[Any, Any], None]
    batches: list[Batch]
    theta: Callable[[], np.ndarray] | None = None

    def start(self) -> Iterator[Batch]:
        """Reset, take one step on each batch so that everything is in place, and give batches without end."""
        self.reset()
        for X, y in self.batches:
            self.step(X, y)
        return cycle(self.batches)

    def seconds(self, steps: int) -> float:
        """Seconds a step, over this many."""
        batches = list(islice(self.start(), steps))
        began = time.perf_counter()
        for X, y in batches:
            self.step(X, y)
        return (time.perf_counter() - began) / steps


def ours(sizes: list[int], pool: list[Batch]) -> Contestant:
    model = MLP(sizes, rng=np.random.default_rng(0), dtype=np.float32)
    optimizer = Adam(model.parameters)
    first, untouched = model.state_dict(), optimizer.state_dict()

    def reset() -> None:
        model.load_state_dict(first)
        optimizer.load_state_dict(untouched)

    def step(X: np.ndarray, y: np.ndarray) -> None:
        _, dlogits = softmax_cross_entropy(model.forward(X), y)
        model.backward(dlogits)
        optimizer.step()

    return Contestant(reset, step, pool, lambda: model.parameters.theta.copy())


def pytorch(sizes: list[int], pool: list[Batch], *, fused: bool) -> Contestant:
    start = MLP(sizes, rng=np.random.default_rng(0), dtype=np.float32)
    model = torch.nn.Sequential(
        *(torch.nn.Linear(*layer.W.shape) if isinstance(layer, Linear) else torch.nn.ReLU() for layer in start.layers)
    )
    optimizer = torch.optim.Adam(model.parameters(), fused=fused)
    firsts = [torch.from_numpy(array.T.copy()) for array in start.parameters.values()]

    def reset() -> None:
        optimizer.state.clear()
        with torch.no_grad():
            for weights, first in zip(model.parameters(), firsts, strict=True):
                weights.copy_(first)

    def step(X: Any, y: Any) -> None:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(X), y)
        loss.backward()
        optimizer.step()
        loss.item()  # a Python number, as our loss is one

    def theta() -> np.ndarray:
        return np.concatenate([weights.detach().numpy().T.ravel() for weights in model.parameters()])

    return Contestant(reset, step, [(torch.from_numpy(X), torch.from_numpy(y)) for X, y in pool], theta)


def floor(sizes: list[int], pool: list[Batch]) -> Contestant:
    start = MLP(sizes, rng=np.random.default_rng(0), dtype=np.float32).parameters
    n = len(pool[0][0])
    weights = [start[f"W{k}"] for k in range(1, len(sizes))]
    slopes = [np.empty_like(W) for W in weights]
    inputs = [np.random.default_rng(k).standard_normal((n, size)).astype(np.float32) for k, size in enumerate(sizes)]
    outputs = [np.empty_like(values) for values in inputs]

    def step(X: np.ndarray, y: np.ndarray) -> None:
        for k, W in enumerate(weights):
            np.matmul(inputs[k] if k else X, W, out=outputs[k + 1])
        for k in range(len(weights) - 1, -1, -1):
            np.matmul((inputs[k] if k else X).T, inputs[k + 1], out=slopes[k])
            if k:
                np.matmul(inputs[k + 1], weights[k].T, out=outputs[k])

    return Contestant(lambda: None, step, pool)


def drawn(sizes: list[int], batch: int) -> list[Batch]:
    """The pool of batches: standard normal numbers, and labels of their own for each."""
    rng = np.random.default_rng(1)
    return [
        (rng.standard_normal((batch, sizes[0])).astype(np.float32), rng.integers(sizes[-1], size=batch))
        for _ in range(POOL)
    ]


def same_training(one: Contestant, other: Contestant) -> float:
    """How far apart the two are after the same steps from the same start, of the largest weight."""
    ends = []
    for contestant in (one, other):
        contestant.reset()
        for X, y in contestant.batches[:CHECKED_STEPS]:
            contestant.step(X, y)
        assert contestant.theta is not None
        ends.append(contestant.theta())
    return float(np.abs(ends[0] - ends[1]).max() / np.abs(ends[0]).max())


def measure(sizes: list[int], batch: int, rounds: int) -> dict[str, Any]:
    """Microseconds a step of every contestant in every round, taken in turns, and what follows."""
    pool = drawn(sizes, batch)
    contestants = {"ours": ours(sizes, pool)}
    if torch is not None:
        contestants |= {"eager": pytorch(sizes, pool, fused=False), "fused": pytorch(sizes, pool, fused=True)}
        for name in ("eager", "fused"):
            apart = same_training(contestants["ours"], contestants[name])
            if not apart < TOLERANCE:
                raise SystemExit(
                    f"{sizes}: ours and {name} do not train alike ({apart:.1e} apart); nothing to compare."
                )
    contestants["floor"] = floor(sizes, pool)
    steps = min(MOST_STEPS, max(POOL, round(ROUND_SECONDS / contestants["ours"].seconds(POOL))))
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, contestant in contestants.items():
            times[name].append(1e6 * contestant.seconds(steps))
    ratios = {}
    for top, bottom in (("eager", "ours"), ("fused", "ours"), ("ours", "floor")):
        if top in times:
            # Round by round: what else the machine does at that moment slows both.
            each = [one / other for one, other in zip(times[top], times[bottom], strict=True)]
            ratios[f"{top}/{bottom}"] = statistics.median(each)
    return {"sizes": sizes, "batch": batch, "steps": steps, "microseconds": times, "ratios": ratios}


def import_times(rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each import, each in a fresh interpreter, taken in turns."""
    times: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for _ in range(rounds):
        for name, (before, imported) in IMPORTS.items():
            program = (
                f"{before}\nfrom time import perf_counter\nbegan = perf_counter()\n{imported}\n"
                "print(1e3 * (perf_counter() - began))"
            )
            done = subprocess.run(  # noqa: S603, the programs are those above
                [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
            )
            times[name].append(float(done.stdout))
    return times


def machine() -> dict[str, str]:
    """What the figures hold for."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]  # type: ignore[index,call-overload]
    return {
        "processor": processor(),
        "cores": str(os.cpu_count()),
        "load": f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown",
        "system": platform.platform(),
        "Python": platform.python_version(),
        "NumPy": f"{np.__version__} with {blas.get('name', 'unknown BLAS')} {blas.get('version', '')}".strip(),
        "PyTorch": torch.__version__ if torch is not None else "not installed",
    }


def processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def middle(values: list[float]) -> tuple[float, float, float]:
    """First quartile, median, third quartile."""
    low, median, high = np.quantile(values, (0.25, 0.5, 0.75))
    return float(low), float(median), float(high)


def table(results: list[dict[str, Any]]) -> Iterator[str]:
    names = list(results[0]["microseconds"])
    ratios = list(results[0]["ratios"])
    yield f"{'network x batch':26}" + "".join(f"{name:>22}" for name in names) + "".join(f"{r:>13}" for r in ratios)
    for result in results:
        line = f"{result['sizes']!s} x {result['batch']}"
        line = f"{line:26}"
        for name in names:
            low, median, high = middle(result["microseconds"][name])
            line += f"{f'{median:,.0f} ({low:,.0f}-{high:,.0f})':>22}"
        yield line + "".join(f"{result['ratios'][ratio]:>13.2f}" for ratio in ratios)


def at_least_one(text: str) -> int:
    rounds = int(text)
    if rounds < 1:
        raise argparse.ArgumentTypeError(f"{rounds} rounds give no figure; take at least 1, and 15 or more to quote.")
    return rounds


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--rounds",
        type=at_least_one,
        default=31,
        help="turns for everyone (default 31; 15 or more to quote)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every time that was taken to FILE")
    options = parser.parse_args(arguments)
    if torch is not None:
        torch.set_num_threads(1)
    else:
        print("PyTorch is not installed, so it is left out: pip install torch to have it beside ours.", file=sys.stderr)

    where = machine()
    results = []
    for sizes, batch in NETWORKS:
        print(f"timing {sizes} x {batch} ...", file=sys.stderr)
        results.append(measure(sizes, batch, options.rounds))
    print("timing imports ...", file=sys.stderr)
    imports = import_times(options.rounds)

    command = " ".join(["python", "scripts/bench.py", *(sys.argv[1:] if arguments is None else arguments)])
    print(f"$ {command}")
    for name, value in where.items():
        print(f"{name:10} {value}")
    print(
        f"\nMicroseconds a training step, float32, one thread: median of {options.rounds} rounds (middle half).\n"
        "Ratios are medians over rounds: eager/ours 3 means that PyTorch takes three times as long.\n"
    )
    print(*table(results), sep="\n")
    print(f"\nMilliseconds to import, each in a fresh interpreter: median of {options.rounds} (middle half).\n")
    for name, times in imports.items():
        low, median, high = middle(times)
        print(f"{name:52}{f'{median:.1f} ({low:.1f}-{high:.1f})':>19}")
    if options.json is not None:
        found = {"command": command, "machine": where, "steps": results, "imports_ms": imports}
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
