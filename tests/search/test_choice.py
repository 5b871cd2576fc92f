"""The final choice: equal to plain loops, on ties and without rewards, too."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.search.choice import Candidate, Choices, choose
from multirm.tables.accuracy import Aggregation
from multirm.tables.rewards import Scale


def candidates(*given: tuple[str, list[float | None]]) -> list[Candidate]:
    return [Candidate(answer, answer.lower(), rewards) for answer, rewards in given]


def test_each_choice_has_its_answer() -> None:
    found = candidates(("a", [0.1]), ("B", [0.9, 0.6]), ("A", [0.2]), ("a", [0.1]), ("b", [0.3]))
    assert choose(found, Aggregation.MIN, Scale.PROBABILITY) == Choices("B", "a", "B")
    assert choose([], Aggregation.MIN, Scale.PROBABILITY) == Choices(None, None, None)


def test_the_first_one_wins_ties() -> None:
    found = candidates(("c", [0.5]), ("b", [0.5]), ("a", [0.5]))
    assert choose(found, Aggregation.LAST, Scale.PROBABILITY) == Choices("c", "c", "c")


def test_without_a_reward_there_is_no_vote_unless_none_has_one() -> None:
    found = candidates(("a", [0.5]), ("a", [0.5]), ("b", [0.5, 0.2]))
    # A delta needs two steps; it is negative here, but the only one.
    assert choose(found, Aggregation.MAX_DELTA, Scale.PROBABILITY) == Choices("b", "a", "b")
    found = candidates(("b", [0.5]), ("a", [0.5]), ("a", [0.5]))
    assert choose(found, Aggregation.MAX_DELTA, Scale.PROBABILITY) == Choices("b", "a", "a")


def test_scores_vote_with_their_softmax() -> None:
    found = candidates(("a", [-1.0]), ("a", [-1.0]), ("b", [0.0]))
    # e^-1 + e^-1 < 1, though the sum of scores of b is not the largest in size.
    assert choose(found, Aggregation.LAST, Scale.SCORE).weighted == "b"
    closer = candidates(("a", [-0.5]), ("a", [-0.5]), ("b", [0.0]))
    assert choose(closer, Aggregation.LAST, Scale.SCORE).weighted == "a"


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.lists(st.integers(0, 8), min_size=1, max_size=3)),
        min_size=1,
        max_size=9,
    )
)
def test_choices_are_those_of_plain_loops(given_ones: list[tuple[str, list[int]]]) -> None:
    # Multiples of an eighth have exact sums.
    found = candidates(*((answer, [reward / 8 for reward in own]) for answer, own in given_ones))
    chosen = choose(found, Aggregation.MIN, Scale.PROBABILITY)
    values = [min(own) for _, own in given_ones]
    assert chosen.best == given_ones[values.index(max(values))][0]
    counts = Counter(answer for answer, _ in given_ones)
    assert chosen.majority == max(counts, key=lambda answer: counts[answer])
    sums = dict.fromkeys(counts, 0)
    for (answer, _), value in zip(given_ones, values, strict=True):
        sums[answer] += value
    assert chosen.weighted == max(sums, key=lambda answer: sums[answer])


def test_long_products_do_not_underflow_to_ties() -> None:
    found = candidates(("a", [1e-30] * 20), ("b", [1.1e-30] * 20))
    assert choose(found, Aggregation.PROD, Scale.PROBABILITY).best == "b"
    assert math.prod([1e-30] * 20) == pytest.approx(0.0)
