"""Right against wrong solutions to one question, against plain loops over pairs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.evaluation import jackknife
from multirm.evaluation.outcome_metrics import outcome_metrics
from multirm.evaluation.pair_accuracy import PairAccuracy, pair_accuracy

REWARDS = st.sampled_from([-1.0, 0.0, 0.5, 2.0, float("nan")])
SOLUTIONS = st.lists(st.tuples(REWARDS, st.booleans(), st.sampled_from("abcd")), max_size=16)

Solution = tuple[float, bool, str]


def measured(solutions: list[Solution]) -> PairAccuracy:
    ranks, correct, questions = (
        np.array([each[k] for each in solutions], dtype=kind)
        for k, kind in enumerate((np.float64, bool, str))
    )
    return pair_accuracy(ranks, correct, questions)


def won(solutions: list[Solution]) -> dict[str, list[float]]:
    """How far the right solution wins each pair: 1, 1/2 or 0, by question."""
    found: dict[str, list[float]] = {}
    for high, is_right, question in solutions:
        for low, other_is_right, other in solutions:
            if (
                question == other
                and is_right
                and not other_is_right
                and high == high
                and low == low
            ):
                found.setdefault(question, []).append((high > low) + (high == low) / 2)
    return found


@given(solutions=SOLUTIONS)
def test_agrees_with_plain_loops(solutions: list[Solution]) -> None:
    found, pairs = measured(solutions), won(solutions)
    every = [each for own in pairs.values() for each in own]
    assert found.n_pairs == len(every)
    if not every:
        assert (found.value, found.interval) == (None, None)
        return
    assert found.value == pytest.approx(np.mean(every))
    assert found.rests_on_one_question == (len(pairs) == 1)
    without = [
        [each for other, own in pairs.items() if other != question for each in own]
        for question in pairs
    ]
    size = jackknife.effective_size(np.array([len(own) for own in pairs.values()]))
    means = np.array([np.mean(own) if own else np.nan for own in without])
    low, high, _ = jackknife.interval(float(np.mean(every)), means, size)
    assert found.interval == pytest.approx((low, high))


@given(solutions=SOLUTIONS)
def test_one_question_has_the_area_under_its_curve(solutions: list[Solution]) -> None:
    alone = [(reward, is_right, "a") for reward, is_right, _ in solutions]
    ranks, correct = (np.array([each[k] for each in alone], dtype=float) for k in (0, 1))
    area = outcome_metrics(ranks, correct, np.zeros(len(alone)), probabilities=False).roc_auc
    assert measured(alone).value == (None if area is None else pytest.approx(area))


def test_how_hard_questions_are_does_not_count() -> None:
    """Each original is just above its corruption; the area also compares them with those of other questions."""
    pairs = [
        (float(k) + is_right / 2, is_right, f"{k:03}")
        for k in range(300)
        for is_right in (True, False)
    ]
    found = measured(pairs)
    assert (found.n_pairs, found.value) == (300, 1.0)
    assert found.interval is not None and found.interval[0] > 0.97
