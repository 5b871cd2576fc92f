"""Reward models as the page calls them."""

from multirm.report.page.scorers import labels_of, scorers_of
from tests.report.page.rows import accuracy


def labels(*pairs: tuple[str, str]) -> list[str]:
    rows = [accuracy("best_of_n", 4, model, aggregation=way) for model, way in pairs]
    return sorted(each["label"] for each in scorers_of("d", rows, []))


def test_labels_name_aggregations_only_where_there_are_several() -> None:
    assert labels(("a", "min"), ("b", "last")) == ["a", "b"]
    assert labels(("a", "min"), ("a", "last")) == ["a last", "a min"]


def test_no_two_labels_are_the_same() -> None:
    found = labels(("a", "min"), ("a", "last"), ("a min", "mean"))
    assert set(found) == {"a last", "a min (a, min)", "a min (a min, mean)"}


def test_models_of_other_data_sets_and_votes_are_left_out() -> None:
    rows = [accuracy("majority_vote", 4), accuracy("best_of_n", 4, "b", dataset="e")]
    assert scorers_of("d", rows, []) == []
    assert labels_of([{"model": "a", "model_label": "A"}]) == {"a": "A"}
