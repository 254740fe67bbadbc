"""Print the parity table: every setting held beside PyTorch, and how far our numbers are from its numbers.

Run from the top of the repository: python scripts/parity.py. PyTorch's numbers are computed now where torch is
installed, and read from tests/course_lib/parity/golden.npz elsewhere. Fails when one difference is above its bound.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "course_lib"))

from parity.cases import CASES, GOLDEN


def main() -> int:
    live = find_spec("torch") is not None
    with np.load(GOLDEN) as golden:
        found = {case: case.difference(case.theirs() if live else golden[case.name]) for case in CASES}
    for case, difference in found.items():
        print(f"{difference:8.1e} of {case.bound:.0e} allowed  {case.kind:<12}  {case.name}")
    print(f"\nLargest difference from PyTorch's numbers, {'computed now' if live else 'as stored'}:")
    for kind in dict.fromkeys(case.kind for case in CASES):
        of_kind = {case: difference for case, difference in found.items() if case.kind == kind}
        worst = max(of_kind, key=lambda case: of_kind[case])
        print(
            f"{of_kind[worst]:8.1e} of {worst.bound:.0e} allowed  {kind:<12}  {len(of_kind):3} settings; {worst.name}"
        )
    above = sum(not difference <= case.bound for case, difference in found.items())
    print(f"{len(CASES)} settings, {above} above their bound.")
    return 1 if above else 0


if __name__ == "__main__":
    sys.exit(main())
