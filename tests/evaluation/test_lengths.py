"""F1 by length, and correlations of gains with length, against plain loops."""

import random

import numpy as np
import pytest

from multirm.evaluation.estimates import rows_of, summaries
from multirm.evaluation.lengths import (
    correlation,
    f1,
    is_predicted,
    length_bins,
    mean_steps,
    pearson,
)


def test_ranges_hold_about_as_many_solutions_each() -> None:
    assert length_bins(np.arange(1, 11), 5) == [(1, 2), (3, 4), (5, 6), (7, 8), (9, 10)]
    assert length_bins(np.array([3, 3, 3, 9]), 2) == [(3, 3), (4, 9)]


def test_a_common_length_leaves_ranges_for_the_others() -> None:
    lengths = np.array([5] * 10 + [6] * 80 + [7] * 5 + [8] * 3 + [9] * 2)
    assert length_bins(lengths, 5) == [(5, 6), (7, 7), (8, 8), (9, 9)]


@pytest.mark.parametrize("seed", range(20))
def test_ranges_cover_all_lengths_once(seed: int) -> None:
    lengths = np.random.default_rng(seed).integers(1, 12, 1 + 7 * seed)
    bins = length_bins(lengths)
    assert len(bins) <= 5
    assert [number for low, high in bins for number in range(low, high + 1)] == list(
        range(lengths.min(), lengths.max() + 1)
    )


def test_no_solutions_have_no_ranges() -> None:
    assert length_bins(np.array([], dtype=int)) == []


def test_f1_and_its_jackknife() -> None:
    generator = random.Random(3)
    rows = [(k % 12, generator.random() < 0.5, generator.random() < 0.6) for k in range(90)]
    questions, correct, predicted = (np.array(column) for column in zip(*rows, strict=True))
    kept = np.array([generator.random() < 0.8 for _ in rows])

    def plain(left_out: int | None) -> float:
        own = [
            row for row, is_kept in zip(rows, kept, strict=True) if is_kept and row[0] != left_out
        ]
        tp = sum(right and said for _, right, said in own)
        return 2 * tp / (sum(right for _, right, _ in own) + sum(said for _, _, said in own))

    found = f1(predicted, correct, questions, kept)
    assert found.value[0] == pytest.approx(plain(None))
    assert found.without[:, 0].tolist() == pytest.approx([plain(k) for k in range(12)])
    _, (_, _, summary) = summaries({"law": {"a": found}}, {})
    (row,) = rows_of(["f1"], summary)
    assert row["f1_low"] < row["f1"] < row["f1_high"]


def test_f1_without_anything_correct_or_predicted_is_undefined() -> None:
    none = np.zeros(3, dtype=bool)
    assert np.isnan(f1(none, none, np.arange(3), ~none).value[0])


def test_a_missing_reward_predicts_nothing() -> None:
    assert is_predicted(np.array([np.nan, 0.5, 0.4999])).tolist() == [False, True, False]


def test_mean_number_of_steps() -> None:
    n_steps, questions = np.array([3, 5, 7, -1]), np.array([0, 0, 1, 1])
    found = mean_steps(n_steps, questions, n_steps >= 0)
    assert (found.value[0], found.without[:, 0].tolist()) == (5, [7, 4])


def test_correlation_over_categories() -> None:
    generator = np.random.default_rng(5)
    lengths = [generator.normal(mean, 1, 30) for mean in (4, 6, 8, 12)]
    gains = [generator.normal(mean / 40, 0.3, 30) for mean in (4, 6, 8, 12)]
    found = correlation(lengths, gains)
    x, y = ([part.mean() for part in parts] for parts in (lengths, gains))
    r = np.corrcoef(x, y)[0, 1]
    assert found["correlation"] == pytest.approx(r)

    total = 0.0
    for category in range(4):
        z = []
        for question in range(30):
            own = [
                [
                    (np.delete(part, question) if k == category else part).mean()
                    for k, part in enumerate(parts)
                ]
                for parts in (lengths, gains)
            ]
            z.append(np.arctanh(np.corrcoef(*own)[0, 1]))
        total += 29 / 30 * np.square(np.array(z) - np.mean(z)).sum()
    reliability = 1.0
    for parts, means in ((lengths, x), (gains, y)):
        noise = np.mean([part.var(ddof=1) / 30 for part in parts])
        reliability *= 1 - noise / np.var(means, ddof=1)
    low, high = (np.tanh(np.arctanh(r) + sign * 1.959964 * np.sqrt(total)) for sign in (-1, 1))
    stretched = [
        min(low, low / np.sqrt(reliability)),
        min(1, max(high, high / np.sqrt(reliability))),
    ]
    assert [found["correlation_low"], found["correlation_high"]] == pytest.approx(stretched)
    ends = [np.tanh(np.arctanh(r) + sign * 1.959964) for sign in (-1, 1)]
    assert [found["categories_low"], found["categories_high"]] == pytest.approx(ends)


@pytest.mark.parametrize("noise", [0.02, 0.15, 0.4])
def test_the_interval_over_questions_covers_the_correlation_of_these_categories(
    noise: float,
) -> None:
    """In about 95 % of samples of questions, also where noise is larger than the differences between categories."""
    generator = np.random.default_rng(8)
    means = np.array([4.0, 5, 7, 8, 9, 12]), np.array([0.0, 0.05, 0.03, 0.1, 0.05, 0.12])
    truth = pearson(*means)
    covered = 0
    for _ in range(150):
        lengths = [generator.normal(mean, 1, 40) for mean in means[0]]
        gains = [generator.normal(mean, noise, 40) for mean in means[1]]
        found = correlation(lengths, gains)
        low, high = found["correlation_low"], found["correlation_high"]
        assert low is not None and high is not None
        covered += int(low <= truth <= high)
    assert 0.9 <= covered / 150 <= 0.995


def test_what_a_correlation_needs() -> None:
    two = [np.array([1.0, 2]), np.array([3.0, 5])]
    assert set(correlation(two, two).values()) == {None}
    same = [np.array([1.0, 1])] * 4
    assert set(correlation([*two, *two], same).values()) == {None}
    single = [np.array([1.0]), np.array([2.0]), np.array([4.0])]
    found = correlation(single, [np.array([0.1]), np.array([0.3]), np.array([0.2])])
    assert found["correlation"] is not None
    assert found["correlation_low"] is None and found["categories_low"] is None
