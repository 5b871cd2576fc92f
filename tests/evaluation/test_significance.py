"""Sign-flip tests against all signs of a few questions, their error rates without differences, and Holm by hand."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.evaluation import significance
from multirm.evaluation.significance import holm, p_values
from multirm.tables.accuracy import OVERALL


def all_signs(*categories: np.ndarray) -> float:
    """The fraction of all sign combinations with a macro-average at least as far from 0 as the observed one."""
    sizes = [len(own) for own in categories]
    ends = np.cumsum(sizes)
    weights = np.concatenate(
        [own / n / len(sizes) for own, n in zip(categories, sizes, strict=True)]
    )
    signs = np.array(list(product([-1, 1], repeat=int(ends[-1]))))
    return float(np.mean(np.abs(signs @ weights) >= abs(weights.sum()) - 1e-12))


@pytest.mark.parametrize("sizes", [(1,), (2,), (5,), (3, 4), (1, 8)])
def test_agrees_with_all_signs(sizes: tuple[int, ...]) -> None:
    generator = np.random.default_rng(sum(sizes))
    # Twentieths, so that sums tie, and some zeros.
    own = [generator.integers(-6, 15, (n, 8)) / 20 for n in sizes]
    found = p_values({str(k): part for k, part in enumerate(own)}, 42)
    for column in range(8):
        for name, parts in [(OVERALL, own), *((str(k), [part]) for k, part in enumerate(own))]:
            expected = all_signs(*[part[:, column] for part in parts])
            assert found[name][column] == pytest.approx(expected, abs=0.016)


def test_without_differences_p_is_uniform() -> None:
    """Over all 4,096 signs of 12 questions, each p is as frequent as its value, and never too small."""
    size = np.random.default_rng(0).random(12)
    signs = np.array(list(product([-1, 1], repeat=12))).T
    p = p_values({"law": size[:, None] * signs}, 1, flips=4000)["law"]
    for level in (0.01, 0.05, 0.2, 0.5, 0.8):
        assert np.mean(p <= level) == pytest.approx(level, abs=0.012)


def test_equal_methods_do_not_differ() -> None:
    """Also if rounding errors are always to one side."""
    differences = np.array([[0.0, 1e-14], [0.0, 1e-14], [0.0, 1e-14]])
    assert p_values({"law": differences}, 0)["law"].tolist() == [1, 1]


def test_a_difference_on_every_question_has_the_smallest_p() -> None:
    p = p_values({"law": np.full((60, 1), 0.2), "math": np.full((2, 1), 0.2)}, 0)
    assert p["law"] == p[OVERALL] == 1 / (significance.FLIPS + 1)
    assert p["math"][0] == pytest.approx(0.5, abs=0.02)


def test_signs_of_a_category_do_not_depend_on_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    generator = np.random.default_rng(2)
    law, math = generator.normal(0.1, 0.3, (2, 30, 3))
    together = p_values({"law": law, "math": math}, 42)
    alone = p_values({"law": law[:, [2, 0]]}, 42)
    np.testing.assert_array_equal(alone["law"], together["law"][[2, 0]])
    np.testing.assert_array_equal(alone[OVERALL], alone["law"])
    swapped = p_values({"math": math, "law": law}, 42)
    np.testing.assert_allclose(swapped[OVERALL], together[OVERALL])
    assert not np.array_equal(p_values({"law": law}, 43)["law"], together["law"])
    monkeypatch.setattr(significance, "SIGNS_AT_ONCE", 64)
    assert p_values({"law": law}, 42)["law"].shape == (3,)


def test_signs_are_balanced_and_independent() -> None:
    (signs,) = significance._signs(20_000, 13, np.random.default_rng(0))
    assert set(np.unique(signs)) == {-1, 1}
    np.testing.assert_allclose(signs.T @ signs / 20_000, np.eye(13), atol=0.04)
    np.testing.assert_allclose(signs.mean(axis=0), 0, atol=0.04)


def test_variance_over_seeds_increases_p() -> None:
    differences = np.full((40, 3), 0.05)
    errors = np.array([0.0, 0.02, 0.05])
    p = p_values({"law": differences}, 0, {"law": errors, OVERALL: errors}, 3)
    assert p["law"].tolist() == p[OVERALL].tolist()
    # The error over questions is negligible beside that over seeds: Student's with 3 degrees of freedom.
    np.testing.assert_allclose(p["law"][1:], [0.088, 0.391], atol=0.03)
    assert p["law"][0] < 0.001


def test_only_missing_columns_stay_missing() -> None:
    differences = np.random.default_rng(0).normal(size=(8, 3)) / 4
    differences[3, 1] = np.nan
    p = p_values({"law": differences, "math": np.zeros((2, 3))}, 0)
    for name in ("law", OVERALL):
        assert np.isnan(p[name]).tolist() == [False, True, False]


def test_no_pairs_no_tests() -> None:
    assert p_values({"law": np.zeros((5, 0))}, 0)["law"].shape == (0,)
    assert holm(np.array([])).shape == (0,)


def test_holm_by_hand() -> None:
    """0.005 × 4, 0.01 × 3, 0.03 × 2, and 0.04 × 1, which is raised to the one before."""
    found = holm(np.array([0.01, 0.04, 0.03, 0.005]))
    np.testing.assert_allclose(found, [0.03, 0.06, 0.06, 0.02])


def test_holm_leaves_out_missing_p_values() -> None:
    found = holm(np.array([np.nan, 0.02, 0.6, np.nan, 0.7]))
    np.testing.assert_allclose(found, [np.nan, 0.06, 1, np.nan, 1])


@given(st.lists(st.floats(0, 1), max_size=20))
def test_holm_only_increases_keeps_the_order_and_stays_a_probability(values: list[float]) -> None:
    p = np.array(values)
    adjusted = holm(p)
    assert (adjusted >= p).all()
    assert (adjusted <= 1).all()
    assert (np.diff(adjusted[np.argsort(p)]) >= 0).all()


def test_one_family_rarely_has_a_false_positive() -> None:
    """Twelve equal models, 20 questions: a few of 150 studies have any p_holm below 0.05, but not a quarter."""
    generator = np.random.default_rng(5)
    pairs = [(i, j) for i in range(12) for j in range(i)]
    false = 0
    for study in range(150):
        values = (generator.random((20, 12)) < 0.6).astype(float)
        differences = np.stack([values[:, i] - values[:, j] for i, j in pairs], axis=1)
        p = p_values({"law": differences}, study, flips=2000)["law"]
        false += bool((holm(p) <= 0.05).any())
    assert false / 150 < 0.1
