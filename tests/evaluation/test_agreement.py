"""Which methods are right together, against plain counts."""

from collections import Counter

import numpy as np
import pytest

from multirm.evaluation.agreement import agreement_rows


def test_sets_are_counted_per_category_and_overall() -> None:
    generator = np.random.default_rng(2)
    values = {"law": generator.random((30, 3)), "physics": generator.random((12, 3))}
    methods = ["a", "b", "MV"]
    rows = agreement_rows(values, methods)
    for category in ("Overall", "law", "physics"):
        within = list(values) if category == "Overall" else [category]
        plain = Counter(
            tuple(name for name, value in zip(methods, question, strict=True) if value > 0.5)
            for name in within
            for question in values[name]
        )
        own = [row for row in rows if row["category"] == category]
        assert {tuple(row["right"]): row["n_questions"] for row in own} == plain
        assert [row["rank"] for row in own] == list(range(1, len(own) + 1))
        assert [row["n_questions"] for row in own] == sorted(plain.values(), reverse=True)
        assert sum(row["share"] for row in own) == pytest.approx(1)
        assert all(row["share_low"] <= row["share"] <= row["share_high"] for row in own)


def test_right_half_of_the_time_is_not_right() -> None:
    (row, _) = agreement_rows({"law": np.array([[0.5, 0.51]])}, ["a", "b"])
    assert (row["right"], row["methods"]) == (["b"], ["a", "b"])


def test_overall_weighs_categories_equally() -> None:
    values = {"law": np.ones((10, 1)), "physics": np.zeros((2, 1))}
    rows = [row for row in agreement_rows(values, ["a"]) if row["category"] == "Overall"]
    assert [(row["right"], row["n_questions"], row["share"]) for row in rows] == [
        (["a"], 10, 0.5),
        ([], 2, 0.5),
    ]
