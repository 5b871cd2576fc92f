"""What every command of the evaluation is given: one dataset's solutions and rewards, and what to do with them."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb

from multirm.errors import InputError, shown
from multirm.evaluation.arguments import parse_aggregations, parse_rewards, parse_said
from multirm.evaluation.input_checks import (
    check_answers,
    check_apart,
    check_rewards,
    check_solutions,
    reward_type,
    warn_of_outcomes,
)
from multirm.evaluation.methods import Scorer, scorers
from multirm.evaluation.pools import OURS, published_answers
from multirm.evaluation.training_seeds import Means
from multirm.evaluation.views import open_inputs
from multirm.running.provenance import Origin, origin_of
from multirm.tables import parquet
from multirm.tables.accuracy import Aggregation, Estimator
from multirm.tables.reward_model_rows import RewardModel, describe, means_of, runs_of
from multirm.tables.rewards import REWARDS, RewardType, Scale, Unit
from multirm.tables.schema import Schema
from multirm.text.answer_rules import AnswerRule

logger = logging.getLogger(__name__)

SIZES = (1, 2, 4, 8, 16)

POOL_SIZES = """
    SELECT size, count(*)
    FROM (SELECT count(*) AS size FROM solutions GROUP BY category, question_id)
    GROUP BY size
"""

Row = dict[str, Any]


@dataclass(frozen=True)
class Subpools:
    """The subpools that answers are selected from.

    Attributes:
        n: their sizes.
        runs: how many are drawn for each question and size, where any are.
        seed: of those that are drawn.
    """

    n: list[int]
    runs: int
    seed: int


@dataclass(frozen=True)
class Opened:
    """One dataset's solutions and rewards, checked.

    Attributes:
        database: with the views `solutions` and `rewards`.
        scorers: in the order in which they are reported.
        means: the names of means over training runs, and of the runs of each.
        types: what the rewards of each model are.
        answers: how answers are compared, `OURS` or as published.
        files: what was read.
        origin: of all that is made of them.
    """

    database: duckdb.DuckDBPyConnection
    dataset: str
    scorers: list[Scorer]
    means: Means
    types: dict[str, RewardType]
    answers: Mapping[str, str]
    files: list[Path]
    origin: Origin

    @property
    def models(self) -> list[str]:
        return list(dict.fromkeys(scorer.model for scorer in self.scorers))

    def write(
        self,
        folder: Path,
        rows: Sequence[tuple[Schema, Sequence[Row]]],
        subpools: Subpools | None = None,
        texts: Mapping[str, str] | None = None,
        **parameters: Any,
    ) -> None:
        """Write rows of this dataset as tables of some schemas, and texts beside them: all at once, or nothing.

        Raises:
            InputError: one of them would replace what was read.
        """
        for name in [*(f"{schema.name}.parquet" for schema, _ in rows), *(texts or {})]:
            path = folder / name
            if path.exists() and any(path.samefile(file) for file in self.files if file.exists()):
                raise InputError(path, expected="a file to replace that is no input", found="one")
        drawn = asdict(subpools) if subpools else {}
        parquet.write_together(
            [
                (
                    folder / f"{schema.name}.parquet",
                    schema,
                    [{"dataset": self.dataset, **row} for row in of_table],
                )
                for schema, of_table in rows
            ],
            self.origin.having(**drawn, **parameters),
            {folder / name: text for name, text in (texts or {}).items()},
        )


def open_evaluation(
    module: str,
    solutions: Sequence[str],
    rewards: Sequence[str] | None,
    aggregation: Sequence[str] | None,
    estimator: Estimator = Estimator.EXACT,
    selects: bool = True,
    needs_unit: bool = True,
    answers: AnswerRule = AnswerRule.MEANING,
    unit: Sequence[str] | None = None,
    scale: Sequence[str] | None = None,
    reward_models: Path | None = None,
) -> Opened:
    """Open what the options of an evaluation name; they are as in `accuracy.evaluate`.

    Args:
        module: the one that evaluates, for the footers.
        estimator: `paper` compares answers as published.
        selects: whether answers are to be selected, so that there must be reference answers.
        needs_unit: whether it matters what one reward is about.
        answers: when two are the same; with the estimator `paper`, as published whatever is said here.
        unit, scale: what the rewards of models are whose tables do not say it.
        reward_models: the table of reward models; names alone tell what is a run of what without it.

    Raises:
        InputError: an option that makes no sense, or solutions and rewards that do not match.
    """
    aggregations = parse_aggregations(aggregation or [])
    places = parse_rewards(rewards or [], aggregations)
    published = estimator is Estimator.PAPER
    database, files = open_inputs(solutions, places, None if published else answers)
    check_solutions(database)
    (dataset,) = database.execute("SELECT any_value(dataset) FROM solutions").fetchall()[0]
    tables = [reward_models] if reward_models else []
    models = describe(aggregations, dataset, tables)
    _check_runs(models, aggregations)
    if selects:
        check_answers(database)
    check_rewards(database, list(aggregations))
    types = _reward_types(database, aggregations, estimator, unit or [], scale or [], needs_unit)
    check_apart(database, {each.model: each.run_of for each in models})
    compared = published_answers(database) if published else OURS
    warn_of_outcomes(database, compared["correct"])
    files += tables
    origin = origin_of(
        module,
        {
            "aggregation": list(aggregation or []),
            "answers": "as published" if published else str(answers),
            "learned_questions": learned_questions(files),
            "rewards": {model: asdict(known) for model, known in types.items()},
        },
        files,
    )
    return Opened(
        database,
        dataset,
        scorers(aggregations),
        means_of(models),
        types,
        compared,
        files,
        origin,
    )


def _check_runs(
    models: Sequence[RewardModel], aggregations: Mapping[str, Sequence[Aggregation]]
) -> None:
    """Refuse what has no mean over training runs.

    Raises:
        InputError: a mean, whose rewards there are none of, or runs of one model with other aggregations.
    """
    for each in models:
        if each.is_mean:
            raise InputError(
                "--aggregation",
                expected="a training run's name: the mean over training runs is computed",
                found=shown(each.model),
                remedy="call it something else, here and in --rewards",
            )
    for first, *others in runs_of(models).values():
        for other in others:
            if set(aggregations[other]) != set(aggregations[first]):
                raise InputError(
                    f"--aggregation {other}",
                    expected=f"{','.join(aggregations[first])}, as of {first}, another run of it",
                    found=",".join(aggregations[other]),
                )


def _reward_types(
    database: duckdb.DuckDBPyConnection,
    aggregations: Mapping[str, Sequence[Aggregation]],
    estimator: Estimator,
    unit: Sequence[str],
    scale: Sequence[str],
    needs_unit: bool,
) -> dict[str, RewardType]:
    """What the rewards of each model are, as their tables say, or else the options.

    Raises:
        InputError: an option that makes no sense, tables that say otherwise or nothing, or scores without
            bounds where there must be probabilities.
    """
    units = parse_said("--unit", unit, Unit, aggregations)
    scales = parse_said("--scale", scale, Scale, aggregations)
    # The estimator `paper` knows nothing else.
    default = Scale.PROBABILITY if estimator is Estimator.PAPER else None
    types = {
        model: reward_type(
            database, model, units.get(model), scales.get(model), default, needs_unit
        )
        for model in aggregations
    }
    _check_scores(types, aggregations, estimator)
    return types


def _check_scores(
    types: Mapping[str, RewardType],
    aggregations: Mapping[str, Sequence[Aggregation]],
    estimator: Estimator,
) -> None:
    """Refuse what makes no sense of scores without bounds.

    Raises:
        InputError: their product, or the published estimator, which knows probabilities alone.
    """
    for model, known in types.items():
        if known.scale is Scale.PROBABILITY:
            continue
        if Aggregation.PROD in aggregations[model]:
            raise InputError(
                f"--aggregation {model}",
                expected="another aggregation than prod, which is of probabilities",
                found=f"it, and rewards of scale {known.scale}",
            )
        if estimator is Estimator.PAPER:
            raise InputError(
                "--estimator",
                expected="exact: the published estimator votes with probabilities",
                found=f"{estimator}, and rewards of {model} of scale {known.scale}",
            )


def learned_questions(files: Sequence[Path]) -> dict[str, int]:
    """For each model, how many of the questions it has learned from, as the footers of its rewards tell.

    Those that have learned from some are warned of. A model whose tables do not tell is not there.

    Args:
        files: what is evaluated, of whatever kind.
    """
    counts: dict[str, int] = {}
    for file in files:
        footer = parquet.find_footer(file) if file.suffix == ".parquet" else None
        if footer is None or footer.schema != REWARDS.name:
            continue
        model = footer.parameters.get("model")
        n_learned = footer.parameters.get("learned_questions")
        if isinstance(model, str) and type(n_learned) is int:
            counts[model] = counts.get(model, 0) + n_learned
    for model, n_learned in counts.items():
        if n_learned:
            logger.warning(
                "%s has learned from %d of the questions that it is evaluated on: "
                "its accuracies say little of new ones",
                shown(model),
                n_learned,
            )
    return counts


def choose_subpools(
    opened: Opened,
    n: Sequence[int] | None,
    runs: int,
    seed: int,
    estimator: Estimator = Estimator.EXACT,
) -> Subpools:
    """The subpools that the options of an evaluation ask for; what pools cannot give is logged.

    The exact estimator leaves out sizes that no pool can give: they are all one number. The
    published one has a row for each.

    Raises:
        InputError: no such sizes, or too few runs.
    """
    sizes = list(SIZES) if n is None else list(dict.fromkeys(n))
    _check_counts(sizes, runs)
    pools = opened.database.execute(POOL_SIZES).fetchall()
    if estimator is Estimator.EXACT:
        sizes = _usable(sizes, max(size for size, _ in pools))
    for size in sizes:
        short = sum(count for pool, count in pools if pool < size)
        if short:
            logger.warning("N = %d: %d pools are smaller and take part whole", size, short)
    return Subpools(sizes, runs, seed)


def _usable(n: Sequence[int], largest: int) -> list[int]:
    """The sizes up to the largest pool's; the others are logged as left out."""
    usable = [size for size in n if size <= largest]
    if not usable:
        raise InputError(
            "--n", expected=f"a size up to {largest}, the largest pool's", found=shown(list(n))
        )
    for size in sorted(set(n) - set(usable)):
        logger.warning("N = %d is left out: the largest pool has %d solutions", size, largest)
    return usable


def _check_counts(n: Sequence[int], runs: int) -> None:
    if not n or min(n) < 1:
        raise InputError("--n", expected="one or more sizes of at least 1", found=shown(list(n)))
    if runs < 2:
        raise InputError("--runs", expected="at least 2", found=shown(runs))
