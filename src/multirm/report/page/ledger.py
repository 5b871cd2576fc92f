"""The section *Data and ledger* of the page: how much there was of everything, what was left out and why, lengths."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import duckdb

from multirm.database.question_pools import views_in
from multirm.tables.critiques import DropReason


@dataclass(frozen=True)
class Count:
    """A table of counts.

    Attributes:
        view: what is counted.
        title: what the table is called.
        text: what it says, for readers.
        query: its rows. Numbers are in columns that start with `n_` or `mean_`; `category` is null where all
            categories are counted together. Columns without any value are left out.
    """

    view: str
    title: str
    text: str
    query: str


_REASONS = ", ".join(f"sum(n_{reason}) AS n_{reason}" for reason in DropReason)

COUNTS = (
    Count(
        "solutions",
        "Solutions",
        "Judged solutions have an outcome label, labelled ones have labels of their steps. Recoveries have a correct"
        " answer after an incorrect step.",
        """
        SELECT dataset, category, count(DISTINCT (category, question_id)) AS n_questions,
            count(*) AS n_solutions,
            count(*) FILTER (parsed_answer IS NULL) AS n_without_an_answer,
            count(outcome) AS n_judged, count(*) FILTER (outcome = 1) AS n_correct,
            count(step_labels) AS n_labelled,
            count(*) FILTER (outcome = 1 AND list_contains(step_labels, 0)) AS n_recoveries,
            avg(len(steps)) AS mean_steps,
            avg(list_sum(list_transform(steps, lambda step: length(step)))) AS mean_characters
        FROM solutions GROUP BY GROUPING SETS ((dataset), (dataset, category))
        ORDER BY dataset, category NULLS FIRST
        """,
    ),
    Count(
        "samples",
        "Samples",
        "Everything that a policy wrote. What did not become a solution has the reason.",
        """
        SELECT dataset, category, coalesce(reason, 'a solution') AS became, count(*) AS n_samples
        FROM samples GROUP BY GROUPING SETS ((dataset, became), (dataset, category, became))
        ORDER BY dataset, category NULLS FIRST, n_samples DESC, became
        """,
    ),
    Count(
        "filtering",
        "Filtering of critiques",
        "Critiques that reward models could learn from; the others are left out for the first reason that applies.",
        f"""
        SELECT critiques AS "set", dataset, kind, category, sum(n_critiques) AS n_critiques, {_REASONS},
            sum(n_kept) AS n_kept, sum(n_kept_yes) AS n_kept_with_yes, sum(n_kept_no) AS n_kept_with_no
        FROM filtering GROUP BY ALL ORDER BY ALL NULLS FIRST
        """,
    ),
    Count(
        "critique_checks",
        "Lengths of critiques",
        "Of the critiques kept: tokens of prompt and critique as generated, and characters after shortening.",
        """
        SELECT dataset, kind, category, sum(n_critiques) AS n_critiques, sum(n_truncated) AS n_truncated,
            sum(n_kept) AS n_kept, median(median_tokens) AS mean_median_tokens,
            max(max_tokens) AS n_most_tokens, median(median_characters) AS mean_median_characters,
            max(max_characters) AS n_most_characters
        FROM critique_checks GROUP BY GROUPING SETS ((dataset, kind), (dataset, kind, category))
        ORDER BY dataset, kind, category NULLS FIRST
        """,
    ),
    Count(
        "reply_counts",
        "Replies of policies and judges",
        "What was asked for, and the replies that could be used.",
        """
        SELECT dataset, kind, category, n_asked, n_without, n_replies, n_used
        FROM reply_counts ORDER BY dataset, kind, category NULLS FIRST
        """,
    ),
    Count(
        "examples",
        "Training examples",
        "What each reward model has learned from, and what was left out. Positive ones are correct or end in Yes.",
        """
        SELECT model, category, sum(n_used) AS n_used, sum(n_positive) AS n_positive,
            sum(n_too_long) AS n_too_long, sum(n_unlabelled) AS n_unlabelled
        FROM examples GROUP BY GROUPING SETS ((model), (model, category))
        ORDER BY model, category NULLS FIRST
        """,
    ),
    Count(
        "rewards",
        "Rewards",
        "A missing reward stays missing. Truncated solutions were read, or their critiques written, only in part."
        " Tokens are means per solution.",
        """
        SELECT dataset, model, category, any_value(unit) AS unit, any_value(scale) AS scale,
            count(*) AS n_solutions, sum(len(rewards)) AS n_rewards,
            sum(len(rewards) - list_count(rewards)) AS n_missing_rewards,
            count(*) FILTER (rewards IS NULL OR list_count(rewards) = 0) AS n_without_any,
            count(*) FILTER (truncated) AS n_truncated,
            avg(n_tokens_read) AS mean_tokens_read, avg(n_tokens_generated) AS mean_tokens_generated
        FROM rewards GROUP BY GROUPING SETS ((dataset, model), (dataset, model, category))
        ORDER BY dataset, model, category NULLS FIRST
        """,
    ),
    Count(
        "ledger",
        "Ledger of the evaluation",
        "What each accuracy is based on. In a tied pool, several solutions have the highest reward; the accuracy is"
        " the expectation over them.",
        """
        SELECT dataset, model, aggregation, estimator, category, sum(n_questions) AS n_questions,
            sum(n_without_solution) AS n_without_a_solution, sum(n_solutions) AS n_solutions,
            sum(n_unanswered) AS n_without_an_answer, sum(n_other_form) AS n_of_another_form,
            sum(n_cut_off) AS n_cut_off, sum(n_unscored) AS n_without_a_reward,
            sum(n_unscored_pools) AS n_pools_without_rewards, sum(n_tied_pools) AS n_tied_pools,
            sum(n_truncated) AS n_truncated
        FROM ledger
        GROUP BY GROUPING SETS (
            (dataset, model, aggregation, estimator),
            (dataset, model, aggregation, estimator, category)
        )
        ORDER BY dataset, model, aggregation, estimator, category NULLS FIRST
        """,
    ),
)


def ledger_payload(
    database: duckdb.DuckDBPyConnection,
    warnings: Sequence[Mapping[str, Any]] = (),
    complete: str | None = None,
) -> dict[str, Any]:
    """What the section shows, ready for JSON.

    Args:
        database: with a view for each kind of table, as from `open_database`.
        warnings: what was missing, as from `warnings_of`.
        complete: what to say where nothing was, as from `completeness`.

    Returns:
        `warnings`; `complete`; `tables`: for each, its `view`, `title`, `text`, `columns` (`name`, `title`,
        `is_number`), and `rows`, of which those without a category are totals.
    """
    return {
        "warnings": list(warnings),
        "complete": complete,
        "tables": list(_counted(database, views_in(database))),
    }


def _counted(database: duckdb.DuckDBPyConnection, views: Set[str]) -> Iterator[dict[str, Any]]:
    for count in COUNTS:
        if count.view not in views:
            continue
        found = database.execute(count.query)
        names = [name for name, *_ in found.description or ()]
        rows = [[_plain(value) for value in row] for row in found.fetchall()]
        used = [place for place, name in enumerate(names) if _is_used(name, rows, place)]
        if rows:
            yield {
                "view": count.view,
                "title": count.title,
                "text": count.text,
                "columns": [
                    {
                        "name": names[place],
                        "title": _title(names[place]),
                        "is_number": names[place].startswith(("n_", "mean_")),
                    }
                    for place in used
                ],
                "rows": [[row[place] for place in used] for row in rows],
            }


def _is_used(name: str, rows: Sequence[Sequence[Any]], place: int) -> bool:
    values = [row[place] for row in rows]
    # Reasons that never applied would fill a screen.
    is_reason = name.removeprefix("n_") in set(DropReason)
    return any(values) if is_reason else any(value is not None for value in values)


def _title(name: str) -> str:
    """A column's title: `n_too_long` is `too long`, `mean_steps` is `steps, mean`."""
    if name == "dataset":
        return "data set"
    words = name.removeprefix("n_").removeprefix("mean_").replace("_", " ")
    is_mean = name.startswith("mean_") and "median" not in name
    return f"{words}, mean" if is_mean else words


def _plain(value: Any) -> Any:
    """A value of SQL as one of JSON: sums of whole numbers are decimals."""
    if value is None or isinstance(value, (str, int)):
        return value
    number = float(value)
    return int(number) if number.is_integer() else round(number, 2)
