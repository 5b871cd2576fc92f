"""The section *Overview* of the page: the answer for each data set, in sentences and in numbers, and what ran."""

from collections.abc import Mapping, Sequence
from typing import Any

from multirm.report.page.missing import of_one_estimator
from multirm.report.page.scorers import labels_of
from multirm.tables.accuracy import ALL_QUESTIONS, OVERALL, Estimator, IntervalNote, Selection
from multirm.tables.headline_sentences import headline_sentences
from multirm.tables.schema import Row

Scorers = Mapping[str, Sequence[Mapping[str, Any]]]

_WITHOUT_REWARDS = (Selection.MAJORITY_VOTE, Selection.PASS)


def overview_payload(
    accuracy: Sequence[Row],
    headline: Sequence[Row],
    scorers: Scorers,
    warnings: Sequence[Mapping[str, Any]] = (),
    absent: Sequence[str] = (),
    complete: str | None = None,
) -> dict[str, Any]:
    """What the section shows, ready for JSON.

    Args:
        accuracy: rows of the tables accuracy and accuracy_over_seeds, of all data sets.
        headline: rows of the headline table, of all data sets.
        scorers: of each data set, as from `scorers_of`.
        warnings: what was missing, as from `warnings_of`.
        absent: what is not there or was left out of the page, in sentences.
        complete: what to say where nothing was missing, as from `completeness`.

    Returns:
        `datasets`: for each, its `name`, what it has (`n_questions`, `categories`, `sizes`, `estimators`), `is_macro`
        (whether its numbers are means over categories, or over all questions), its `scorers`, the `sentences` of its
        headline, `gains` (the headline's rows, with `scorer`, a position, or null), and `accuracies` of what needs no
        reward model; `warnings`, `absent` and `complete`; `notes`: what an interval's note means.
    """
    return {
        "datasets": [
            _of_dataset(
                name,
                [row for row in accuracy if row["dataset"] == name],
                [row for row in headline if row["dataset"] == name],
                own,
            )
            for name, own in scorers.items()
        ],
        "warnings": list(warnings),
        "absent": list(absent),
        "complete": complete,
        "notes": {str(note): note.meaning for note in IntervalNote},
    }


def _of_dataset(
    name: str,
    accuracy: Sequence[Row],
    headline: Sequence[Row],
    scorers: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    # VersaPRM's protocol has a table of its own, in which all questions count alike.
    accuracy = [{"estimator": str(Estimator.VERSAPRM), **row} for row in accuracy]
    rows = of_one_estimator(accuracy)
    found = dict.fromkeys(row["category"] for row in rows)
    whole = OVERALL if OVERALL in found else ALL_QUESTIONS
    overall = [row for row in rows if row["category"] == whole]
    places = {(each["model"], each["aggregation"]): place for place, each in enumerate(scorers)}
    sizes = sorted({row["n"] for row in overall})
    return {
        "name": name,
        "n_questions": max((row["n_questions"] for row in overall), default=None),
        "categories": sorted(found.keys() - {OVERALL, ALL_QUESTIONS}),
        "is_macro": whole == OVERALL,
        "sizes": sizes,
        "estimators": list(dict.fromkeys(row["estimator"] for row in accuracy)),
        "scorers": list(scorers),
        "sentences": headline_sentences(headline, labels_of(scorers)),
        "gains": [
            {
                "scorer": places[row["model"], row["aggregation"]],
                **{
                    column: row[column]
                    for column in (
                        *("selection", "n", "difference", "difference_low", "difference_high"),
                        *("p_holm", "n_tests", "verdict", "note"),
                    )
                },
            }
            for row in headline
            if (row["model"], row["aggregation"]) in places
        ],
        "accuracies": [
            {
                column: row[column]
                for column in ("selection", "n", "accuracy", "accuracy_low", "accuracy_high")
            }
            for row in overall
            if whole == OVERALL
            and row["selection"] in _WITHOUT_REWARDS
            and row["n"] in (sizes[0], sizes[-1])
        ],
    }
