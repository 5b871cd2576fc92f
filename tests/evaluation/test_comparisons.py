"""Paired differences: which are compared, which are tested together, and the rate of false positives."""

import numpy as np
import pytest

from multirm.evaluation import significance
from multirm.evaluation.comparisons import comparison_rows, comparisons_of
from multirm.evaluation.expected import columns
from multirm.evaluation.methods import Scorer
from multirm.tables.accuracy import MAJORITY_VOTE, OVERALL, Aggregation, IntervalNote
from multirm.tables.comparisons import Family

SCORERS = [Scorer(name, Aggregation.LAST) for name in ("a", "b", "c")]


def rows_of(values: dict[str, np.ndarray], sizes: list[int], seed: int = 1) -> list[dict]:
    none = {name: np.zeros(part.shape[1]) for name, part in values.items()}
    none[OVERALL] = next(iter(none.values()))
    return comparison_rows(values, none, 0, columns(sizes, SCORERS), SCORERS, seed)


def random_values(sizes: list[int], questions: dict[str, int], seed: int = 0) -> dict:
    """Right or wrong; at N = 1, all methods are equal except for rounding."""
    generator = np.random.default_rng(seed)
    keys = columns(sizes, SCORERS)
    one = np.array([size == 1 for size, _ in keys])
    values = {}
    for name, n in questions.items():
        own = (generator.random((n, len(keys))) < 0.6).astype(float)
        own[:, one] = own[:, :1] * (1 - 1e-15 * np.arange(one.sum()))
        values[name] = own
    return values


def test_each_scorer_with_the_vote_and_each_later_one() -> None:
    found = comparisons_of([2, 4], SCORERS)
    assert len(found) == 2 * 2 * 6
    named = [
        (each.method.columns["model"], each.other.columns["model"])
        for each in found
        if each.n == 4 and each.method.selection == "best_of_n"
    ]
    assert named == [("a", None), ("a", "b"), ("a", "c"), ("b", None), ("b", "c"), ("c", None)]
    assert comparisons_of([2], []) == []


def test_only_overall_at_the_largest_n_is_primary() -> None:
    rows = rows_of(random_values([1, 2, 4], {"law": 30, "math": 20}), [1, 2, 4])
    assert len(rows) == 3 * 3 * 12
    for row in rows:
        if row["n"] == 1:
            assert (row["family"], row["p"], row["p_holm"]) == (None, None, None)
            assert (row["difference"], row["difference_low"], row["difference_high"]) == (0, 0, 0)
            assert row["note"] is IntervalNote.NOTHING_TO_SELECT
        elif row["category"] == OVERALL and row["n"] == 4:
            assert row["family"] is Family.PRIMARY
        else:
            assert row["family"] is Family.EXPLORATORY
    # Overall at N = 2, and two categories at two N, each under two selections; and the primary family.
    assert {row["n_families"] for row in rows} == {2 + 2 * 2 * 2 + 1}


def test_holm_corrects_within_each_family() -> None:
    rows = rows_of(random_values([1, 2, 4], {"law": 30, "math": 20}), [1, 2, 4])
    families: dict[object, list[dict]] = {}
    for row in rows:
        primary = row["family"] is Family.PRIMARY
        where = (row["category"], row["n"], None if primary else row["selection"])
        families.setdefault(where, []).append(row)
    sizes = sorted(len(own) for own in families.values())
    assert sizes == [6] * (6 + 2 + 4) + [6] * 4 + [12]
    for own in families.values():
        p = [np.nan if row["p"] is None else row["p"] for row in own]
        adjusted = [np.nan if row["p_holm"] is None else row["p_holm"] for row in own]
        np.testing.assert_array_equal(significance.holm(np.array(p)), adjusted)


def test_differences_and_their_intervals_are_over_the_questions() -> None:
    values = random_values([2], {"law": 25, "math": 10})
    keys = columns([2], SCORERS)
    rows = rows_of(values, [2])
    for row in rows:
        own, other = (
            next(
                k
                for k, (_, method) in enumerate(keys)
                if method.columns["selection"] == row[f"{who}selection"]
                and (method.columns["model"] or MAJORITY_VOTE) == row[f"{who}model"]
            )
            for who in ("", "other_")
        )
        parts = list(values.values()) if row["category"] == OVERALL else [values[row["category"]]]
        expected = np.mean([np.mean(part[:, own] - part[:, other]) for part in parts])
        assert row["difference"] == pytest.approx(100 * expected)
        assert -100 <= row["difference_low"] <= row["difference"] <= row["difference_high"] <= 100
        assert row["difference_high"] - row["difference_low"] > 10


@pytest.mark.parametrize("n", [2, 5])
def test_equal_methods_do_not_differ_but_have_an_interval(n: int) -> None:
    values = {"law": np.ones((n, len(columns([2], SCORERS))))}
    for row in rows_of(values, [2]):
        assert (row["difference"], row["p"], row["p_holm"]) == (0, 1, 1)
        assert row["difference_low"] < -10
        assert row["difference_high"] > 10
        assert row["note"] is IntervalNote.NO_SPREAD


def test_one_question_has_no_test_and_a_note() -> None:
    for row in rows_of(random_values([2], {"law": 1}), [2]):
        assert (row["difference_low"], row["difference_high"], row["p"], row["p_holm"]) == (
            None,
        ) * 4
        assert row["note"] is IntervalNote.ONE_QUESTION
    for row in rows_of(random_values([2], {"law": 1, "math": 1}), [2]):
        assert (row["difference_low"], row["difference_high"], row["p"]) == (None,) * 3
    beside = rows_of(random_values([2], {"law": 1, "math": 20}), [2])
    for row in beside:
        assert (row["difference_low"] is None) == (row["category"] == "law")
        if row["category"] == OVERALL:
            assert row["note"] is IntervalNote.SINGLE_QUESTIONS
            assert row["difference_high"] - row["difference_low"] > 45


def test_equal_models_rarely_differ_significantly(monkeypatch: pytest.MonkeyPatch) -> None:
    """The primary family of 120 studies without any difference: a false positive in at most about one of 20."""
    monkeypatch.setattr(significance, "FLIPS", 1000)
    monkeypatch.setattr(significance, "FLIPS_PER_TEST", 0)
    false = {Family.PRIMARY: 0, Family.EXPLORATORY: 0}
    for study in range(120):
        values = random_values([2, 4], {"law": 20, "math": 10, "physics": 15}, study)
        rows = rows_of(values, [2, 4], study)
        for family in false:
            found = [row["p_holm"] for row in rows if row["family"] is family]
            false[family] += min(found) <= 0.05
    assert false[Family.PRIMARY] <= 12
    # Which is why these are called exploratory.
    assert false[Family.EXPLORATORY] > false[Family.PRIMARY]


def test_a_clear_difference_is_significant_among_hundreds_of_comparisons() -> None:
    """With 10,000 random signs for each, the smallest corrected p-value of 600 comparisons would be 0.06."""
    scorers = [Scorer(f"m{k}", Aggregation.LAST) for k in range(24)]
    keys = columns([2], scorers)
    values = np.repeat(np.arange(60)[:, None] % 2 == 0, len(keys), axis=1).astype(float)
    values[:, [k for k, (_, method) in enumerate(keys) if method.scorer == scorers[0]]] = 1
    none = {name: np.zeros(len(keys)) for name in ("law", OVERALL)}
    rows = comparison_rows({"law": values}, none, 0, keys, scorers, 1)
    primary = [row for row in rows if row["family"] is Family.PRIMARY]
    assert len(primary) == 600
    found = {row["p_holm"] for row in primary if row["model"] == "m0"}
    assert max(found) <= 0.01
    assert {row["p_holm"] for row in primary if row["model"] != "m0"} == {1}
