"""All cases, and where PyTorch's numbers are kept."""

from pathlib import Path

from parity import clipping, initializers, layers, modern_optimizers, optimizers, schedulers

GOLDEN = Path(__file__).with_name("golden.npz")
CASES = [
    case
    for kind in (optimizers, modern_optimizers, schedulers, layers, clipping, initializers)
    for case in kind.cases()
]
