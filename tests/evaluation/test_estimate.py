"""The closed form of pass@N against all subpools, and where overflow would show."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.evaluation.estimate import Estimate, macro_average, pass_at_n


@given(correct=st.lists(st.booleans(), min_size=1, max_size=8), n=st.integers(1, 10))
def test_pass_at_n_is_the_share_of_subpools_with_a_correct_solution(
    correct: list[bool], n: int
) -> None:
    subpools = list(combinations(correct, min(n, len(correct))))
    found = pass_at_n(np.array([sum(correct)]), len(correct), n)[0]
    assert found == pytest.approx(np.mean([any(subpool) for subpool in subpools]))


def test_pass_at_n_of_large_pools() -> None:
    found = pass_at_n(np.array([0, 1, 1024]), 1024, 512)
    assert found.tolist() == pytest.approx([0, 0.5, 1])


def test_macro_average_is_exact_only_where_every_category_is() -> None:
    known = Estimate(np.array([10.0, 30.0]), 20.0)
    sampled = Estimate(np.array([50.0, 50.0]), None)
    assert macro_average([known, sampled]).exact is None
    assert macro_average([known, known]).exact == 20.0
    assert macro_average([known, sampled]).per_run.tolist() == [30.0, 40.0]
