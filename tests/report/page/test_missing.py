"""What was missing, in sentences: each count once, of the exact estimator, and nothing where nothing is missing."""

from multirm.report.page.missing import (
    EVALUATIONS,
    completeness,
    left_out,
    missing_tables,
    of_one_estimator,
    warnings_of,
)
from tests.report.page.rows import accuracy, headline, ledger

LABELS = {"d": {"a": "A (2 seeds)", "b": "b"}}
ACCURACY = [accuracy("majority_vote", 4)]


def said(*rows: dict[str, object], **tables: list[dict[str, object]]) -> list[str]:
    own = {"accuracy": ACCURACY, "headline": [], **tables}
    found = warnings_of(list(rows), own["accuracy"], own["headline"], LABELS)
    assert {each["dataset"] for each in found} <= {"d"}
    return [each["text"] for each in found]


def test_nothing_is_said_where_nothing_is_missing() -> None:
    assert said(ledger("law"), ledger("math")) == []


def test_an_evaluation_without_a_ledger_says_that_nothing_was_counted() -> None:
    (text,) = said()
    assert text.startswith("What was missing was not counted")
    found = warnings_of([], ACCURACY, [], LABELS)
    assert completeness([], found) is None
    assert completeness([], []) is None, "not even what was evaluated is known"


def test_what_is_complete_is_what_was_counted() -> None:
    whole = completeness([ledger("law", n_truncated=0)], [])
    assert whole == (
        "Nothing was missing: each solution has an answer and a reward by each model, and was read whole."
    )
    unknown = completeness([ledger("law", n_truncated=0), ledger("law", "b")], [])
    assert unknown is not None
    assert unknown.endswith("Whether each was read whole was not recorded.")
    assert completeness([ledger("law")], [{"dataset": "d", "text": "Some."}]) is None


def test_a_data_set_without_accuracies_has_warnings_too() -> None:
    rows = [ledger("law", estimator="versaprm", n_unanswered=3)]
    (found,) = warnings_of(rows, [], [], LABELS)
    assert found["text"].startswith("3 of 1,000 solutions have no parsed answer")


def test_answers_are_counted_once_for_all_models() -> None:
    rows = [ledger(category, model, n_unanswered=7) for category in "xy" for model in "ab"]
    (text,) = said(*rows)
    assert text == "14 of 2,000 solutions have no parsed answer, and count as wrong."


def test_rewards_are_counted_for_each_model_once_for_its_aggregations() -> None:
    rows = [
        ledger(category, aggregation=aggregation, n_unscored=3, n_truncated=1)
        for category in "xy"
        for aggregation in ("last", "min")
    ]
    assert said(*rows, ledger("x", "b"), ledger("y", "b")) == [
        "A (2 seeds) has no reward for 6 of 2,000 solutions.",
        "A (2 seeds) has read or written only a part for 2 of 2,000 solutions.",
    ]


def test_only_one_estimator_counts() -> None:
    paper, exact = ledger("x", estimator="paper", n_unanswered=9), ledger("x", n_unanswered=2)
    assert of_one_estimator([paper, exact]) == [exact]
    assert of_one_estimator([paper]) == [paper]
    assert said(paper, exact) == ["2 of 1,000 solutions have no parsed answer, and count as wrong."]


def test_questions_without_solutions_and_small_pools_and_tests_that_were_not_made() -> None:
    rows = [ledger("x", n_without_solution=2, n_cut_off=5)]
    assert said(
        *rows,
        accuracy=[accuracy("majority_vote", 1, n_short=1), accuracy("majority_vote", 4, n_short=3)],
        headline=[headline("a", verdict="untested")],
    ) == [
        "2 of 6 questions have no solution, and count as wrong.",
        "5 samples were cut off, and count as wrong.",
        "3 questions have fewer than 4 solutions: all they have are used.",
        "Some differences could not be tested, because there is too little to compare.",
    ]


def test_evaluations_that_there_are_not_are_named_with_their_commands() -> None:
    assert missing_tables(list(EVALUATIONS), {}) == []
    texts = missing_tables(["accuracy", "comparisons", "headline"], {})
    assert texts[0] == "No costs: `multirm evaluate` writes them."
    assert len(texts) == len(set(EVALUATIONS.values()))
    assert missing_tables([], {})[0].startswith("No accuracy, comparisons, headline or costs: ")


def test_questions_that_did_not_fit_are_counted() -> None:
    whole = {"name": "d", "n_questions": 5, "n_shown": 5}
    assert left_out([whole]) == []
    (text,) = left_out([whole, {"name": "e", "n_questions": 2063, "n_shown": 300}])
    assert text.startswith("Of e, 300 of 2,063 questions are ")
