"""Write tests/course_lib/parity/golden.npz: PyTorch's numbers for every case of tests/course_lib/parity.

Run from the top of the repository, where torch is installed: python scripts/make_golden.py
"""

import sys
import warnings
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "course_lib"))

from parity.cases import CASES, GOLDEN


def main() -> None:
    warnings.filterwarnings("ignore", category=UserWarning, module="torch")
    np.savez_compressed(GOLDEN, **{case.name: case.theirs() for case in CASES})
    print(f"{GOLDEN.name}: {len(CASES)} cases, {GOLDEN.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
