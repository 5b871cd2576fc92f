"""Changes from one dataset to another are paired by question, macro-averaged, and bounded over questions and seeds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from multirm.errors import InputError
from multirm.evaluation.changes import Answered, change_rows, changed
from multirm.evaluation.expected import columns
from multirm.evaluation.methods import Scorer
from multirm.evaluation.training_seeds import parts_of
from multirm.tables.accuracy import OVERALL, Aggregation

A, B = (Scorer(name, Aggregation.MIN) for name in ("a", "b"))


def test_questions_are_paired_by_id() -> None:
    before = {"law": Answered(["x", "y", "z"], np.array([[0.1], [0.5], [1.0]]))}
    after = {"law": Answered(["z", "x", "y"], np.array([[0.4], [0.2], [0.5]]))}
    np.testing.assert_allclose(changed(before, after)["law"], [[-0.6], [0.1], [0.0]])


@pytest.mark.parametrize(
    ("before", "message"),
    [
        ({"math": ["x"]}, "expected the categories of --solutions, law, found math"),
        ({"law": ["x", "y"]}, "law: .*found 1 in one of them alone, such as 'y'"),
        ({"law": []}, "law: .*found 1 in one of them alone, such as 'x'"),
    ],
)
def test_other_questions_are_refused(before: dict[str, list[str]], message: str) -> None:
    asked = {name: Answered(ids, np.zeros((len(ids), 1))) for name, ids in before.items()}
    with pytest.raises(InputError, match=message):
        changed(asked, {"law": Answered(["x"], np.zeros((1, 1)))})


@given(st.integers(0, 2**32 - 1))
def test_the_interval_of_one_category_is_students_of_paired_differences(seed: int) -> None:
    generator = np.random.default_rng(seed)
    questions = 60
    parts = parts_of([4], [A], {})
    change = generator.uniform(-1, 1, (questions, len(parts)))
    row = next(
        r
        for r in change_rows({"law": change}, parts)
        if (r["category"], r["model"]) == ("law", "a")
    )
    own = change[:, list(parts).index(next(key for key in parts if key[1].scorer == A))]
    assert row["change"] == pytest.approx(100 * own.mean())
    # Student's interval, widened by what one more question that differs would add: see `intervals.of_differences`.
    half = stats.t.ppf(0.975, questions - 1) * np.sqrt(
        own.var(ddof=1) / questions + ((own**2).mean() / np.abs(own).mean() / questions) ** 2
    )
    assert row["change_high"] - row["change"] == pytest.approx(100 * half)
    assert row["change"] - row["change_low"] == pytest.approx(100 * half)
    assert row["n_questions"] == questions


def test_categories_count_the_same_and_come_after_overall() -> None:
    parts = parts_of([2], [A], {})
    change = {
        name: np.full((questions, len(parts)), value)
        + np.random.default_rng(0).normal(0, 0.01, (questions, 1))
        for name, questions, value in (("law", 3, -0.5), ("math", 30, 0.1))
    }
    rows = change_rows(change, parts)
    assert list(dict.fromkeys(row["category"] for row in rows)) == [OVERALL, "law", "math"]
    overall = next(row for row in rows if row["model"] == "a")
    assert overall["change"] == pytest.approx(
        100 * np.mean([part[:, 0].mean() for part in change.values()])
    )
    assert overall["n_questions"] == 33


def test_means_over_training_runs_are_wider_by_their_seeds() -> None:
    generator = np.random.default_rng(0)
    same = generator.uniform(-0.1, 0.1, (50, 1))
    parts = parts_of([4], [A, B], {"mean": ["a", "b"]})
    n_columns = len(columns([4], [A, B]))
    close = change_rows({"law": np.repeat(same, n_columns, axis=1)}, parts)
    place = [k for k, (_, method) in enumerate(columns([4], [A, B])) if method.scorer == B]
    apart = np.repeat(same, n_columns, axis=1)
    apart[:, place] += 0.3
    wide = change_rows({"law": apart}, parts)
    of_mean = [next(row for row in rows if row["model"] == "mean") for rows in (close, wide)]
    widths = [row["change_high"] - row["change_low"] for row in of_mean]
    assert of_mean[1]["change"] == pytest.approx(of_mean[0]["change"] + 15)
    assert widths[1] > widths[0]


def test_what_does_not_read_steps_cannot_change() -> None:
    parts = parts_of([1, 4], [A], {})
    rows = change_rows({"law": np.zeros((20, len(parts)))}, parts)
    for row in rows:
        may_change = row["n"] > 1 and row["model"] == "a"
        assert (row["change_low"] == row["change_high"] == 0) is not may_change
        assert row["change_low"] <= row["change"] <= row["change_high"]
        assert (row["note"] is None) is not may_change
