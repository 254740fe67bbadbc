"""The examples in docstrings are true."""

import doctest
from importlib import import_module

import numpy as np
import pytest

from course_lib.network import MLP

MODULES = ["parameters", "network", "gradcheck", "sweep"]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name):
    module = import_module(f"course_lib.{name}")
    result = doctest.testmod(module, extraglobs={"np": np, "MLP": MLP})
    assert result.attempted > 0
    assert result.failed == 0
