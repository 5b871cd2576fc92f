"""The overview has the headline's numbers, unrounded, and its sentences."""

from multirm.report.page.overview import overview_payload
from multirm.tables.headline_sentences import headline_sentences
from tests.report.page.rows import SCORERS, accuracy, headline

ACCURACY = [
    accuracy(selection, n, model, category=category)
    for category in ("Overall", "law", "all questions")
    for selection, model in (("majority_vote", None), ("best_of_n", "a"), ("pass", None))
    for n in (1, 2, 4)
]
HEADLINE = [headline("a"), headline("a", "weighted_vote", difference=-1 / 3), headline("hidden")]


def test_numbers_are_those_of_the_tables() -> None:
    (dataset,) = overview_payload(ACCURACY, HEADLINE, SCORERS)["datasets"]
    assert [row["difference"] for row in dataset["gains"]] == [3.25, -1 / 3]
    assert all(row["scorer"] == 0 for row in dataset["gains"])
    assert dataset["n_questions"] == 12
    assert dataset["categories"] == ["law"]
    assert dataset["sizes"] == [1, 2, 4]
    found = {(row["selection"], row["n"]): row["accuracy"] for row in dataset["accuracies"]}
    assert found[("majority_vote", 4)] == 54.123456789
    assert set(found) == {(way, n) for way in ("majority_vote", "pass") for n in (1, 4)}


def test_sentences_name_each_aggregation_once() -> None:
    rows = [headline("a"), headline("a", aggregation="min")]
    (dataset,) = overview_payload(ACCURACY, rows, SCORERS)["datasets"]
    assert dataset["sentences"] == headline_sentences(rows, {"a": "a"})
    assert "a last (+" in dataset["sentences"][0]
    assert "last last" not in dataset["sentences"][0]


def test_a_data_set_without_headline_or_models() -> None:
    (dataset,) = overview_payload(ACCURACY, [], {"d": []})["datasets"]
    assert dataset["sentences"] == dataset["gains"] == []
    assert overview_payload([], [], {})["datasets"] == []


def test_a_data_set_that_only_versaprms_protocol_evaluated() -> None:
    columns = {"selection": "majority_vote", "n": 4, "accuracy": 50.0, "n_questions": 12}
    rows = [
        {"dataset": "d", "category": category, "model": None, "aggregation": None, **columns}
        for category in ("all questions", "law", "math")
    ]
    (dataset,) = overview_payload(rows, [], SCORERS)["datasets"]
    assert dataset["n_questions"] == 12
    assert dataset["categories"] == ["law", "math"]
    assert not dataset["is_macro"]
    assert dataset["sizes"] == [4] and dataset["estimators"] == ["versaprm"]
    # Extremes over seeds are no intervals.
    assert dataset["accuracies"] == []
