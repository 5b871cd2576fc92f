"""The inputs shared by all evaluations: one dataset's solutions and rewards, and what is said about them."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from multirm.errors import InputError, shown
from multirm.evaluation.arguments import parse_aggregations, parse_per_model, parse_rewards
from multirm.evaluation.input_checks import (
    check_answers,
    check_apart,
    check_graded,
    check_rewards,
    check_samples,
    check_solutions,
    reward_type,
    warn_of_outcomes,
)
from multirm.evaluation.methods import Scorer, scorers
from multirm.evaluation.options import InputOptions, PoolOptions, SubsetOptions
from multirm.evaluation.own_inputs import are_own, read_own_inputs
from multirm.evaluation.pools import GRADED, OURS, count_missing, paper_answers
from multirm.evaluation.training_seeds import Means
from multirm.evaluation.views import Source, open_inputs
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
    FROM (SELECT {count} AS size FROM solutions GROUP BY category, question_id)
    GROUP BY size
"""
_EVERY, _COMPLETE = "count(*)", "count(*) FILTER (complete)"

# Of a table in memory, as it is digested.
_ROWS_AT_ONCE = 65_536

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """One dataset's solutions and rewards, and what is said about them.

    Attributes:
        solutions: tables in memory, or places as for `views.open_inputs`.
        rewards: the same for each model.
        aggregation: those of each model, in the order in which models are reported.
        unit, scale: of models' rewards that do not say it themselves.
        answers: when answers are equal.
        reward_models: table of reward models, if there is one.
        samples: tables of the samples that the solutions are from; None where they have no meaning.
        files: what tables in memory were read from.
    """

    solutions: Sequence[Source]
    rewards: Mapping[str, Sequence[Source]]
    aggregation: Mapping[str, Sequence[Aggregation]]
    unit: Mapping[str, Unit]
    scale: Mapping[str, Scale]
    answers: AnswerRule = AnswerRule.MEANING
    reward_models: Path | None = None
    samples: Sequence[str] | None = None
    files: Sequence[Path] = ()


def parse_inputs(options: InputOptions) -> Inputs:
    """The inputs that a command's options name.

    Raises:
        InputError: an option is malformed, or does not go with the others.
    """
    aggregations = parse_aggregations(options.aggregation or [])
    if are_own(options):
        return _own_inputs(options, aggregations)
    return Inputs(
        solutions=options.solutions,
        rewards=parse_rewards(options.rewards or [], aggregations),
        aggregation=aggregations,
        unit=parse_per_model("--unit", options.unit or [], Unit, aggregations),
        scale=parse_per_model("--scale", options.scale or [], Scale, aggregations),
        answers=options.answers,
        reward_models=options.reward_models,
        samples=options.samples or [] if isinstance(options, PoolOptions) else None,
    )


def _own_inputs(options: InputOptions, aggregations: Mapping[str, Sequence[Aggregation]]) -> Inputs:
    if isinstance(options, PoolOptions) and options.samples:
        raise InputError(
            "--samples",
            expected="none with files of your own, in which samples without an answer are solutions, too",
            found=shown(options.samples),
        )
    own = read_own_inputs(options, aggregations)
    return Inputs(
        solutions=[own.tables.solutions],
        rewards={model: [own.tables.rewards[model]] for model in own.aggregation},
        aggregation=own.aggregation,
        unit={},
        scale={},
        answers=own.answers,
        reward_models=options.reward_models,
        files=own.files,
    )


@dataclass(frozen=True)
class Subsets:
    """The subsets of pools that answers are selected from.

    Attributes:
        n: their sizes.
        runs: number of subsets per question and size, where they are drawn.
        seed: seed of drawn subsets.
    """

    n: list[int]
    runs: int
    seed: int


@dataclass(frozen=True)
class Opened:
    """One dataset's solutions and rewards, checked.

    Attributes:
        database: has the views `solutions` and `rewards`.
        scorers: in the order in which they are reported.
        means: the names of means over training runs, with the names of their runs.
        types: the type of each model's rewards.
        answers: how answers are compared: `OURS`, `GRADED` or as in the paper.
        has_samples: whether the samples that are no solutions are known, and in the pools.
        files: the files that were read.
        origin: the origin of everything made from them.
    """

    database: duckdb.DuckDBPyConnection
    dataset: str
    scorers: list[Scorer]
    means: Means
    types: dict[str, RewardType]
    answers: Mapping[str, str]
    has_samples: bool
    files: list[Path]
    origin: Origin

    @property
    def models(self) -> list[str]:
        return list(dict.fromkeys(scorer.model for scorer in self.scorers))

    def count_missing(self) -> dict[tuple[str, str], dict[str, int | None]]:
        """What is missing in each category, for each model."""
        return count_missing(self.database, self.models, has_samples=self.has_samples)

    def write(
        self,
        folder: Path,
        rows: Sequence[tuple[Schema, Sequence[Row]]],
        subsets: Subsets | None = None,
        texts: Mapping[str, str] | None = None,
        **parameters: Any,
    ) -> None:
        """Write rows of this dataset as tables, and texts beside them: all of them or none.

        Raises:
            InputError: one of them would replace an input.
        """
        for name in [*(f"{schema.name}.parquet" for schema, _ in rows), *(texts or {})]:
            path = folder / name
            if path.exists() and any(path.samefile(file) for file in self.files if file.exists()):
                raise InputError(
                    path, expected="to replace a file that is not an input", found="one"
                )
        drawn = asdict(subsets) if subsets else {}
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
    options: InputOptions,
    estimator: Estimator = Estimator.EXACT,
    selects: bool = True,
    needs_unit: bool = True,
) -> Opened:
    """Open and check the inputs that a command's options name: `open_tables`."""
    return open_tables(module, parse_inputs(options), estimator, selects, needs_unit)


def open_tables(
    module: str,
    inputs: Inputs,
    estimator: Estimator = Estimator.EXACT,
    selects: bool = True,
    needs_unit: bool = True,
) -> Opened:
    """Open and check the inputs of an evaluation.

    Args:
        module: the module that evaluates, for footers.
        estimator: `paper` compares answers as in the paper, whatever the options say.
        selects: whether answers will be selected, which requires reference answers.
        needs_unit: whether the unit of rewards must be known.

    Raises:
        InputError: an option is invalid, or solutions and rewards do not match.
    """
    aggregations = inputs.aggregation
    is_paper = estimator is Estimator.PAPER
    is_graded = inputs.answers is AnswerRule.GRADED
    if is_graded and estimator in (Estimator.PAPER, Estimator.VERSAPRM):
        raise InputError(
            "--answers",
            expected=f"another one with the estimator {estimator}, which compares answers as its paper does",
            found=str(inputs.answers),
            remedy="leave out --answers or --estimator",
        )
    database, files = open_inputs(
        inputs.solutions,
        inputs.rewards,
        None if is_paper else inputs.answers,
        inputs.samples or [],
    )
    if inputs.samples:
        check_samples(database)
    elif inputs.samples is not None:
        _warn_of_samples(files)
    check_solutions(database)
    (dataset,) = database.execute("SELECT any_value(dataset) FROM solutions").fetchall()[0]
    tables = [inputs.reward_models] if inputs.reward_models else []
    models = describe(aggregations, dataset, tables)
    _check_runs(models, aggregations)
    if is_graded:
        check_graded(database)
    elif selects:
        check_answers(database)
    check_rewards(database, list(aggregations))
    types = _reward_types(database, inputs, estimator, needs_unit)
    check_apart(database, {each.model: each.run_of for each in models})
    compared = paper_answers(database) if is_paper else GRADED if is_graded else OURS
    warn_of_outcomes(database, compared["correct"])
    files += [*inputs.files, *tables]
    origin = origin_of(
        module,
        {
            "aggregation": [f"{model}={','.join(each)}" for model, each in aggregations.items()],
            "answers": "as in the paper" if is_paper else str(inputs.answers),
            "learned_questions": learned_questions(files),
            "rewards": {model: asdict(known) for model, known in types.items()},
        },
        files,
    )
    origin = replace(origin, inputs={**origin.inputs, **_digests_in_memory(inputs)})
    return Opened(
        database,
        dataset,
        scorers(aggregations),
        means_of(models),
        types,
        compared,
        bool(inputs.samples),
        files,
        origin,
    )


def _digests_in_memory(inputs: Inputs) -> dict[str, str]:
    """SHA-256 of each table in memory, by what it is."""
    named = {"solutions": inputs.solutions}
    named |= {f"rewards of {model}": sources for model, sources in inputs.rewards.items()}
    found = {}
    for name, sources in named.items():
        tables = [source for source in sources if not isinstance(source, str)]
        for number, table in enumerate(tables, 1):
            found[f"{name} {number}" if len(tables) > 1 else name] = _digest(table)
    return found


def _digest(table: pa.Table) -> str:
    found = hashlib.sha256(table.schema.remove_metadata().serialize())
    for batch in table.combine_chunks().to_batches(_ROWS_AT_ONCE):
        found.update(batch.serialize())
    return found.hexdigest()


def _check_runs(
    models: Sequence[RewardModel], aggregations: Mapping[str, Sequence[Aggregation]]
) -> None:
    """Check that means over training runs can be computed.

    Raises:
        InputError: a mean is given as a model, or runs of one model have different aggregations.
    """
    for each in models:
        if each.is_mean:
            raise InputError(
                "--aggregation",
                expected="the name of a training run; means over training runs are computed",
                found=shown(each.model),
                remedy="use another name, here and in --rewards",
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
    inputs: Inputs,
    estimator: Estimator,
    needs_unit: bool,
) -> dict[str, RewardType]:
    """The type of each model's rewards, as stated by its tables or else by the caller.

    Raises:
        InputError: tables disagree or state nothing, or there are scores where probabilities are required.
    """
    aggregations = inputs.aggregation
    # The only scale that the other estimators support.
    default = None if estimator.takes_scores else Scale.PROBABILITY
    types = {
        model: reward_type(
            database, model, inputs.unit.get(model), inputs.scale.get(model), default, needs_unit
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
    """Refuse options that need probabilities for models with scores.

    Raises:
        InputError: the aggregation is prod, or the estimator takes no scores.
    """
    for model, known in types.items():
        if known.scale is Scale.PROBABILITY:
            continue
        if Aggregation.PROD in aggregations[model]:
            raise InputError(
                f"--aggregation {model}",
                expected="an aggregation other than prod, which needs probabilities",
                found=f"prod, and rewards of scale {known.scale}",
            )
        if not estimator.takes_scores:
            raise InputError(
                "--estimator",
                expected=f"exact, since the estimator {estimator} votes with probabilities",
                found=f"{estimator}, and rewards of {model} of scale {known.scale}",
            )


def learned_questions(files: Sequence[Path]) -> dict[str, int]:
    """For each model, how many of the questions it was trained on, according to the footers of its rewards.

    Logs a warning if there are any. Models whose tables have no such count are left out.

    Args:
        files: the files that are evaluated, of any kind.
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
                "%s was trained on %d of the questions that it is evaluated on: "
                "its accuracies say little about new ones",
                shown(model),
                n_learned,
            )
    return counts


def _warn_of_samples(files: Sequence[Path]) -> None:
    """Log that solutions that were sampled here lack the samples without an answer."""
    footers = (parquet.find_footer(file) for file in files if file.suffix == ".parquet")
    makers = {module for footer in footers if footer for module in footer.code}
    if any(module.endswith(".sample_solutions") for module in makers):
        logger.warning(
            "accuracies are those of samples that have an answer; give the others with --samples"
        )


def choose_subsets(
    opened: Opened, options: SubsetOptions, estimator: Estimator = Estimator.EXACT
) -> Subsets:
    """The subsets that the options of an evaluation define; sizes over a pool's are logged.

    The estimators `exact` and `openprm` leave out sizes over the largest pool's, whose accuracies would all be the
    same. The estimator `paper` keeps a row for each, and `versaprm` pads smaller pools to the largest size.

    Raises:
        InputError: no size is possible, or there are too few runs.
    """
    if options.runs < 2:
        raise InputError("--runs", expected="at least 2", found=shown(options.runs))
    return Subsets(choose_sizes(opened, options.n, estimator), options.runs, options.seed)


def choose_sizes(
    opened: Opened, n: Sequence[int] | None, estimator: Estimator = Estimator.EXACT
) -> list[int]:
    """The sizes of subsets, as `choose_subsets` chooses them.

    Raises:
        InputError: no size is possible.
    """
    sizes = list(SIZES) if n is None else list(dict.fromkeys(n))
    if not sizes or min(sizes) < 1:
        raise InputError("--n", expected="one or more sizes of at least 1", found=shown(sizes))
    if estimator is Estimator.VERSAPRM:
        _warn_of_padding(_pool_sizes(opened.database, _COMPLETE), max(sizes))
        return sizes
    pools = _pool_sizes(opened.database)
    if estimator in (Estimator.EXACT, Estimator.OPENPRM):
        sizes = _usable(sizes, max(size for size, _ in pools))
    for size in sizes:
        short = sum(count for pool, count in pools if pool < size)
        if short:
            logger.warning("N = %d: %d pools are smaller and are used whole", size, short)
    return sizes


def largest_pool(database: duckdb.DuckDBPyConnection) -> int:
    """The number of solutions in the largest pool."""
    return max(size for size, _ in _pool_sizes(database))


def _pool_sizes(database: duckdb.DuckDBPyConnection, count: str = _EVERY) -> list[tuple[int, int]]:
    """The sizes of pools, with the number of pools of each."""
    return database.execute(POOL_SIZES.format(count=count)).fetchall()


def _warn_of_padding(pools: Sequence[tuple[int, int]], largest: int) -> None:
    """Log how many pools are padded, given their sizes with the number of pools of each."""
    short = sum(count for size, count in pools if size < largest)
    if short:
        logger.warning(
            "%d pools of fewer than %d solutions are padded with incorrect ones, "
            "which lowers accuracies at small N",
            short,
            largest,
        )


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
