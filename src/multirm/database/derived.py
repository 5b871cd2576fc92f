"""Views that answer natural questions: scores, choices, and steps. Each is computed as far as a query reads it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import duckdb

from multirm.tables.accuracy import DEFAULT_AGGREGATION, Aggregation
from multirm.tables.rewards import Scale, Unit
from multirm.tables.sql import graded_answer, literal, literals
from multirm.text.answer_rules import AnswerRule

_QUESTION = "dataset, category, question_id"
_SOLUTION = f"{_QUESTION}, solution_id"
_REWARDS = f"{_SOLUTION}, model"

# The same rows may be in two folders of results: those of the first file count, as in `question_pools`. Only keys are
# sorted out, without the texts beside them.
_ONCE = """
    {table} SEMI JOIN (SELECT {key}, min(file) AS file FROM {table} GROUP BY ALL) USING ({key}, file)
"""

# Solutions, and whether each is correct: its parsed answer matches the reference answer, or its outcome label says so
# where there is no reference answer, or wherever evaluation or import was told so. In tables from elsewhere, "N/A" may
# mean no answer.
_GRADED = """
    CREATE MACRO graded() AS TABLE
    SELECT
        * EXCLUDE (answer, outcome, spelling, rule),
        CASE WHEN rule = 'graded' THEN {graded} ELSE spelling.parsed END AS spelled_answer,
        CASE WHEN answer IS NULL OR rule = 'graded' THEN outcome = 1
            ELSE coalesce(spelling.parsed = spelling.reference, false) END AS correct
    FROM (
        SELECT *, {rule} AS rule, spelled(parsed_answer, answer, {rule}) AS spelling FROM (
            SELECT
                dataset, category, question_id, solution_id, answer, outcome, steps, step_labels,
                CASE WHEN lower(trim(parsed_answer)) != 'n/a' THEN parsed_answer END AS parsed_answer
            FROM {solutions}
        )
    )
"""

_RATED = f"CREATE MACRO rated() AS TABLE FROM {_ONCE.format(table='rewards', key=_REWARDS)}"

_DEFAULTS = """
    CREATE MACRO defaults() AS TABLE
    SELECT dataset, model, CASE any_value(kind) {cases} END AS default_aggregation
    FROM {reward_models} GROUP BY dataset, model
"""

_NO_MODELS = (
    "(SELECT NULL::VARCHAR AS dataset, NULL::VARCHAR AS model, NULL::VARCHAR AS kind WHERE false)"
)

# Products of scores without bounds mean nothing.
_AGGREGATIONS = f"""
    (SELECT unnest({literals(Aggregation)}) AS aggregation) AS aggregations
        ON aggregation != {literal(Aggregation.PROD)} OR scale = {literal(Scale.PROBABILITY)}
"""

_SCORES = f"""
    SELECT
        {_SOLUTION}, model, aggregation, aggregation = default_aggregation AS is_default,
        aggregated(rewards, aggregation, scale) AS score, scale, parsed_answer, correct, file
    FROM rated()
    JOIN graded() USING ({_SOLUTION})
    LEFT JOIN defaults() USING (dataset, model)
    JOIN {_AGGREGATIONS}
"""

_POOL = """
    list(
        {id: solution_id, parsed: parsed_answer, spelled: spelled_answer, correct: correct, rewards: rewards}
        ORDER BY solution_id
    ) AS pool
"""

_ANSWERS = "[s.spelled for s in pool], [s.correct for s in pool]"

_CHOICES = f"""
    WITH scored AS (
        SELECT {_QUESTION}, model, any_value(scale) AS scale, {_POOL}
        FROM (
            SELECT {_SOLUTION}, model, parsed_answer, spelled_answer, correct, scale,
                coalesce(rewards, []) AS rewards
            FROM (SELECT DISTINCT {_QUESTION}, model FROM rewards)
            JOIN graded() USING ({_QUESTION})
            LEFT JOIN rated() USING ({_SOLUTION}, model)
        ) GROUP BY {_QUESTION}, model
    ), unscored AS (
        SELECT {_QUESTION}, {_POOL}
        FROM (SELECT *, []::DOUBLE[] AS rewards FROM graded()) GROUP BY {_QUESTION}
    ), chosen AS (
        SELECT {_QUESTION}, model, aggregation, aggregation = default_aggregation AS is_default, pool,
            unnest(chosen_by_rewards([s.rewards for s in pool], {_ANSWERS}, aggregation, scale)) AS choice
        FROM scored
        LEFT JOIN defaults() USING (dataset, model)
        JOIN {_AGGREGATIONS}
        UNION ALL BY NAME
        SELECT {_QUESTION}, pool, unnest(chosen_by_majority({_ANSWERS})) AS choice FROM unscored
    )
    SELECT
        {_QUESTION}, choice.selection AS selection, model, aggregation, is_default,
        CASE WHEN len(choice.examples) = 1 THEN pool[choice.examples[1] + 1].parsed END AS answer,
        CASE WHEN choice.score IS NOT NULL AND choice.n_tied = 1
            THEN pool[choice.positions[1] + 1].id END AS solution_id,
        choice.correct AS correct,
        choice.n_tied AS n_tied,
        [pool[p + 1].parsed for p in choice.examples] AS answers,
        [pool[p + 1].id for p in choice.positions] AS solution_ids,
        choice.score AS score,
        choice.vote_share AS vote_share,
        len(pool)::INTEGER AS n
    FROM chosen
"""

_STEPS = f"""
    SELECT
        {_SOLUTION}, unnest(range(len(steps)))::INTEGER AS step, unnest(steps) AS text,
        unnest(coalesce(step_labels, [])) AS label, parsed_answer, correct
    FROM graded()
"""

_STEP_REWARDS = f"""
    SELECT
        {_SOLUTION}, model, unnest(range(len(steps)))::INTEGER AS step,
        unnest(CASE WHEN len(rewards) = len(steps) THEN rewards ELSE [] END) AS reward, scale,
        unnest(steps) AS text, unnest(coalesce(step_labels, [])) AS label, parsed_answer, correct
    FROM (FROM rated() WHERE unit = {literal(Unit.STEP)})
    JOIN graded() USING ({_SOLUTION})
"""


@dataclass(frozen=True)
class View:
    """A view over other tables.

    Attributes:
        sql: a SELECT.
        reads: the tables that it needs.
        may_read: tables that it does without.
        about: what one row is.
        columns: what each column is.
    """

    sql: str
    reads: tuple[str, ...]
    may_read: tuple[str, ...]
    about: str
    columns: Mapping[str, str]


_OF_SOLUTION = {
    "dataset": "the dataset",
    "category": "the category of the question",
    "question_id": "the question, unique in its category",
    "solution_id": "the solution, unique among those of its question",
}
_ANSWERED = {
    "parsed_answer": "the answer that was found in the solution; null if none was found",
    "correct": "whether the parsed answer matches the reference answer, as in evaluation, or, without a reference "
    "answer or with your own grading, what the outcome label says; null if neither is known",
}
_SCORED = {
    "model": "the reward model",
    "aggregation": "how the model's rewards of a solution become one",
    "is_default": "whether this is the aggregation by which models of this kind are evaluated by default; null if the "
    "kind is unknown",
}
_OF_STEP = {
    "text": "the step",
    "label": "1 if the step is correct, 0 if it is incorrect; null without labels",
    **_ANSWERED,
}
_STEP = {"step": "the step's position, from 0"}

VIEWS = {
    "scores": View(
        _SCORES,
        ("solutions", "rewards"),
        ("reward_models", "accuracy"),
        "a solution's reward by one reward model and one aggregation",
        {
            **_OF_SOLUTION,
            **_SCORED,
            "score": "the aggregated reward, by which best-of-N ranks the solutions of a question; null if it is "
            "missing",
            "scale": "`probability`, or `score` without bounds; null if unknown",
            **_ANSWERED,
            "file": "the file of the rewards",
        },
    ),
    "choices": View(
        _CHOICES,
        ("solutions", "rewards"),
        ("reward_models", "accuracy"),
        "what a selection chooses from all solutions to a question: accuracy with N as large as the pool",
        {
            **{name: _OF_SOLUTION[name] for name in ("dataset", "category", "question_id")},
            "selection": "`best_of_n`, `weighted_vote` or `majority_vote`",
            "model": "the reward model; null for the majority vote",
            "aggregation": "how the model's rewards of a solution become one; null for the majority vote",
            "is_default": "as in scores; null for the majority vote",
            "answer": "the chosen answer, as its first solution writes it; null if several tie, or there is none",
            "solution_id": "the solution that best-of-N chooses; null if several tie, if none has a reward, and for "
            "votes",
            "correct": "whether the choice is correct: 1 or 0, or, if several tie, the probability that one of them "
            "drawn at random is; null if that is unknown",
            "n_tied": "how many tie: solutions of best-of-N, answers of a vote; 1 for a clear choice, 0 for none",
            "answers": "all answers that tie",
            "solution_ids": "all solutions that tie (best-of-N), or that give one of these answers (votes)",
            "score": "the chosen solution's aggregated reward (best-of-N); null for votes, and if no solution has one",
            "vote_share": "the part of the votes that the chosen answer has (votes); null for best-of-N, without "
            "votes, and if some are negative",
            "n": "the number of solutions in the pool, without samples that did not become solutions",
        },
    ),
    "steps": View(
        _STEPS,
        ("solutions",),
        ("accuracy",),
        "a step of a solution",
        {**_OF_SOLUTION, **_STEP, **_OF_STEP},
    ),
    "step_rewards": View(
        _STEP_REWARDS,
        ("solutions", "rewards"),
        ("accuracy",),
        "a step of a solution, with its reward by one of the reward models that rate steps",
        {
            **_OF_SOLUTION,
            "model": "the reward model",
            **_STEP,
            "reward": "the step's reward; null if it is missing",
            "scale": "`probability`, or `score` without bounds; null if unknown",
            **_OF_STEP,
        },
    ),
}


def define_views(
    database: duckdb.DuckDBPyConnection,
    tables: Collection[str],
    rules: Mapping[str, AnswerRule],
) -> list[str]:
    """Create those views whose tables a database has, and return their names.

    Args:
        tables: the names of the views that it has.
        rules: when answers are equal, by dataset; for others, if they mean the same.
    """
    has_models = "reward_models" in tables
    if "solutions" in tables:
        rule = literal(AnswerRule.MEANING)
        if rules:
            pairs = " ".join(
                f"WHEN {literal(name)} THEN {literal(of)}" for name, of in rules.items()
            )
            rule = f"CASE dataset {pairs} ELSE {rule} END"
        graded = graded_answer("spelling.parsed")
        solutions = _ONCE.format(table="solutions", key=_SOLUTION)
        database.execute(_GRADED.format(rule=rule, graded=graded, solutions=solutions))
    if "rewards" in tables:
        database.execute(_RATED)
    cases = " ".join(
        f"WHEN {literal(kind)} THEN {literal(name)}" for kind, name in DEFAULT_AGGREGATION.items()
    )
    source = "reward_models" if has_models else _NO_MODELS
    database.execute(_DEFAULTS.format(cases=cases, reward_models=source))
    found = views_over(tables)
    for name in found:
        database.execute(f"CREATE VIEW {name} AS {VIEWS[name].sql}")
    return found


def views_over(tables: Collection[str]) -> list[str]:
    """The names of those of these views whose tables are there."""
    return [name for name, view in VIEWS.items() if set(view.reads) <= set(tables)]


def read_by(name: str) -> tuple[str, ...]:
    """The tables that a view reads, if it is one of these; otherwise itself."""
    view = VIEWS.get(name)
    return (*view.reads, *view.may_read) if view else (name,)
