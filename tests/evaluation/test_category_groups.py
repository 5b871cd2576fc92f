"""Groups of categories: their averages, intervals and tests, against those of Overall and of single categories."""

import logging
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from multirm.errors import InputError
from multirm.evaluation.accuracy import evaluate
from multirm.evaluation.category_groups import groups_within, parse_groups
from multirm.evaluation.significance import holm
from multirm.tables import parquet
from multirm.tables.accuracy import ACCURACY, MAJORITY_VOTE, OVERALL, Estimator
from multirm.tables.category_groups import CATEGORY_GROUPS
from multirm.tables.comparisons import COMPARISONS
from multirm.tables.headline import HEADLINE

RUNS = ["dPRM", "dPRM@43"]
MODELS = [*RUNS, "gORM"]
N = [1, 2, 4]
GROUPS = {"every": ["law", "math", "history"], "numbers": ["math"], "others": ["law", "history"]}


@pytest.fixture(scope="module")
def given() -> dict[str, Any]:
    """Three categories of different sizes, with two training runs of one of the models."""
    generator = random.Random(5)

    def solution() -> tuple[str, dict[str, list[float]]]:
        return generator.choice("AAB"), {model: [generator.random()] for model in MODELS}

    return {
        category: {
            f"q{k}": (generator.choice("AB"), [solution() for _ in range(4)]) for k in range(count)
        }
        for category, count in (("law", 14), ("math", 9), ("history", 5))
    }


def run(folder: Path, written: Any, **others: Any) -> list[dict[str, Any]]:
    options = written.options([f"{model}=min" for model in MODELS], n=N)
    words = [f"{name}={','.join(members)}" for name, members in GROUPS.items()]
    evaluate(options, folder, **{"category_groups": words, **others})
    return parquet.read(folder / "category_groups.parquet", CATEGORY_GROUPS).to_pylist()


METHOD = ("selection", "model", "aggregation", "n")


def test_groups_are_measured_like_overall_and_like_categories(
    tmp_path: Path, write_tables: Any, given: dict[str, Any]
) -> None:
    """A group of all categories is Overall, and a group of one is that category: with intervals over seeds as well."""
    rows = run(tmp_path, write_tables(given, MODELS))
    accuracies = parquet.read(tmp_path / "accuracy.parquet", ACCURACY).to_pylist()
    compared = parquet.read(tmp_path / "comparisons.parquet", COMPARISONS).to_pylist()
    assert list(dict.fromkeys(row["group"] for row in rows)) == list(GROUPS)
    for group, category in (("every", OVERALL), ("numbers", "math")):
        own = [row for row in rows if row["group"] == group]
        same = [row for row in accuracies if row["category"] == category]
        assert [tuple(row[name] for name in METHOD) for row in own] == [
            tuple(row[name] for name in METHOD) for row in same
        ]
        for row, other in zip(own, same, strict=True):
            for name in ("accuracy", "accuracy_low", "accuracy_high", "note", "n_questions"):
                assert row[name] == pytest.approx(other[name]), name
        gains = {
            tuple(row[name] for name in METHOD): row
            for row in compared
            if row["category"] == category and row["other_model"] == MAJORITY_VOTE
        }
        measured = {
            tuple(row[name] for name in METHOD): row for row in own if row["difference"] is not None
        }
        assert measured.keys() == gains.keys()
        for key, row in measured.items():
            found = [row[f"difference{of}"] for of in ("", "_low", "_high", "_note")] + [row["p"]]
            expected = [
                gains[key][name]
                for name in ("difference", "difference_low", "difference_high", "note", "p")
            ]
            assert found == pytest.approx(expected)


def test_each_category_of_a_group_counts_the_same(
    tmp_path: Path, write_tables: Any, given: dict[str, Any]
) -> None:
    rows = [row for row in run(tmp_path, write_tables(given, MODELS)) if row["group"] == "others"]
    accuracies = {
        (row["category"], *(row[name] for name in METHOD)): row["accuracy"]
        for row in parquet.read(tmp_path / "accuracy.parquet", ACCURACY).to_pylist()
    }
    assert {(row["n_categories"], row["n_questions"]) for row in rows} == {(2, 19)}
    for row in rows:
        key = tuple(row[name] for name in METHOD)
        expected = np.mean([accuracies[category, *key] for category in GROUPS["others"]])
        assert row["accuracy"] == pytest.approx(expected)
    # Single training runs are not compared; at N = 1, there is nothing to test.
    assert {row["model"] for row in rows if row["difference"] is not None} == {"dPRM@mean", "gORM"}
    assert {row["n"] for row in rows if row["p"] is None and row["difference"] is not None} == {1}


def test_tests_are_corrected_within_group_selection_and_n(
    tmp_path: Path, write_tables: Any, given: dict[str, Any]
) -> None:
    rows = [row for row in run(tmp_path, write_tables(given, MODELS)) if row["p"] is not None]
    families: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        families.setdefault((row["group"], row["selection"], row["n"]), []).append(row)
    assert len(families) == 3 * 2 * 2
    for family in families.values():
        corrected = holm(np.array([row["p"] for row in family]))
        assert [row["p_holm"] for row in family] == pytest.approx(corrected.tolist())


def test_groups_change_no_other_table(
    tmp_path: Path, write_tables: Any, given: dict[str, Any]
) -> None:
    written = write_tables(given, MODELS)
    run(tmp_path / "with", written)
    options = written.options([f"{model}=min" for model in MODELS], n=N)
    evaluate(options, tmp_path / "without")
    for schema in (ACCURACY, COMPARISONS, HEADLINE):
        one, other = (
            parquet.read(tmp_path / folder / f"{schema.name}.parquet", schema).to_pylist()
            for folder in ("with", "without")
        )
        assert one == other
    assert not (tmp_path / "without" / "category_groups.parquet").exists()


def test_without_reward_models_there_are_votes(tmp_path: Path, write_tables: Any) -> None:
    written = write_tables({"law": {"q": ("A", [("A", {})])}}, [])
    options = written.options([], n=[1], rewards=[])
    evaluate(options, tmp_path, category_groups=["texts=law"])
    rows = parquet.read(tmp_path / "category_groups.parquet", CATEGORY_GROUPS).to_pylist()
    assert [(row["selection"], row["accuracy"], row["difference"]) for row in rows] == [
        ("majority_vote", 100, None),
        ("pass", 100, None),
    ]


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (["science"], "GROUP=CATEGORY,CATEGORY, such as science=biology,physics"),
        (["science="], "GROUP=CATEGORY,CATEGORY"),
        (["science=law,,math"], "GROUP=CATEGORY,CATEGORY"),
        (["=law"], "GROUP=CATEGORY,CATEGORY"),
        (["a=law", "a=math"], "each group and each of its categories once"),
        (["a=law,law"], "each group and each of its categories once"),
    ],
)
def test_malformed_groups_are_refused(pairs: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_groups(pairs)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (
            {"law": ["math"]},
            "a name other than Overall, all questions and the categories', found 'law'",
        ),
        ({"overall": ["math"]}, "a name other than Overall"),
        ({"all questions": ["math"]}, "a name other than"),
        (
            {"texts": ["law", "histroy"]},
            "law, math or history, found 'histroy'; did you mean history",
        ),
    ],
)
def test_groups_that_cannot_be_averaged_are_refused(
    groups: dict[str, list[str]], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        groups_within(groups, ["law", "math", "history"])


def test_a_group_without_any_category_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        found = groups_within({"numbers": ["math"], "texts": ["law"]}, ["law"])
    assert found == {"texts": ["law"]}
    assert "'numbers' is left out: none of its categories is evaluated" in caplog.text


def test_the_papers_protocol_has_no_groups(
    tmp_path: Path, write_tables: Any, given: dict[str, Any]
) -> None:
    with pytest.raises(InputError, match="none with the estimator paper"):
        run(tmp_path, write_tables(given, MODELS), estimator=Estimator.PAPER)
