"""What readers should know before they trust a number, in sentences: what was missing, and how much of it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from multirm.tables.accuracy import OVERALL, Estimator, Selection
from multirm.tables.headline import Verdict
from multirm.tables.schema import Row

# Tables of an evaluation that the page or `multirm query` can show, with the command that writes them.
EVALUATIONS = {
    "accuracy": "multirm evaluate",
    "comparisons": "multirm evaluate",
    "headline": "multirm evaluate",
    "costs": "multirm evaluate",
    "variance": "multirm measure-uncertainty",
    "verification": "multirm evaluate-verification",
    "lengths": "multirm analyse-solutions",
    "log_errors": "multirm measure-log-errors",
}

# Of all solutions of a pool, whatever the reward model.
_OF_SOLUTIONS = {
    "n_unanswered": "{count} of {total} solutions have no parsed answer, and count as wrong",
    "n_other_form": "{count} of {total} solutions have an answer of another form than the reference answer",
    "n_cut_off": "{count} samples were cut off, and count as wrong",
}
_UNCOUNTED = "What was missing was not counted: this evaluation has no ledger of it."
_OF_MODELS = {
    "n_unscored": "{model} has no reward for {count} of {total} solutions",
    "n_truncated": "{model} has read or written only a part for {count} of {total} solutions",
}


def warnings_of(
    ledger: Sequence[Row],
    accuracy: Sequence[Row],
    headline: Sequence[Row],
    labels: Mapping[str, Mapping[str, str]],
) -> list[dict[str, Any]]:
    """What was missing, by data set.

    Args:
        ledger: rows of the ledger table; those of the exact estimator count, or of another one if there are no such.
        accuracy: rows of the accuracy table.
        headline: rows of the headline table.
        labels: what to call each model, by data set.

    Returns:
        `dataset`, and `text`: a sentence about it.
    """
    found = []
    for dataset in dict.fromkeys([*labels, *(row["dataset"] for row in accuracy)]):
        rows = of_one_estimator([row for row in ledger if row["dataset"] == dataset])
        own = labels.get(dataset, {})
        said = [
            *([] if rows else [_UNCOUNTED]),
            *_of_questions(rows),
            *_of_models(rows, own),
            *_of_sizes([row for row in accuracy if row["dataset"] == dataset]),
            *_of_tests([row for row in headline if row["dataset"] == dataset]),
        ]
        found += [{"dataset": dataset, "text": text} for text in said]
    return found


def completeness(ledger: Sequence[Row], warnings: Sequence[Mapping[str, Any]]) -> str | None:
    """What can be said where nothing was missing, as far as it was counted; None where something was.

    Args:
        ledger: rows of the ledger table.
        warnings: as from `warnings_of` for this ledger.
    """
    if warnings or not ledger:
        return None
    known = "Nothing was missing: each solution has an answer and a reward by each model"
    if any(row["n_truncated"] is None for row in ledger):
        return f"{known}. Whether each was read whole was not recorded."
    return f"{known}, and was read whole."


def of_one_estimator(rows: Sequence[Row]) -> list[Row]:
    """The rows of the exact estimator, or of the first one if there are no such; rows have the column `estimator`."""
    estimators = [row["estimator"] for row in rows]
    chosen = Estimator.EXACT if Estimator.EXACT in estimators else next(iter(estimators), None)
    return [row for row in rows if row["estimator"] == chosen]


def _of_questions(rows: Sequence[Row]) -> Iterator[str]:
    # Every model's row of a category counts the same questions and solutions.
    categories = {row["category"]: row for row in rows}.values()
    total = sum(row["n_solutions"] for row in categories)
    if count := sum(row["n_without_solution"] or 0 for row in categories):
        questions = sum(row["n_questions"] for row in categories)
        yield f"{count:,} of {questions:,} questions have no solution, and count as wrong."
    for name, sentence in _OF_SOLUTIONS.items():
        if count := sum(row[name] or 0 for row in categories):
            yield f"{sentence.format(count=f'{count:,}', total=f'{total:,}')}."


def _of_models(rows: Sequence[Row], labels: Mapping[str, str]) -> Iterator[str]:
    for model, label in labels.items():
        # Its aggregations' rows of a category count the same rewards.
        own = {row["category"]: row for row in rows if row["model"] == model}.values()
        total = sum(row["n_solutions"] for row in own)
        for name, sentence in _OF_MODELS.items():
            if count := sum(row[name] or 0 for row in own):
                words = {"model": label, "count": f"{count:,}", "total": f"{total:,}"}
                yield f"{sentence.format(**words)}."


def _of_sizes(accuracy: Sequence[Row]) -> Iterator[str]:
    largest = max((row["n"] for row in accuracy), default=0)
    short = max(
        (
            row["n_short"]
            for row in accuracy
            if row["n"] == largest
            and row["category"] == OVERALL
            and row["selection"] == Selection.MAJORITY_VOTE
        ),
        default=0,
    )
    if short:
        yield f"{short:,} questions have fewer than {largest} solutions: all they have are used."


def _of_tests(headline: Sequence[Row]) -> Iterator[str]:
    if any(row["verdict"] == Verdict.UNTESTED for row in headline):
        yield "Some differences could not be tested, because there is too little to compare."


def missing_tables(names: Sequence[str], tables: Mapping[str, Sequence[Row]]) -> list[str]:
    """What evaluations a data set does without, each with the command that makes up for it.

    Args:
        names: of the tables that there are.
        tables: rows of those that are read, which may be empty.
    """
    absent: dict[str, list[str]] = {}
    for table, command in EVALUATIONS.items():
        if table not in names and not tables.get(table):
            absent.setdefault(command, []).append(table)
    return [f"No {_or(own)}: `{command}` writes them." for command, own in absent.items()]


def left_out(datasets: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the section of solutions had to leave out, in sentences.

    Args:
        datasets: `name`, `n_questions` and `n_shown`, as in its payload.
    """
    return [
        f"Of {each['name']}, {each['n_shown']:,} of {each['n_questions']:,} questions are among the solutions on this"
        " page: half of them at random, half because there is something to see. `multirm show` shows any other."
        for each in datasets
        if each["n_shown"] < each["n_questions"]
    ]


def _or(words: Sequence[str]) -> str:
    *others, last = (word.replace("_", " ") for word in words)
    return f"{', '.join(others)} or {last}" if others else last
