"""Solutions and rewards of one dataset → how often every selection is right, and how sure that is."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from multirm import tables
from multirm.errors import InputError, shown
from multirm.evaluation import bootstrap, paper
from multirm.evaluation.expected import Expected, columns, expected
from multirm.evaluation.inputs import open_inputs
from multirm.evaluation.matching import check_rewards, check_solutions
from multirm.evaluation.methods import Method, Scorer, scorers
from multirm.evaluation.pools import (
    Category,
    count_missing,
    lay_out,
    published_answers,
    read_categories,
)
from multirm.files import whole
from multirm.interchange import table_files
from multirm.spelling import did_you_mean, one_of
from multirm.vocabulary import OVERALL, Aggregation, Estimator, Selection

logger = logging.getLogger(__name__)

RESAMPLES = 10_000

SIZES = (1, 2, 4, 8, 16)

Row = dict[str, Any]


def evaluate(
    solutions: list[str],
    output: Path,
    rewards: list[str] | None = None,
    aggregation: list[str] | None = None,
    estimator: Estimator = Estimator.EXACT,
    n: list[int] | None = None,
    runs: int = 100,
    seed: int = 42,
) -> None:
    """Evaluate reward models on one dataset: best-of-N, weighted vote, majority vote and pass@N.

    A PATH is a table, a folder of tables, a folder in the published layout (`{category}.json`,
    `{category}_reward.json`), or a hub name. Rewards and solutions must match one to one.

    Args:
        solutions: PATHs of one dataset's solutions. Categories are reported in the order of these.
        output: Folder for the tables: accuracy, comparisons and ledger; with the estimator `paper`,
            accuracy, ledger, and best_of_n.csv and weighted_vote.csv in the published layout.
        rewards: MODEL=PATH, such as `dPRM=rewards/dPRM`; a model may have several PATHs.
        aggregation: MODEL=AGGREGATION for each model, such as `dPRM=min`, or several as in
            `dPRM=min,mean`. Models are reported in the order of these.
        estimator: `exact`, the expectation over all subpools of N with 95 % intervals over
            questions, or `paper`, the published mean over random subpools.
        n: Sizes of the subpools to select from; 1, 2, 4, 8 and 16 unless given.
        runs: Number of random subpools for each question and size, where any are drawn.
        seed: Seed of the subpools, and of the bootstrap.
    """
    opened = open_evaluation(solutions, rewards, aggregation, n, runs, seed)
    evaluated = (_exact if estimator is Estimator.EXACT else _paper)(opened)
    for name, rows in evaluated.rows.items():
        opened.write(output, name, rows, estimator=estimator)
    for name, text in evaluated.texts.items():
        with whole(output / name) as part:
            part.write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class Opened:
    """One dataset's solutions and rewards, checked, and what is to be evaluated on them.

    Attributes:
        database: with the views `solutions` and `rewards`.
        n: the sizes of subpools that some pool can give.
    """

    database: duckdb.DuckDBPyConnection
    dataset: str
    scorers: list[Scorer]
    n: list[int]
    runs: int
    seed: int
    parameters: Mapping[str, Any]
    inputs: Sequence[Path]

    @property
    def models(self) -> list[str]:
        return list(dict.fromkeys(scorer.model for scorer in self.scorers))

    def write(self, folder: Path, name: str, rows: Sequence[Row], **parameters: Any) -> None:
        """Write rows of this dataset as the table `name`."""
        tables.write(
            folder / f"{name}.parquet",
            tables.SCHEMAS[name],
            [{"dataset": self.dataset, **row} for row in rows],
            parameters={**self.parameters, **parameters},
            inputs=self.inputs,
        )


def open_evaluation(
    solutions: Sequence[str],
    rewards: Sequence[str] | None,
    aggregation: Sequence[str] | None,
    n: Sequence[int] | None,
    runs: int,
    seed: int,
) -> Opened:
    """Open what the options of an evaluation name; they are as in `evaluate`.

    Raises:
        InputError: an option that makes no sense, or solutions and rewards that do not match.
    """
    sizes = list(SIZES) if n is None else list(dict.fromkeys(n))
    _check_counts(sizes, runs)
    aggregations = parse_aggregations(aggregation or [])
    places = parse_rewards(rewards or [], aggregations)
    database = open_inputs(solutions, places)
    check_solutions(database)
    check_rewards(database, list(aggregations))
    (dataset,) = database.execute("SELECT any_value(dataset) FROM solutions").fetchall()[0]
    parameters = {"aggregation": list(aggregation or []), "n": sizes, "runs": runs, "seed": seed}
    return Opened(
        database,
        dataset,
        scorers(aggregations),
        usable_sizes(database, sizes),
        runs,
        seed,
        parameters,
        _files([*solutions, *(place for group in places.values() for place in group)]),
    )


@dataclass(frozen=True)
class _Evaluated:
    """Rows of tables by the name of their schema, and texts by the name of their file."""

    rows: Mapping[str, list[Row]]
    texts: Mapping[str, str]


def _exact(opened: Opened) -> _Evaluated:
    values: dict[str, Expected] = {}
    ledger: list[Row] = []
    counts = count_missing(opened.database)
    for category in read_categories(opened.database, opened.models):
        pools = lay_out(category, opened.scorers)
        values[category.name] = expected(pools, opened.n, opened.scorers, opened.seed, opened.runs)
        ledger += ledger_rows(category, opened.scorers, counts)
    means = bootstrap.resampled_means(
        {name: category.values for name, category in values.items()}, RESAMPLES, opened.seed
    )
    return _Evaluated(
        {
            "accuracy": accuracy_rows(
                values, means, columns(opened.n, opened.scorers), opened.runs
            ),
            "comparisons": comparison_rows(values, means, opened.n, opened.scorers),
            "ledger": ledger,
        },
        {},
    )


def _paper(opened: Opened) -> _Evaluated:
    answers = published_answers(opened.database)
    per_run: dict[str, paper.PerRun] = {}
    n_questions: dict[str, int] = {}
    ledger: list[Row] = []
    counts = count_missing(opened.database)
    for category in read_categories(opened.database, opened.models, answers):
        pools = lay_out(paper.without_missing(category), opened.scorers)
        per_run[category.name] = paper.accuracies(
            pools, opened.scorers, opened.n, opened.runs, opened.seed
        )
        n_questions[category.name] = sum(len(batch.question_ids) for batch in pools)
        ledger += ledger_rows(category, opened.scorers, counts)
    return _Evaluated(
        {"accuracy": paper_rows(per_run, n_questions, opened.runs), "ledger": ledger},
        {
            f"{selection}.csv": paper.wide_csv(per_run, opened.scorers, selection)
            for selection in (Selection.BEST_OF_N, Selection.WEIGHTED_VOTE)
        },
    )


def parse_aggregations(pairs: Sequence[str]) -> dict[str, list[Aggregation]]:
    """`model=aggregation` pairs, in order; a model may name several, separated by commas.

    Raises:
        InputError: not such a pair, an unknown aggregation, or a model or aggregation given twice.
    """
    result: dict[str, list[Aggregation]] = {}
    for pair in pairs:
        model, equals, names = pair.rpartition("=")
        if not model or not equals:
            raise InputError(
                "--aggregation", expected="MODEL=AGGREGATION, such as dPRM=min", found=shown(pair)
            )
        for name in names.split(","):
            if name not in list(Aggregation):
                raise InputError(
                    f"--aggregation {model}",
                    expected=one_of(list(Aggregation)),
                    found=shown(name),
                    remedy=did_you_mean(name, list(Aggregation)),
                )
            if name in result.get(model, []):
                raise InputError(
                    f"--aggregation {model}", expected="each once", found=f"{name} again"
                )
            result.setdefault(model, []).append(Aggregation(name))
    return result


def parse_rewards(
    pairs: Sequence[str], aggregations: Mapping[str, Sequence[Aggregation]]
) -> dict[str, list[str]]:
    """The PATHs of each model with an aggregation, from `model=path` pairs.

    Raises:
        InputError: not such a pair, or a model that lacks rewards or an aggregation.
    """
    result: dict[str, list[str]] = {model: [] for model in aggregations}
    for pair in pairs:
        model, equals, place = pair.partition("=")
        if not model or not equals or not place:
            raise InputError(
                "--rewards", expected="MODEL=PATH, such as dPRM=rewards/dPRM", found=shown(pair)
            )
        if model not in result:
            raise InputError(
                "--rewards",
                expected=f"rewards of {one_of(list(aggregations)) if aggregations else 'no model'}",
                found=f"some of {shown(model)}",
                remedy=f"say --aggregation {model}=… as well",
            )
        result[model].append(place)
    for model, places in result.items():
        if not places:
            raise InputError(
                "--rewards", expected=f"{model}=PATH, as it has an aggregation", found="none"
            )
    return result


def usable_sizes(database: duckdb.DuckDBPyConnection, n: Sequence[int]) -> list[int]:
    """The sizes of subpools that some pool can give; the others are logged as left out.

    Raises:
        InputError: no pool is large enough for any of the sizes.
    """
    query = (
        "SELECT max(n) FROM (SELECT count(*) AS n FROM solutions GROUP BY category, question_id)"
    )
    ((largest,),) = database.execute(query).fetchall()
    usable = [size for size in n if size <= largest]
    if not usable:
        raise InputError(
            "--n", expected=f"a size up to {largest}, the largest pool's", found=shown(list(n))
        )
    for size in sorted(set(n) - set(usable)):
        logger.warning("N = %d is left out: the largest pool has %d solutions", size, largest)
    return usable


def accuracy_rows(
    values: Mapping[str, Expected],
    means: Mapping[str, np.ndarray],
    keys: Sequence[tuple[int, Method]],
    draws: int,
) -> list[Row]:
    """The accuracy table, Overall first: the macro-average, in which each category counts the same."""
    summaries = {name: _summary(category) for name, category in values.items()}
    for k, (size, _) in enumerate(keys):
        if keys[k][1].selection is Selection.MAJORITY_VOTE:
            short = sum(int(category.n_short[k]) for category in values.values())
            if short:
                logger.warning("N = %d: %d pools are smaller and take part whole", size, short)
    accuracies = np.mean([summary[0] for summary in summaries.values()], axis=0)
    errors = np.sqrt(np.sum([summary[1] ** 2 for summary in summaries.values()], axis=0))
    overall = (
        accuracies,
        errors / len(summaries),
        sum(len(category.values) for category in values.values()),
        np.sum([category.n_short for category in values.values()], axis=0),
    )
    rows = []
    for name, (accuracy, error, n_questions, n_short) in {OVERALL: overall, **summaries}.items():
        low, high = bootstrap.interval(means[name])
        for k, (size, method) in enumerate(keys):
            rows.append(
                {
                    "category": name,
                    "estimator": str(Estimator.EXACT),
                    **method.columns,
                    "n": size,
                    "accuracy": 100 * accuracy[k],
                    "low": 100 * low[k],
                    "high": 100 * high[k],
                    "standard_error": 100 * error[k],
                    "std": None,
                    "runs": draws if error[k] else None,
                    "n_questions": n_questions,
                    "n_short": int(n_short[k]),
                }
            )
    return rows


def _summary(category: Expected) -> tuple[np.ndarray, np.ndarray, int, np.ndarray]:
    n_questions = len(category.values)
    errors = np.sqrt((category.standard_errors**2).sum(axis=0)) / n_questions
    return category.values.mean(axis=0), errors, n_questions, category.n_short


def paper_rows(
    per_run: Mapping[str, paper.PerRun], n_questions: Mapping[str, int], runs: int
) -> list[Row]:
    """The accuracy table of the published estimator; Overall's deviation is over categories and runs."""
    rows = []
    keys = list(next(iter(per_run.values())))
    overall = {key: np.concatenate([runs_[key] for runs_ in per_run.values()]) for key in keys}
    for name, accuracies in {OVERALL: overall, **per_run}.items():
        for (size, method), accuracy in accuracies.items():
            rows.append(
                {
                    "category": name,
                    "estimator": str(Estimator.PAPER),
                    **method.columns,
                    "n": size,
                    "accuracy": float(np.mean(accuracy)),
                    "low": None,
                    "high": None,
                    "standard_error": None,
                    "std": float(np.std(accuracy)),
                    "runs": runs,
                    "n_questions": n_questions.get(name, sum(n_questions.values())),
                    "n_short": None,
                }
            )
    return rows


def comparison_rows(
    values: Mapping[str, Expected],
    means: Mapping[str, np.ndarray],
    n: Sequence[int],
    chosen: Sequence[Scorer],
) -> list[Row]:
    """Paired differences: each scorer against the majority vote and against each later scorer.

    The comparisons of one category, selection and N are one family of Holm's correction.
    """
    keys = columns(n, chosen)
    place = {key: k for k, key in enumerate(keys)}
    estimates = {name: category.values.mean(axis=0) for name, category in values.items()}
    estimates = {OVERALL: np.mean(list(estimates.values()), axis=0), **estimates}
    rows = []
    for name, estimate in estimates.items():
        for selection in (Selection.BEST_OF_N, Selection.WEIGHTED_VOTE):
            compared = [Method(selection, scorer) for scorer in chosen]
            others = [Method(Selection.MAJORITY_VOTE), *compared]
            pairs = [
                (method, other)
                for i, method in enumerate(compared)
                for other in [others[0], *others[i + 2 :]]
            ]
            for size in n if pairs else ():
                indices = [(place[size, a], place[size, b]) for a, b in pairs]
                found = bootstrap.compare(means[name], estimate, indices)
                adjusted = bootstrap.holm(found.p)
                for k, (method, other) in enumerate(pairs):
                    rows.append(
                        {
                            "category": name,
                            **method.columns,
                            "n": size,
                            "other_selection": str(other.selection),
                            "other_model": other.columns["model"],
                            "other_aggregation": other.columns["aggregation"],
                            "difference": 100 * found.difference[k],
                            "low": 100 * found.low[k],
                            "high": 100 * found.high[k],
                            "p": _known(found.p[k]),
                            "p_holm": _known(adjusted[k]),
                        }
                    )
    return rows


def ledger_rows(
    category: Category,
    chosen: Sequence[Scorer],
    counts: Mapping[tuple[str, str], Mapping[str, int | None]],
) -> list[Row]:
    """What was missing, cut short or tied, for each scorer in one category."""
    rows = []
    pools = lay_out(category, chosen)
    for scorer in chosen:
        unscored = tied = without = 0
        for batch in pools:
            rewards = batch.rewards[scorer]
            missing = np.isnan(rewards)
            best = np.where(missing, -np.inf, rewards)
            at_best = ~missing & (best == best.max(axis=1, keepdims=True))
            unscored += int(missing.sum())
            without += int(missing.all(axis=1).sum())
            tied += int((at_best.sum(axis=1) > 1).sum())
        rows.append(
            {
                "category": category.name,
                "model": scorer.model,
                "aggregation": str(scorer.aggregation),
                **counts[category.name, scorer.model],
                "n_unscored": unscored,
                "n_unscored_pools": without,
                "n_tied_pools": tied,
            }
        )
    return rows


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _files(places: Sequence[str]) -> list[Path]:
    """The files and folders that were read; a hub name has none here."""
    return [
        path for place in places for path in (table_files(place) or [Path(place)]) if path.exists()
    ]


def _check_counts(n: Sequence[int], runs: int) -> None:
    if not n or min(n) < 1:
        raise InputError("--n", expected="one or more sizes of at least 1", found=shown(list(n)))
    if runs < 2:
        raise InputError("--runs", expected="at least 2", found=shown(runs))
