"""Selections of the estimator `paper` against plain Python, one pool at a time."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from multirm.evaluation.selection import best_of_n, majority_vote, pass_at_n, weighted_vote

# Few distinct values, so that ties are common; all are exact in binary, so that sums tie exactly.
REWARDS = st.sampled_from([math.nan, 0.0, 0.25, 0.5, 1.0])


@st.composite
def pools(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Answers, correctness and rewards of 1-4 × 1-3 pools of equal size; the right answer is 1."""
    shape = (draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(1, 6)))
    count = math.prod(shape)
    answers = draw(st.lists(st.integers(0, 3), min_size=count, max_size=count))
    rewards = draw(st.lists(REWARDS, min_size=count, max_size=count))
    codes = np.array(answers).reshape(shape)
    return codes, codes == 1, np.array(rewards).reshape(shape)


def plain_best(correct: list[bool], rewards: list[float]) -> bool:
    best = 0
    for i, reward in enumerate(rewards):
        if not math.isnan(reward) and (math.isnan(rewards[best]) or reward > rewards[best]):
            best = i
    return correct[best]


def plain_vote(answers: list[int], weights: list[float]) -> int:
    votes = [(a, w) for a, w in zip(answers, weights, strict=True) if not math.isnan(w)]
    totals: dict[int, float] = {}
    for answer, weight in votes or [(answers[0], 0.0)]:
        totals[answer] = totals.get(answer, 0.0) + weight
    return max(totals, key=lambda answer: totals[answer])


@given(pools())
def test_every_selection_agrees_with_plain_loops(
    pool: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    answers, correct, rewards = pool
    found = {
        "best": best_of_n(correct, rewards),
        "weighted": weighted_vote(answers, correct, rewards),
        "majority": majority_vote(answers, correct),
        "pass": pass_at_n(correct),
    }
    for index in np.ndindex(answers.shape[:-1]):
        a, c, r = answers[index].tolist(), correct[index].tolist(), rewards[index].tolist()
        assert found["best"][index] == plain_best(c, r)
        assert found["weighted"][index] == (plain_vote(a, r) == 1)
        assert found["majority"][index] == (plain_vote(a, [1.0] * len(a)) == 1)
        assert found["pass"][index] == any(c)


def test_a_missing_reward_is_neither_a_half_nor_a_zero() -> None:
    correct = np.array([[True, False]])
    assert not best_of_n(correct, np.array([[np.nan, 0.0]]))[0]
    assert not weighted_vote(np.array([[1, 0]]), correct, np.array([[np.nan, 0.0]]))[0]


def test_without_any_reward_the_first_solution_and_the_first_answer_are_picked() -> None:
    answers, correct = np.array([[2, 1, 1]]), np.array([[True, False, False]])
    missing = np.full((1, 3), np.nan)
    assert best_of_n(correct, missing)[0]
    assert weighted_vote(answers, correct, missing)[0]


def test_no_pools_give_no_outcomes() -> None:
    answers = np.empty((0, 2, 4), dtype=np.int64)
    assert majority_vote(answers, answers == 1).shape == (0, 2)
