"""Expectations over subsets against plain loops over all of them, and for pools too large for loops."""

import itertools
import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.evaluation.exact import best_of_n, majority_vote, pass_at_n
from multirm.evaluation.weighted_vote import weighted_vote

# Few distinct values, so that ties are common; sums of tenths tie exactly, but not in floating point.
REWARDS = st.sampled_from([math.nan, 0.0, 0.1, 0.2, 0.3, 0.7, -0.1])

Pool = tuple[np.ndarray, np.ndarray, np.ndarray]


@st.composite
def pools(draw: st.DrawFn) -> Pool:
    """Answers, correctness and rewards of 1-4 pools of 1-7; an even answer may also be correct."""
    shape = (draw(st.integers(1, 4)), draw(st.integers(1, 7)))
    count = math.prod(shape)
    answers = draw(st.lists(st.integers(-1, 3), min_size=count, max_size=count))
    rewards = draw(st.lists(REWARDS, min_size=count, max_size=count))
    codes = np.array(answers).reshape(shape)
    right = draw(st.sampled_from([[1], [0, 2], [5], [0, 1, 2, 3]]))
    return codes, np.isin(codes, right), np.array(rewards).reshape(shape)


def random_pools(questions: int, pool: int, seed: int, codes: int = 5) -> Pool:
    """Pools with unanswered solutions, missing rewards, and informative rewards."""
    generator = np.random.default_rng(seed)
    answers = generator.integers(-1, codes, size=(questions, pool))
    correct = answers == generator.integers(0, codes, size=(questions, 1))
    rewards = generator.uniform(size=answers.shape) * np.where(correct, 1.0, 0.7)
    rewards[generator.uniform(size=answers.shape) < 0.1] = np.nan
    return answers, correct, np.round(rewards, 2)


def over_subsets(
    outcome: Callable[[list[int], list[bool], list[float]], float], pool: Pool
) -> np.ndarray:
    """The mean of `outcome` over all subsets of each size: [K, Q]."""
    size = pool[0].shape[1]
    means = []
    for n in range(1, size + 1):
        means.append([])
        for answers, correct, rewards in zip(*(part.tolist() for part in pool), strict=True):
            outcomes = [
                outcome([answers[i] for i in s], [correct[i] for i in s], [rewards[i] for i in s])
                for s in itertools.combinations(range(size), n)
            ]
            means[-1].append(sum(outcomes) / len(outcomes))
    return np.array(means)


def plain_pass(answers: list[int], correct: list[bool], rewards: list[float]) -> float:
    return float(any(correct))


def plain_best(answers: list[int], correct: list[bool], rewards: list[float]) -> float:
    present = [r for r in rewards if not math.isnan(r)]
    taken = [
        right
        for right, reward in zip(correct, rewards, strict=True)
        if not present or reward == max(present)
    ]
    return sum(taken) / len(taken)


def plain_vote(answers: list[int], correct: list[bool], votes: list[tuple[int, Fraction]]) -> float:
    totals: dict[int, Fraction] = {}
    for answer, weight in votes:
        totals[answer] = totals.get(answer, Fraction(0)) + weight
    winners = [answer for answer, total in totals.items() if total == max(totals.values())]
    right = {answer for answer, is_right in zip(answers, correct, strict=True) if is_right}
    return sum(answer in right for answer in winners) / len(winners) if winners else 0.0


def plain_majority(answers: list[int], correct: list[bool], rewards: list[float]) -> float:
    return plain_vote(
        answers, correct, [(answer, Fraction(1)) for answer in answers if answer >= 0]
    )


def plain_weighted(answers: list[int], correct: list[bool], rewards: list[float]) -> float:
    votes = [
        (answer, Fraction(str(reward)))
        for answer, reward in zip(answers, rewards, strict=True)
        if answer >= 0 and not math.isnan(reward)
    ]
    return (
        plain_vote(answers, correct, votes) if votes else plain_majority(answers, correct, rewards)
    )


def ids(questions: int) -> list[str]:
    return [f"q{k}" for k in range(questions)]


@given(pools())
def test_expectations_agree_with_plain_loops_over_all_subsets(pool: Pool) -> None:
    answers, correct, rewards = pool
    n = range(1, answers.shape[1] + 1)
    voted, error = weighted_vote(answers, correct, rewards, n, ids(len(answers)), 0, 2)
    assert not error.any()
    found = {
        plain_pass: pass_at_n(correct, n),
        plain_best: best_of_n(correct, rewards, n),
        plain_majority: majority_vote(answers, correct, n),
        plain_weighted: voted,
    }
    for outcome, values in found.items():
        assert values.min() >= 0 and values.max() <= 1
        np.testing.assert_allclose(values, over_subsets(outcome, pool), rtol=0, atol=1e-13)


def test_sizes_may_be_unsorted_and_repeated() -> None:
    answers, correct, rewards = random_pools(6, 9, seed=1)
    n = [5, 1, 9, 5, 3]
    once = [1, 3, 5, 9]
    rows = [once.index(size) for size in n]

    def simulated(sizes: list[int]) -> np.ndarray:
        return np.stack(weighted_vote(answers, correct, rewards, sizes, ids(6), 0, 50, 0), axis=1)

    np.testing.assert_array_equal(pass_at_n(correct, n), pass_at_n(correct, once)[rows])
    np.testing.assert_allclose(
        best_of_n(correct, rewards, n), best_of_n(correct, rewards, once)[rows], rtol=1e-14
    )
    np.testing.assert_array_equal(
        majority_vote(answers, correct, n), majority_vote(answers, correct, once)[rows]
    )
    np.testing.assert_allclose(simulated(n), simulated(once)[rows], rtol=1e-12)


@pytest.mark.parametrize(
    ("answers", "n_correct", "expected"),
    [
        pytest.param([-1, -1, -1, -1], 0, 0.0, id="unanswered"),
        pytest.param([0, 0, 0, 0], 4, 1.0, id="all correct"),
        pytest.param([0, 1, 0, 2], 0, 0.0, id="none correct"),
        pytest.param([0, 0, 1, 1], 2, 0.5, id="a tie"),
    ],
)
def test_a_pool_that_leaves_no_choice(answers: list[int], n_correct: int, expected: float) -> None:
    codes = np.array([answers])
    correct = np.arange(4)[None] < n_correct
    for rewards in (np.zeros((1, 4)), np.full((1, 4), np.nan), np.full((1, 4), 0.3)):
        voted, error = weighted_vote(codes, correct, rewards, [1, 2, 3, 4], ["q"], 0, 4, 0)
        found = [
            best_of_n(correct, rewards, [1, 2, 3, 4]),
            majority_vote(codes, correct, [1, 2, 4]),
        ]
        for values in [*found, voted[[0, 1, 3]]]:
            np.testing.assert_allclose(values, expected, rtol=0, atol=1e-15)
        assert abs(voted[2, 0] - expected) <= 5 * error[2, 0]


def test_no_questions() -> None:
    answers, correct, rewards = random_pools(0, 8, seed=0)
    voted, error = weighted_vote(answers, correct, rewards, [1, 4, 5], [], 0, 10, 0)
    assert voted.shape == error.shape == (3, 0)
    assert majority_vote(answers, correct, [1, 4, 5]).shape == (3, 0)
    assert best_of_n(correct, rewards, [1, 4, 5]).shape == (3, 0)
    assert pass_at_n(correct, [1, 4, 5]).shape == (3, 0)


LARGE = 1024
SIZES = [1, 2, 3, 10, 100, 511, 512, 513, 1000, 1023, 1024]


def test_pass_in_a_large_pool_is_the_quotient_of_binomials() -> None:
    n_correct = [0, 1, 2, 30, 512, 1000, 1023, 1024]
    correct = np.arange(LARGE) < np.array(n_correct)[:, None]
    expected = [
        [float(1 - Fraction(math.comb(LARGE - c, n), math.comb(LARGE, n))) for c in n_correct]
        for n in SIZES
    ]
    found = pass_at_n(correct, SIZES)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert (np.diff(found, axis=0) >= -1e-15).all()
    assert (found[:, -1] == 1).all() and found.max() == 1


def test_best_in_a_large_pool() -> None:
    generator = np.random.default_rng(0)
    correct = generator.uniform(size=(3, LARGE)) < 0.2
    rewards = generator.integers(0, 40, size=(3, LARGE)) / 39
    rewards[:, :100] = np.nan
    found = best_of_n(correct, rewards, SIZES)
    np.testing.assert_allclose(found[0], correct.mean(axis=1), rtol=1e-12)
    top = rewards == 1.0
    np.testing.assert_allclose(found[-1], (correct & top).sum(axis=1) / top.sum(axis=1), rtol=1e-12)
    # It is correct whenever possible, or incorrect whenever possible.
    np.testing.assert_allclose(
        best_of_n(correct, correct.astype(float), SIZES), pass_at_n(correct, SIZES), rtol=1e-12
    )
    np.testing.assert_allclose(
        best_of_n(correct, -correct.astype(float), SIZES),
        1 - pass_at_n(~correct, SIZES),
        rtol=0,
        atol=1e-12,
    )


@pytest.mark.parametrize(
    "shares",
    [
        pytest.param([0.5, 0.3, 0.2], id="a clear majority"),
        pytest.param([0.25, 0.25, 0.25, 0.25], id="a tie"),
        pytest.param([0.5] + [1 / 1024] * 512, id="many answers given once"),
        pytest.param([1 / 256] * 256, id="many answers given four times"),
    ],
)
def test_in_a_large_pool_one_of_the_answers_wins(shares: list[float]) -> None:
    counts = np.floor(np.array(shares) * (LARGE - 24)).astype(int)
    answers = np.full((len(counts), LARGE), -1)
    answers[:, : counts.sum()] = np.repeat(np.arange(len(counts)), counts)
    # Answers with equal counts have equal probabilities, so one of each is enough.
    _, first, times = np.unique(counts, return_index=True, return_counts=True)
    correct = answers[first] == first[:, None]
    n = [1, 2, 10, 100, 512, 1000, 1024]
    found = majority_vote(answers[first], correct, n)
    assert found.min() >= 0 and found.max() <= 1
    np.testing.assert_allclose(found[0], counts[first] / LARGE, rtol=1e-12)
    winners = counts == counts.max()
    np.testing.assert_allclose(found[-1], winners[first] / winners.sum(), rtol=1e-12, atol=1e-15)
    any_answer = pass_at_n(answers[:1] >= 0, n)[:, 0]
    np.testing.assert_allclose(found @ times, any_answer, rtol=1e-11)


def test_simulated_votes_agree_with_plain_loops() -> None:
    pool = random_pools(12, 10, seed=3, codes=3)
    answers, correct, rewards = pool
    n = range(1, 11)
    found, error = weighted_vote(answers, correct, rewards, n, ids(12), 7, 400, most_listed=0)
    expected = over_subsets(plain_weighted, pool)
    simulated = [2, 3, 4, 5, 6, 7, 8]
    assert not error[[0, 1]].any() and (error[simulated] > 0).any(axis=1).all()
    assert (np.abs(found - expected) <= 5 * error + 1e-13).all()
    # Over all questions, a bias of the adjustment would be detected.
    pooled = np.sqrt((error**2).sum(axis=1))
    assert (np.abs((found - expected).sum(axis=1)) <= 4 * pooled + 1e-12).all()


def test_control_variates_reduce_the_error_and_estimate_it_correctly() -> None:
    answers, correct, rewards = random_pools(1, 12, seed=5, codes=3)
    answers, correct, rewards = (np.repeat(x, 200, axis=0) for x in (answers, correct, rewards))
    exact, _ = weighted_vote(answers[:1], correct[:1], rewards[:1], [5], ["q"], 0, 2)
    found, error = weighted_vote(answers, correct, rewards, [5], ids(200), 0, 100, most_listed=0)
    spread = float(found.std())
    plain = math.sqrt(exact.item() * (1 - exact.item()) / 100)
    assert spread < 0.9 * plain
    assert 0.85 * spread < float(error.mean()) < 1.25 * spread
    assert abs(float(found.mean()) - exact.item()) < 4 * spread / math.sqrt(200)


def test_a_question_does_not_depend_on_the_others() -> None:
    answers, correct, rewards = random_pools(8, 20, seed=9)
    models = np.stack([rewards, rewards[::-1]])
    n = [1, 2, 4, 7, 20]

    def values(rows: list[int]) -> list[np.ndarray]:
        names = [ids(8)[row] for row in rows]
        a, c, r = answers[rows], correct[rows], models[:, rows]
        voted = weighted_vote(a, c, r, n, names, 3, 64, most_listed=100)
        return [pass_at_n(c, n), best_of_n(c, r[0], n), majority_vote(a, c, n), *voted]

    rows = [5, 0, 3, 7]
    for together, apart, some in zip(
        values(list(range(8))),
        zip(*(values([row]) for row in range(8)), strict=True),
        values(rows),
        strict=True,
    ):
        np.testing.assert_allclose(together, np.concatenate(apart, axis=-1), rtol=0, atol=1e-13)
        np.testing.assert_allclose(together[..., rows], some, rtol=0, atol=1e-13)


def test_models_share_their_subsets() -> None:
    answers, correct, rewards = random_pools(5, 20, seed=11)
    models = np.stack([rewards, rewards[::-1], np.full_like(rewards, np.nan)])
    together = weighted_vote(answers, correct, models, [2, 6, 19], ids(5), 1, 64)
    for k, model in enumerate(models):
        alone = weighted_vote(answers, correct, model, [2, 6, 19], ids(5), 1, 64)
        for one, all_models in zip(alone, together, strict=True):
            np.testing.assert_allclose(one, all_models[k], rtol=0, atol=1e-13)
    # Without weights, the vote is the majority vote, and the control variate explains all of it.
    found, error = together[0][2], together[1][2]
    majority = majority_vote(answers, correct, [2, 6, 19])
    assert (np.abs(found - majority) <= 2 * error + 1e-13).all()


def test_tiny_weights_are_not_ties() -> None:
    answers, correct = np.array([[0, 1, 1, 2, 2]]), np.array([[True, False, False, False, False]])
    rewards = np.array([[3e-9, 1e-9, 1e-9, 0.9e-9, 0.9e-9]])
    for limit in (0, 10**6):
        found, _ = weighted_vote(answers, correct, rewards, [1, 3, 5], ["q"], 0, 100, limit)
        assert found[2, 0] == 1.0
