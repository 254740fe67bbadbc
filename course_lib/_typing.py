"""Array types, named once."""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]
"""Real numbers: float32 or float64."""

IntArray = npt.NDArray[np.integer[Any]]
"""Whole numbers: labels and indices."""
