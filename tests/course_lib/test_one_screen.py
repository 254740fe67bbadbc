"""The rules that lessons show are read at one glance: class, docstring and all."""

import inspect

import pytest

from course_lib.modern_optimizers import Lion, Muon, ScheduleFreeSGD
from course_lib.optimizers import SGD, Adagrad, Adam, AdamW, NAdam, RMSprop


@pytest.mark.parametrize("rule", [SGD, Adagrad, RMSprop, Adam, AdamW, NAdam, Lion, Muon, ScheduleFreeSGD])
def test_a_rule_fits_on_one_screen(rule):
    assert len(inspect.getsource(rule).splitlines()) <= 70


@pytest.mark.parametrize("rule", [SGD, RMSprop, Adam, AdamW])
def test_the_rules_of_the_core_lessons_fit_on_a_small_one(rule):
    assert len(inspect.getsource(rule).splitlines()) <= 60
