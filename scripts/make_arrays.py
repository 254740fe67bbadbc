"""Write course_lib/_arrays/digits.npz from scikit-learn's copy of the UCI handwritten digits.

Run from the top of the repository: python scripts/make_arrays.py. Needs scikit-learn; the course itself does not.
The file holds whole numbers only: pixels 0 to 16, labels 0 to 9, and the order of the random split, which is stored so
that it cannot change with NumPy's generators.
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "course_lib" / "_arrays" / "digits.npz"
SEED = 20260
FORM_STARTS = (0, 1029, 1415)  # where `course_lib.data` cuts its split by writers


def main() -> None:
    source = load_digits()
    pixels, labels = source.data.astype(np.uint8), source.target.astype(np.uint8)
    if not np.array_equal(pixels, source.data):
        raise SystemExit("pixels are no longer whole numbers; the source has changed")
    # Every form asks for the same digits in the same order, so its labels begin like those of the first.
    for start in FORM_STARTS:
        if not np.array_equal(labels[start : start + 30], labels[:30]):
            raise SystemExit(f"no form begins at image {start}; the source has changed its order")
    order = np.random.default_rng(SEED).permutation(len(labels)).astype(np.uint16)
    np.savez_compressed(TARGET, pixels=pixels, labels=labels, random_order=order)
    print(f"{TARGET.relative_to(ROOT)}: {TARGET.stat().st_size:,} bytes, {len(labels):,} images")


if __name__ == "__main__":
    main()
