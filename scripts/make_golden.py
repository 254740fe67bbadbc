"""Write tests/course_lib/golden.npz: PyTorch's numbers for every case of tests/course_lib/torch_parity.py.

Run from the top of the repository, where torch is installed: python scripts/make_golden.py. Prints how far our numbers
are from PyTorch's in each case.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "course_lib"))

from torch_parity import CASES, GOLDEN, difference


def main() -> None:
    stored = {case.name: case.theirs() for case in CASES}
    np.savez_compressed(GOLDEN, **stored)
    for case in CASES:
        print(f"{difference(case.ours(), stored[case.name]):8.1e} of {case.bound:.0e} allowed  {case.name}")
    print(f"{GOLDEN.name}: {len(CASES)} cases, {GOLDEN.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
