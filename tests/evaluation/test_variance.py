"""The variance budget against models whose components are known."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.evaluation.variance import Budget, budget, halved_variance, halves, seed_variance

COMPONENTS = ("total", "questions", "solutions", "critiques", "seeds")


def halved_means(values: np.ndarray, order: np.ndarray) -> np.ndarray:
    """The variance of each question's mean of `values` [questions, size], over the halves in `order`.

    Args:
        order: int [questions, splits, size].
    """
    size = values.shape[1]
    shuffled = np.take_along_axis(values[:, None, :], order, axis=-1)
    half = size // 2
    a, b = shuffled[..., :half].mean(-1), shuffled[..., half : 2 * half].mean(-1)
    return halved_variance(a, b, size).mean(axis=1)


def many_halves(questions: int, size: int, seed: int = 0) -> np.ndarray:
    """int [questions, 20, size]."""
    ids = [str(question) for question in range(questions)]
    return np.stack([halves(ids, size, 100 * seed + k) for k in range(20)], axis=1)


@pytest.mark.parametrize("size", [2, 3, 4, 5, 6])
def test_over_all_halves_a_mean_has_the_variance_of_a_mean(size: int) -> None:
    values = np.random.default_rng(size).random((4, size))
    order = np.array(list(permutations(range(size))))[None].repeat(4, axis=0)
    expected = values.var(axis=1, ddof=1) / size
    np.testing.assert_allclose(halved_means(values, order), expected)


@given(size=st.integers(1, 20), seed=st.integers(0, 1000))
def test_halves_are_orders_of_the_pool(size: int, seed: int) -> None:
    found = halves(["q1", "ü/2"], size, seed)
    assert found.shape == (2, size)
    assert (np.sort(found, axis=-1) == np.arange(size)).all()


def test_a_question_is_halved_the_same_whatever_stands_beside_it() -> None:
    together = halves(["a", "b", "c"], 8, 42)
    np.testing.assert_array_equal(halves(["b"], 8, 42)[0], together[1])
    np.testing.assert_array_equal(halves(["c", "a"], 8, 42), together[[2, 0]])
    assert not np.array_equal(together[0], together[1])
    assert not np.array_equal(halves(["a"], 8, 43)[0], together[0])


def test_components_of_questions_and_solutions() -> None:
    """p ~ Beta(2, 2) per question, Bernoulli(p) per solution: Var(p) = 1/20, E p(1-p) = 1/5."""
    generator = np.random.default_rng(0)
    n, size = 4000, 8
    p = generator.beta(2, 2, n)
    correct = (generator.random((n, size)) < p[:, None]).astype(float)
    order = many_halves(n, size)
    found = budget(
        {"law": correct.mean(axis=1, keepdims=True)},
        {"law": halved_means(correct, order)[:, None]},
    )
    np.testing.assert_allclose(found.questions * n, 1 / 20, rtol=0.06)
    np.testing.assert_allclose(found.solutions * n, 1 / 5 / size, rtol=0.06)
    np.testing.assert_allclose(found.total, found.questions + found.solutions)
    assert np.isnan(found.critiques).all()
    assert np.isnan(found.seeds).all()


def test_components_with_critiques() -> None:
    """Normal effects of questions (1), solutions (2) and critiques (4), averaged: halved pools hold both."""
    generator = np.random.default_rng(0)
    n, size, critiques = 3000, 6, 4
    effects = (
        generator.normal(0, 1, (n, 1, 1))
        + generator.normal(0, 2**0.5, (n, size, 1))
        + generator.normal(0, 2, (n, size, critiques))
    )
    found = budget(
        {"law": effects.mean(axis=(1, 2))[:, None]},
        {"law": halved_means(effects.mean(axis=2), many_halves(n, size))[:, None]},
        {"law": halved_means(effects.mean(axis=1), many_halves(n, critiques, 1))[:, None]},
    )
    np.testing.assert_allclose(found.questions * n, 1, rtol=0.06)
    np.testing.assert_allclose(found.solutions * n, 2 / size, rtol=0.06)
    np.testing.assert_allclose(found.critiques * n, 4 / size / critiques, rtol=0.06)
    np.testing.assert_allclose(found.total, found.questions + found.solutions + found.critiques)


def test_what_simulation_adds_is_subtracted() -> None:
    """A statistic that is known only up to noise, of one tenth of its own deviation to three times it."""
    generator = np.random.default_rng(1)
    n, size = 20_000, 8
    p = generator.beta(2, 2, n)
    correct = (generator.random((n, size)) < p[:, None]).astype(float)
    a, b = correct[:, :4].mean(axis=1), correct[:, 4:].mean(axis=1)
    true = halved_variance(a, b, size).mean()
    for deviation in (0.02, 0.2, 0.6):
        noisy = [half + generator.normal(0, deviation, n) for half in (a, b)]
        found = halved_variance(noisy[0], noisy[1], size, np.full(n, 2 * deviation**2)).mean()
        assert found == pytest.approx(true, abs=4 * deviation**2 / n**0.5 + 2e-4)
        assert found < halved_variance(noisy[0], noisy[1], size).mean() - deviation**2 / 3


def test_halving_errs_upwards_for_larger_n() -> None:
    """pass@2 of 4 solutions, right with p = 1/2: the variance of halves of two, halved, is over the true."""
    correct = np.random.default_rng(0).random((20_000, 4)) < 0.5
    pairs = [(i, j) for i in range(4) for j in range(i)]
    whole = np.mean([correct[:, i] | correct[:, j] for i, j in pairs], axis=0)
    a, b = correct[:, :2].any(axis=1), correct[:, 2:].any(axis=1)
    found = halved_variance(a[:, None].astype(float), b[:, None].astype(float), 4).mean()
    assert whole.var() < found < 1.5 * whole.var()


def test_the_macro_average_weighs_categories_the_same() -> None:
    generator = np.random.default_rng(0)
    values = {"law": generator.random((5, 3)), "math": generator.random((50, 3))}
    pools = {name: part / 100 for name, part in values.items()}
    found = budget(values, pools)
    apart = [budget({name: values[name]}, {name: pools[name]}) for name in values]
    for component in ("total", "questions", "solutions"):
        expected = sum(getattr(part, component) for part in apart) / 4
        np.testing.assert_allclose(getattr(found, component), expected)
    np.testing.assert_allclose(apart[0].total, values["law"].var(axis=0, ddof=1) / 5)


def missing(found: Budget) -> list[str]:
    return [component for component in COMPONENTS if np.isnan(getattr(found, component)).all()]


def test_what_cannot_be_told_is_missing_and_the_rest_is_not() -> None:
    values, known, unknown = np.array([[0.0], [1.0]]), np.full((2, 1), 0.1), np.full((2, 1), np.nan)
    seeds = np.array([0.01])
    assert missing(budget({"a": values}, {"a": known}, {"a": known}, seeds)) == []
    assert missing(budget({"a": values}, {"a": known})) == ["critiques", "seeds"]
    beyond_half = budget({"a": values}, {"a": unknown}, {"a": known}, seeds)
    assert missing(beyond_half) == ["questions", "solutions"]
    one_question = budget({"a": values[:1]}, {"a": known[:1]}, {"a": known[:1]}, seeds)
    assert missing(one_question) == ["total", "questions"]
    beside_another = {"a": values[:1], "b": values}
    assert missing(budget(beside_another, beside_another)) == [
        "total",
        "questions",
        *COMPONENTS[3:],
    ]


def test_one_critique_leaves_its_share_with_the_solutions() -> None:
    values, pools = np.array([[0.0], [1.0]]), np.full((2, 1), 0.2)
    one = budget({"a": values}, {"a": pools}, {"a": np.full((2, 1), np.nan)})
    several = budget({"a": values}, {"a": pools}, {"a": np.full((2, 1), 0.05)})
    np.testing.assert_allclose([one.solutions, several.solutions], [[0.1], [0.075]])
    np.testing.assert_allclose(one.questions, several.questions)


def test_components_below_zero_are_kept() -> None:
    found = budget({"a": np.array([[0.5], [0.5]])}, {"a": np.full((2, 1), 0.02)})
    np.testing.assert_allclose([found.total, found.questions], [[0], [-0.01]])


def test_seeds() -> None:
    found = seed_variance(np.array([[0.5, 0.6], [0.7, 0.6], [0.6, 0.6]]))
    np.testing.assert_allclose(found, [0.01 / 3, 0], atol=1e-15)
    assert np.isnan(seed_variance(np.array([[0.5, 0.6]]))).all()
