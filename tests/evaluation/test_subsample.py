"""Subpools against numpy's legacy generator, called as the published evaluation calls it."""

import hashlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from multirm.evaluation.subsample import orders


@given(size=st.integers(1, 20), n=st.integers(1, 20), seed=st.integers(0, 1000))
def test_the_first_n_are_numpys_choice(size: int, n: int, seed: int) -> None:
    found = orders(["q1", "ü/2"], size, 3, seed)
    for question, question_id in enumerate(["q1", "ü/2"]):
        for run in range(3):
            digest = hashlib.md5(f"{seed}_{run}_{question_id}".encode()).hexdigest()
            generator = np.random.RandomState(int(digest[:8], 16))
            if n < size:
                expected = generator.choice(size, n, replace=False)
                np.testing.assert_array_equal(found[question, run, :n], expected)


def test_a_question_draws_the_same_whatever_stands_beside_it() -> None:
    together = orders(["a", "b", "c"], 8, 5, 42)
    np.testing.assert_array_equal(orders(["b"], 8, 5, 42)[0], together[1])
    np.testing.assert_array_equal(orders(["c", "a"], 8, 2, 42), together[[2, 0], :2])
