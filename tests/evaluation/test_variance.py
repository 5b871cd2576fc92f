"""Components of variance against models whose components are known."""

from collections.abc import Sequence
from itertools import combinations, permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.evaluation.exact import best_of_n
from multirm.evaluation.variance import (
    Budget,
    CritiqueVariance,
    budget,
    extrapolated,
    halves,
    seed_variance,
    variance_from_halves,
)

COMPONENTS = ("total", "questions", "solutions", "critiques", "seeds")


def halved_means(values: np.ndarray, order: np.ndarray) -> np.ndarray:
    """The variance of each question's mean of `values` [questions, size], over the halves in `order`.

    Args:
        order: int [splits, questions, size].
    """
    half = values.shape[1] // 2
    shuffled = np.take_along_axis(values[None], order, axis=-1)
    a, b = shuffled[..., :half].mean(-1), shuffled[..., half : 2 * half].mean(-1)
    return variance_from_halves(values.mean(axis=1), a, b)


def many_halves(questions: int, size: int, seed: int = 0) -> np.ndarray:
    """int [20, questions, size]."""
    return halves([str(question) for question in range(questions)], size, seed, 20)


@pytest.mark.parametrize("size", [2, 3, 4, 5, 6])
def test_over_all_halves_a_mean_has_the_variance_of_a_mean(size: int) -> None:
    values = np.random.default_rng(size).random((4, size))
    order = np.array(list(permutations(range(size))))[:, None].repeat(4, axis=1)
    expected = values.var(axis=1, ddof=1) / size
    np.testing.assert_allclose(halved_means(values, order), expected)


@pytest.mark.parametrize(("size", "n"), [(4, 1), (4, 2), (5, 2), (6, 2), (6, 3), (7, 3)])
def test_for_best_of_n_it_is_unbiased_for_every_n_up_to_half(size: int, n: int) -> None:
    """Over all pools of solutions of which three in five are correct, weighted by their probability."""
    pools = np.array(list(product([False, True], repeat=size)))
    weights = 0.6 ** pools.sum(axis=1) * 0.4 ** (~pools).sum(axis=1)
    firsts = list(combinations(range(size), size // 2))
    splits = [
        (first, second) for first in firsts for second in firsts if not set(first) & set(second)
    ]

    def right(places: Sequence[int]) -> np.ndarray:
        """Later solutions have greater rewards."""
        rewards = np.tile(np.array(places, dtype=float), (len(pools), 1))
        return best_of_n(pools[:, places], rewards, [n])[0]

    whole = right(range(size))
    a, b = (np.stack([right(split[k]) for split in splits]) for k in (0, 1))
    estimates = variance_from_halves(whole, a, b)
    variance = weights @ whole**2 - (weights @ whole) ** 2
    assert weights @ estimates == pytest.approx(variance, abs=1e-12)


@given(size=st.integers(1, 20), seed=st.integers(0, 1000))
def test_halves_are_orders_of_the_pool(size: int, seed: int) -> None:
    found = halves(["q1", "ü/2"], size, seed, 3)
    assert found.shape == (3, 2, size)
    assert (np.sort(found, axis=-1) == np.arange(size)).all()


def test_a_questions_halves_do_not_depend_on_other_questions() -> None:
    together = halves(["a", "b", "c"], 8, 42, 2)
    np.testing.assert_array_equal(halves(["b"], 8, 42, 2)[:, 0], together[:, 1])
    np.testing.assert_array_equal(halves(["c", "a"], 8, 42, 2), together[:, [2, 0]])
    assert not np.array_equal(together[:, 0], together[:, 1])
    assert not np.array_equal(together[0], together[1])
    assert not np.array_equal(halves(["a"], 8, 43, 2)[:, 0], together[:, 0])


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
    """Averages of normal effects of questions (1), solutions (2) and critiques (4): halved pools include both."""
    generator = np.random.default_rng(0)
    n, size, critiques = 3000, 6, 4
    effects = (
        generator.normal(0, 1, (n, 1, 1))
        + generator.normal(0, 2**0.5, (n, size, 1))
        + generator.normal(0, 2, (n, size, critiques))
    )
    of_critiques = effects.mean(axis=1)
    pairs = of_critiques.reshape(n, 2, 2).mean(axis=2)
    fewer = CritiqueVariance(
        pairs.var(axis=1, ddof=1)[:, None], of_critiques.var(axis=1, ddof=1)[:, None]
    )
    found = budget(
        {"law": effects.mean(axis=(1, 2))[:, None]},
        {"law": halved_means(effects.mean(axis=2), many_halves(n, size))[:, None]},
        {"law": fewer},
        np.array([critiques]),
    )
    np.testing.assert_allclose(found.questions * n, 1, rtol=0.06)
    np.testing.assert_allclose(found.solutions * n, 2 / size, rtol=0.06)
    np.testing.assert_allclose(found.critiques * n, 4 / size / critiques, rtol=0.06)
    np.testing.assert_allclose(found.total, found.questions + found.solutions + found.critiques)


def test_the_variance_of_simulation_is_subtracted() -> None:
    """A statistic with noise of one tenth to three times its own standard deviation."""
    generator = np.random.default_rng(1)
    n, size = 20_000, 8
    p = generator.beta(2, 2, n)
    correct = (generator.random((n, size)) < p[:, None]).astype(float)
    values = [correct.mean(axis=1), correct[:, :4].mean(axis=1), correct[:, 4:].mean(axis=1)]
    true = variance_from_halves(values[0], values[1][None], values[2][None]).mean()
    for deviation in (0.02, 0.2, 0.6):
        whole, a, b = (value + generator.normal(0, deviation, n) for value in values)
        noise = np.full(n, deviation**2)
        found = variance_from_halves(whole, a[None], b[None], noise).mean()
        assert found == pytest.approx(true, abs=8 * deviation**2 / n**0.5 + 2e-4)
        assert found > variance_from_halves(whole, a[None], b[None]).mean() + deviation**2 / 3


def test_the_variance_with_all_critiques_is_on_a_line() -> None:
    counts = np.array([4, 8, 10, 16, 3, 2, 1])
    for offset in (0.0, 3.0):
        half, quarter = (1 / (np.maximum(counts // part, 1) + offset) for part in (2, 4))
        found = extrapolated(half, quarter, counts)
        np.testing.assert_allclose(found[:4], 1 / (counts[:4] + offset))
        assert np.isnan(found[4:]).all()


def test_a_variance_that_falls_too_fast_or_rises_is_bounded() -> None:
    m = np.array([8, 8, 8, 8])
    found = extrapolated(np.array([1.0, 1, 0, 1]), np.array([9.0, 0.5, 0, 0]), m)
    np.testing.assert_allclose(found, [0.5, 1, 0, 0.5])


def test_the_extrapolated_variance_is_that_of_other_critiques() -> None:
    """Best-of-8 by the mean of 8 critiques, against other critiques of the same solutions: halving is too low."""
    generator = np.random.default_rng(2)
    questions, size = 3000, 16
    easy = generator.beta(1.5, 2, (questions, 1))
    correct = generator.random((questions, size)) < easy
    quality = 0.2 * correct + 0.1 * generator.normal(size=(questions, size))

    def choices(m: int, times: int) -> np.ndarray:
        noise = 0.4 * generator.normal(size=(times, questions, size)) / m**0.5
        return np.stack([best_of_n(correct, quality + own, [8])[0] for own in noise])

    variances = {
        m: choices(m, times).var(axis=0, ddof=1).mean() for m, times in ((8, 6), (4, 2), (2, 4))
    }
    found = extrapolated(np.array([variances[4]]), np.array([variances[2]]), np.array([8]))
    assert found[0] == pytest.approx(variances[8], rel=0.12)
    assert variances[4] / 2 < 0.8 * variances[8]


def test_the_macro_average_weights_categories_equally() -> None:
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


def test_only_unknown_components_are_missing() -> None:
    values, known, unknown = np.array([[0.0], [1.0]]), np.full((2, 1), 0.1), np.full((2, 1), np.nan)
    seeds, four = np.array([0.01]), np.array([4])
    fewer = CritiqueVariance(known, known)
    assert missing(budget({"a": values}, {"a": known}, {"a": fewer}, four, seeds)) == []
    assert missing(budget({"a": values}, {"a": known})) == ["critiques", "seeds"]
    few = budget({"a": values}, {"a": known}, {"a": fewer}, np.array([3]), seeds)
    assert missing(few) == ["critiques"]
    beyond_half = budget({"a": values}, {"a": unknown}, {"a": fewer}, four, seeds)
    assert missing(beyond_half) == ["questions", "solutions"]
    one = CritiqueVariance(known[:1], known[:1])
    one_question = budget({"a": values[:1]}, {"a": known[:1]}, {"a": one}, four, seeds)
    assert missing(one_question) == ["total", "questions"]
    beside_another = {"a": values[:1], "b": values}
    assert missing(budget(beside_another, beside_another)) == [
        "total",
        "questions",
        *COMPONENTS[3:],
    ]


def test_with_one_critique_its_variance_counts_as_the_solutions() -> None:
    values, pools = np.array([[0.0], [1.0]]), np.full((2, 1), 0.2)
    four = np.array([4])
    unknown, known = (
        CritiqueVariance(np.full((2, 1), half), np.full((2, 1), 2 * half)) for half in (np.nan, 0.1)
    )
    one = budget({"a": values}, {"a": pools}, {"a": unknown}, four)
    several = budget({"a": values}, {"a": pools}, {"a": known}, four)
    np.testing.assert_allclose([one.solutions, several.solutions], [[0.1], [0.075]])
    np.testing.assert_allclose(one.questions, several.questions)


def test_negative_components_are_kept() -> None:
    found = budget({"a": np.array([[0.5], [0.5]])}, {"a": np.full((2, 1), 0.02)})
    np.testing.assert_allclose([found.total, found.questions], [[0], [-0.01]])


def test_seeds() -> None:
    found = seed_variance(np.array([[0.5, 0.6], [0.7, 0.6], [0.6, 0.6]]))
    np.testing.assert_allclose(found, [0.01 / 3, 0], atol=1e-15)
    assert np.isnan(seed_variance(np.array([[0.5, 0.6]]))).all()
