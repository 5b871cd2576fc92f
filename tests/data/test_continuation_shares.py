"""Shares of right continuations, against loops over steps and over all outcomes of guesses."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.data.continuation_shares import (
    Continued,
    by_guessing,
    measure_continuation_shares,
    share_rows,
)
from multirm.data.guessing import guessing_rate, is_known
from multirm.errors import InputError
from multirm.tables import parquet
from multirm.tables.continuation_shares import CONTINUATION_SHARES
from multirm.tables.continuations import CONTINUATIONS
from multirm.tables.labels import LABELS, LabelSource, label_rows
from multirm.tables.solutions import SOLUTIONS
from tests.data.conftest import solution
from tests.origins import made_of

SETTINGS = {"per_prefix": 16, "significance": 0.05}


def step(category: str, n_options: int, n_answers: int, n_right: int) -> Continued:
    label = None
    if n_answers:
        known = is_known(n_right, n_answers, guessing_rate(n_options), 0.05)
        label = None if known is None else int(known)
    return Continued(category, n_options, n_answers, n_right, label)


def rows_of(*steps: Continued) -> dict[Any, dict[str, Any]]:
    found = share_rows(steps, 16, 0.05)
    return {(row["category"], row["n_options"]): row for row in found}


def test_sixteen_guesses_among_ten_options_are_often_right() -> None:
    unanswered = [step("law", 10, 0, 0), step("law", 10, 0, 0), step("art", 10, 0, 0)]
    steps = [step("law", 10, 16, 1), step("law", 10, 16, 5), *unanswered]
    [row, of_law] = rows_of(*steps).values()
    assert row["any_right_by_guessing"] == pytest.approx(1 - 0.9**16)
    assert row["any_right_by_guessing"] == pytest.approx(0.81, abs=0.005)
    # More than 4 of 16 are right by guessing with 1.7 %, more than 3 with 6.8 %.
    assert row["threshold"] == 4 / 16
    assert row["good_by_guessing"] == pytest.approx(0.017, abs=0.0005)
    assert (row["any_right"], row["good"]) == (1, 0.5)
    assert (row["n_steps"], row["n_unanswered"], of_law["n_unanswered"]) == (2, 3, 2)


def test_an_open_question_is_not_guessed() -> None:
    row = rows_of(step("art", 0, 16, 0), step("art", 0, 16, 1), step("art", 0, 8, 8))[None, None]
    by_guesses = row["any_right_by_guessing"], row["good_by_guessing"], row["guessing_rate"]
    assert by_guesses == (0, 0, 0)
    assert row["threshold"] == 0
    assert row["any_right"] == row["good"] == pytest.approx(2 / 3)
    assert row["n_good_by_share"] == [0, 1, *[0] * 14, 1]
    assert row["n_guessed_by_share"] == [3, *[0] * 16]


@given(n=st.integers(1, 4), n_options=st.integers(1, 5))
def test_guesses_are_counted_over_all_outcomes(n: int, n_options: int) -> None:
    found = [0.0] * (n + 1)
    for guesses in product(range(n_options), repeat=n):
        found[guesses.count(0)] += n_options**-n
    assert by_guessing(n, 1 / n_options) == pytest.approx(found)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["law", "art"]),
            st.sampled_from([0, 4, 10]),
            st.integers(0, 16).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))),
        ),
        max_size=12,
    )
)
def test_rows_count_each_step_once_by_category_and_by_options(drawn: list[Any]) -> None:
    steps = [step(category, n_options, *counts) for category, n_options, counts in drawn]
    found = rows_of(*steps)
    for (category, n_options), row in found.items():
        own = [
            each
            for each in steps
            if each.n_answers
            and category in (None, each.category)
            and n_options in (None, each.n_options)
        ]
        parts = [row[f"n_{each}_by_share"] for each in ("good", "bad", "unsure")]
        assert row["n_steps"] == len(own) == sum(map(sum, parts))
        assert sum(row["n_guessed_by_share"]) == pytest.approx(len(own))
        assert sum(row["n_good_by_share"]) == pytest.approx(row["good"] * len(own))
        rate = sum(guessing_rate(each.n_options) for each in own) / len(own)
        assert row["guessing_rate"] == pytest.approx(rate)
    answered = [each for each in steps if each.n_answers]
    options = {each.n_options for each in answered}
    keys = {(None, None)} | {(each.category, None) for each in answered}
    keys |= {(None, n) for n in options if len(options) > 1}
    assert found.keys() == (keys if answered else set())
    if answered:
        assert found[None, None]["n_unanswered"] == len(steps) - len(answered)


def written(tmp_path: Path, settings: dict[str, Any] | None = None) -> list[Path]:
    """Two solutions of a question with three options, which begin alike, and their continuations but for the last step.

    The first step has 15 of 16 right, the second 1 of 8, and no continuation of the third has an answer.
    """
    question = "Which?\nA. a\nB. b\nC. c"
    rows = [{**solution(0, number, n_steps=4), "question": question} for number in range(2)]
    rows[1]["steps"][0] = rows[0]["steps"][0]
    paths = [tmp_path / f"{name}.parquet" for name in ("solutions", "labels", "continuations")]
    parquet.write(paths[0], SOLUTIONS, rows, made_of())
    columns: list[Any] = [
        {"label": 1, "value": 0.9},
        {"label": None, "value": 0.0, "reason": "unsure"},
        {"label": None, "reason": "no_answers"},
        {"label": 0, "value": 0.0},
    ]
    of_rows = [label for row in rows for label in label_rows(row, LabelSource.MONTE_CARLO, columns)]
    parquet.write(paths[1], LABELS, of_rows, made_of(SETTINGS if settings is None else settings))
    outcomes = [[1] * 15 + [0], [1] + [0] * 7 + [None] * 8, [None] * 16]
    continued = {
        "\n\n".join(row["steps"][: k + 1]): of_step
        for row in rows
        for k, of_step in enumerate(outcomes)
    }
    key = {name: rows[0][name] for name in ("dataset", "category", "question_id")}
    texts = [
        {**key, "prefix": prefix, "n_steps": 1, "continuation_id": number, "text": "So.",
         "parsed_answer": None if outcome is None else "A", "outcome": outcome,
         "n_tokens_read": 1, "n_tokens_generated": 1}
        for prefix, of_prefix in continued.items()
        for number, outcome in enumerate(of_prefix)
    ]  # fmt: skip
    parquet.write(paths[2], CONTINUATIONS, texts, made_of())
    return paths


def measured(paths: list[Path], output: Path) -> None:
    solutions, labels, continuations = paths
    measure_continuation_shares([solutions], [labels], [continuations], "Continued", output)


def test_the_table_of_a_labels_table(tmp_path: Path) -> None:
    output = tmp_path / "shares.parquet"
    measured(written(tmp_path), output)
    rows = parquet.read(output, CONTINUATION_SHARES).to_pylist()
    assert [(row["dataset"], row["category"]) for row in rows] == [
        ("Continued", None),
        ("Continued", "law"),
    ]
    # A beginning that two solutions have counts twice. 1 of 8 is 2 of 16.
    assert rows[0]["n_good_by_share"] == [0] * 15 + [2, 0]
    assert rows[0]["n_unsure_by_share"] == [0, 0, 2, *[0] * 14]
    assert sum(rows[0]["n_bad_by_share"]) == 0
    assert rows[0]["guessing_rate"] == pytest.approx(1 / 3)
    assert (rows[0]["n_steps"], rows[0]["n_unanswered"]) == (4, 2)


def test_other_labels_are_refused(tmp_path: Path) -> None:
    output = tmp_path / "shares.parquet"
    with pytest.raises(InputError, match="expected labels by continue-steps, found others"):
        measured(written(tmp_path, {}), output)
    solutions, labels, continuations = paths = written(tmp_path)
    other = tmp_path / "other.parquet"
    parquet.write(other, LABELS, [], made_of({"per_prefix": 8, "significance": 0.05}))
    with pytest.raises(InputError, match=r"found 8 per step at significance 0\.05; 16 per step"):
        measure_continuation_shares([solutions], [labels, other], [continuations], "C", output)
    parquet.write(solutions, SOLUTIONS, [solution(7, 0)], made_of())
    with pytest.raises(InputError, match="expected labels of the solutions, found some of"):
        measured(paths, output)
    assert not output.exists()
