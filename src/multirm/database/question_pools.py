"""The pools of solutions with all their rewards, question by question, from a database of views over tables.

For those who look at single questions: the report's page and `multirm show`. Texts are read separately
(`question_texts`), since most pools are only looked at to find the interesting ones.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from multirm.database.choices import Pool
from multirm.database.reasons import (
    NO_ANSWER,
    ExplainedChoice,
    Scorer,
    Trait,
    explained_choices,
    traits_of_choices,
)
from multirm.reward_models.aggregate import (
    aggregate_lists,
    weights_in_pools,
    without_rounding_errors,
)
from multirm.tables import parquet
from multirm.tables.accuracy import DEFAULT_AGGREGATION, Aggregation
from multirm.tables.reward_models import Kind
from multirm.tables.rewards import RewardType, Scale, Unit
from multirm.text.answer_rules import AnswerRule
from multirm.text.answers import spelled_alike

# The same rows may be in two folders of results: those of the first file count. In tables from elsewhere, "N/A" may
# mean no answer.
_SOLUTIONS = """
    SELECT question_id, solution_id, answer, outcome, step_labels, NULL AS reason,
        CASE WHEN lower(trim(parsed_answer)) != 'n/a' THEN parsed_answer END AS parsed_answer
    FROM solutions WHERE dataset = $dataset AND category = $category
    QUALIFY row_number() OVER (PARTITION BY question_id, solution_id ORDER BY file) = 1
"""

# Samples that are no solutions are part of their pools, where they are wrong.
_SAMPLES = """
    UNION ALL BY NAME
    SELECT samples.question_id, samples.solution_id, known.answer, samples.reason
    FROM samples LEFT JOIN (
        SELECT question_id, any_value(answer) AS answer
        FROM solutions WHERE dataset = $dataset AND category = $category GROUP BY question_id
    ) AS known USING (question_id)
    WHERE samples.dataset = $dataset AND samples.category = $category AND samples.reason IS NOT NULL
"""

_REWARDS = """
    SELECT coalesce(own.rewards, []) AS rewards, own.rewards IS NULL AS is_absent, own.truncated
    FROM pooled LEFT JOIN (
        SELECT question_id, solution_id, rewards, truncated FROM rewards
        WHERE model = $model AND dataset = $dataset AND category = $category
        QUALIFY row_number() OVER (PARTITION BY question_id, solution_id ORDER BY file) = 1
    ) AS own USING (question_id, solution_id)
    ORDER BY pooled.question_id, pooled.solution_id
"""

_TYPES = """
    SELECT model, any_value(unit), any_value(scale) FROM rewards
    WHERE dataset = $dataset GROUP BY model ORDER BY model
"""

_SCORERS = """
    SELECT DISTINCT model, aggregation FROM accuracy
    WHERE dataset = $dataset AND model IS NOT NULL AND aggregation IS NOT NULL
    ORDER BY model, aggregation
"""

_KINDS = "SELECT model, any_value(kind) FROM reward_models WHERE dataset = $dataset GROUP BY model"

_AGGREGATION_OF_UNIT = {
    Unit.STEP: Aggregation.MIN,
    Unit.CRITIQUE: Aggregation.MEAN,
    Unit.SOLUTION: Aggregation.LAST,
    None: Aggregation.MEAN,
}


@dataclass(frozen=True)
class KnownModel:
    """A reward model that scored a dataset.

    Attributes:
        kind: None if unknown.
        type: what its numbers are.
        aggregations: those that its evaluation used, or else the usual one of its kind.
    """

    name: str
    kind: Kind | None
    type: RewardType
    aggregations: tuple[Aggregation, ...]


@dataclass(frozen=True)
class QuestionPool:
    """All solutions to a question, and samples that are no solutions, in the order of their ids.

    Attributes:
        reference: the question's answer, if it is known.
        solution_ids: one per solution, as are the values of all attributes that follow.
        parsed: parsed answers as they were written.
        answers: int [K], equal if answers are equal; `NO_ANSWER` for none.
        correct: bool [K].
        judged: bool [K], whether correctness is known.
        labels: step labels, None for a solution without any.
        reasons: why a sample is no solution; None for solutions.
        rewards: for each model, the list of rewards; None where there is no row.
        truncated: for each model, whether something was too long to be read or written; None if unknown.
        scores: for each scorer, the aggregated reward, float64 [K]; NaN if missing.
        weights: for each scorer, what selections rank and vote by, float64 [K]; NaN if missing.
    """

    dataset: str
    category: str
    question_id: str
    reference: str | None
    solution_ids: Sequence[int]
    parsed: Sequence[str | None]
    answers: np.ndarray
    correct: np.ndarray
    judged: np.ndarray
    labels: Sequence[Sequence[int] | None]
    reasons: Sequence[str | None]
    rewards: Mapping[str, Sequence[Sequence[float | None] | None]]
    truncated: Mapping[str, Sequence[bool | None]]
    scores: Mapping[Scorer, np.ndarray]
    weights: Mapping[Scorer, np.ndarray]

    @property
    def key(self) -> tuple[str, str, str]:
        return self.dataset, self.category, self.question_id

    @cached_property
    def choices(self) -> list[ExplainedChoice]:
        """What each selection chooses from it."""
        complete = np.array([reason is None for reason in self.reasons])
        pool = Pool(self.answers, self.correct, bool(self.judged.all()))
        return explained_choices(pool, complete, self.scores, self.weights)

    @property
    def recoveries(self) -> list[int]:
        """Positions of solutions with an incorrect step and a correct answer."""
        return [
            place
            for place, labels in enumerate(self.labels)
            if labels and 0 in labels and self.correct[place] and self.judged[place]
        ]

    @property
    def traits(self) -> set[Trait]:
        """What makes it worth looking at."""
        is_solution = [reason is None for reason in self.reasons]
        missing = any(
            solution and (rewards is None or None in rewards or not rewards)
            for own in self.rewards.values()
            for solution, rewards in zip(is_solution, own, strict=True)
        )
        own = {
            Trait.RECOVERY: bool(self.recoveries),
            Trait.TRUNCATED: any(flag for flags in self.truncated.values() for flag in flags),
            Trait.MISSING: missing,
        }
        return traits_of_choices(self.choices) | {trait for trait, holds in own.items() if holds}


def views_in(database: duckdb.DuckDBPyConnection) -> set[str]:
    """The names of a database's views."""
    return {name for (name,) in database.execute("SHOW TABLES").fetchall()}


def scored_datasets(database: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """The datasets and categories that have solutions and rewards, in order."""
    if not {"rewards", "solutions"} <= views_in(database):
        return []
    query = "SELECT DISTINCT dataset, category FROM rewards INTERSECT SELECT DISTINCT dataset, category FROM solutions"
    return sorted(database.execute(query).fetchall())


def models_of(database: duckdb.DuckDBPyConnection, dataset: str) -> list[KnownModel]:
    """The reward models that scored a dataset, by name."""
    views, given = views_in(database), {"dataset": dataset}
    if "rewards" not in views:
        return []
    kinds = dict(database.execute(_KINDS, given).fetchall()) if "reward_models" in views else {}
    used: dict[str, list[Aggregation]] = {}
    if "accuracy" in views:
        for model, aggregation in database.execute(_SCORERS, given).fetchall():
            used.setdefault(model, []).append(Aggregation(aggregation))
    models = []
    for model, unit, scale in database.execute(_TYPES, given).fetchall():
        kind = Kind(kinds[model]) if kinds.get(model) else None
        type_ = RewardType(Unit(unit) if unit else None, Scale(scale or Scale.PROBABILITY))
        usual = DEFAULT_AGGREGATION[kind] if kind else _AGGREGATION_OF_UNIT[type_.unit]
        models.append(KnownModel(model, kind, type_, tuple(used.get(model, [usual]))))
    return models


def answer_rule(database: duckdb.DuckDBPyConnection, dataset: str) -> AnswerRule:
    """When answers are equal: as the dataset's evaluation compared them, or else as its import was told.

    By meaning, if neither says anything.
    """
    evaluated = [each.get("answers") for each in _parameters(database, "accuracy", dataset)]
    for rule in evaluated:
        if rule in (AnswerRule.STRICT, AnswerRule.GRADED):
            return AnswerRule(rule)
    imported = [] if evaluated else _parameters(database, "solutions", dataset)
    return AnswerRule.GRADED if any(map(has_grades, imported)) else AnswerRule.MEANING


def has_grades(parameters: Mapping[str, Any]) -> bool:
    """Whether the outcome labels of solutions are somebody's own grades, by what their table was made with."""
    return parameters.get("graded") is True


def _parameters(
    database: duckdb.DuckDBPyConnection, view: str, dataset: str
) -> list[Mapping[str, Any]]:
    """What the tables of a dataset were made with."""
    if view not in views_in(database):
        return []
    query = f"SELECT DISTINCT file FROM {view} WHERE dataset = $dataset ORDER BY file"
    files = database.execute(query, {"dataset": dataset}).fetchall()
    return [parquet.read_footer(Path(file)).parameters for (file,) in files]


def read_pools(
    database: duckdb.DuckDBPyConnection,
    dataset: str,
    category: str,
    models: Sequence[KnownModel],
    rule: AnswerRule = AnswerRule.MEANING,
    question_ids: Sequence[str] | None = None,
) -> Iterator[QuestionPool]:
    """The pools of a dataset's category, by question id.

    Args:
        models: whose rewards to read.
        rule: when two answers are equal.
        question_ids: only the pools of these questions.
    """
    views, given = views_in(database), {"dataset": dataset, "category": category}
    if "solutions" not in views:
        return
    samples = _SAMPLES if "samples" in views else ""
    which, only = "", {}
    if question_ids is not None:
        which, only = "WHERE question_id IN (SELECT unnest($ids))", {"ids": list(question_ids)}
    database.execute(
        f"CREATE OR REPLACE TEMP TABLE pooled AS FROM ({_SOLUTIONS} {samples}) {which}",
        given | only,
    )
    table = database.sql("FROM pooled ORDER BY question_id, solution_id").to_arrow_table()
    ids = np.array(table["question_id"].to_pylist(), dtype=object)
    if not len(ids):
        return
    starts = np.flatnonzero(np.r_[True, ids[1:] != ids[:-1]])
    found = {
        model.name: database.sql(_REWARDS, params={"model": model.name, **given}).to_arrow_table()
        for model in models
    }
    lists = {name: own["rewards"].combine_chunks() for name, own in found.items()}
    scores: dict[Scorer, np.ndarray] = {}
    weights: dict[Scorer, np.ndarray] = {}
    for model in models:
        for aggregation in model.aggregations:
            scorer, own = Scorer(model.name, aggregation), lists[model.name]
            scores[scorer] = aggregate_lists(own, aggregation)
            weights[scorer] = without_rounding_errors(
                weights_in_pools(own, aggregation, starts, model.type.scale)
            )
    for start, end in zip(starts, [*starts[1:], len(ids)], strict=True):
        part = slice(int(start), int(end))
        rows = table.slice(start, end - start).to_pylist()
        codes, correct, judged = _judged(rows, rule)
        yield QuestionPool(
            dataset,
            category,
            rows[0]["question_id"],
            rows[0]["answer"],
            [row["solution_id"] for row in rows],
            [row["parsed_answer"] for row in rows],
            codes,
            correct,
            judged,
            [row["step_labels"] for row in rows],
            [row["reason"] for row in rows],
            {name: _lists(own.slice(part.start, end - start)) for name, own in found.items()},
            {
                name: own["truncated"].slice(part.start, end - start).to_pylist()
                for name, own in found.items()
            },
            {scorer: values[part] for scorer, values in scores.items()},
            {scorer: values[part] for scorer, values in weights.items()},
        )


def _lists(rewards: pa.Table) -> list[list[float | None] | None]:
    return [
        None if absent else own
        for own, absent in zip(
            rewards["rewards"].to_pylist(), rewards["is_absent"].to_pylist(), strict=True
        )
    ]


def _judged(
    rows: Sequence[Mapping[str, Any]], rule: AnswerRule
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Codes of answers, whether they are correct, and whether that is known, of one pool."""
    codes: dict[str, int] = {}
    found = []
    for row in rows:
        reference, parsed, outcome = row["answer"], row["parsed_answer"], row["outcome"]
        spelled, right = (None if parsed is None else parsed.strip()), outcome == 1
        if reference is not None:
            spelled, target = _spelled(parsed, reference, rule)
            right = outcome == 1 if rule is AnswerRule.GRADED else spelled == target
        if rule is AnswerRule.GRADED and row["reason"] is None:
            own = f"{row['solution_id']}" if spelled is None else f"{spelled}\x1f{outcome}"
            spelled = own
        code = NO_ANSWER if spelled is None else codes.setdefault(spelled, len(codes))
        # A sample that is no solution is wrong, whatever else is known.
        judged = reference is not None or outcome is not None or row["reason"] is not None
        found.append((code, right and row["reason"] is None, judged))
    columns = zip(*found, strict=True)
    return tuple(np.array(column) for column in columns)  # type: ignore[return-value]


# Many solutions give the same answer.
_spelled = lru_cache(maxsize=1 << 16)(spelled_alike)
