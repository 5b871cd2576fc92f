"""Entry point `evaluate`: the accuracy of each selection on one dataset, with intervals, comparisons and a ledger.

Reading (`inputs.open_tables`), evaluating (`evaluated`) and writing (`Evaluated.write`) are apart, so that tables in
memory can be evaluated, and nothing need be written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from multirm.errors import InputError, shown
from multirm.evaluation import intervals, openprm, paper, versaprm
from multirm.evaluation.category_groups import Groups, group_rows, groups_within, parse_groups
from multirm.evaluation.comparisons import comparison_rows
from multirm.evaluation.costs import cost_rows, read_costs
from multirm.evaluation.expected import Expected, expected
from multirm.evaluation.headline import headline_rows
from multirm.evaluation.inputs import (
    Inputs,
    Opened,
    Row,
    Subsets,
    choose_subsets,
    largest_pool,
    open_tables,
    parse_inputs,
)
from multirm.evaluation.options import SelectionOptions, SubsetOptions
from multirm.evaluation.pools import Pools, lay_out, read_categories
from multirm.evaluation.training_seeds import (
    Parts,
    averaged_expected,
    one_per_model,
    parts_of,
    seed_degrees,
    spread_over_seeds,
    variance_of_means,
    with_means,
)
from multirm.running.arguments import EvaluationFolder, entry
from multirm.tables.accuracy import (
    ACCURACY,
    ALL_QUESTIONS,
    OVERALL,
    Estimator,
    IntervalNote,
    Selection,
)
from multirm.tables.accuracy_over_seeds import ACCURACY_OVER_SEEDS
from multirm.tables.category_groups import CATEGORY_GROUPS
from multirm.tables.comparisons import COMPARISONS
from multirm.tables.costs import COSTS
from multirm.tables.headline import HEADLINE
from multirm.tables.ledger import LEDGER, VoteWeight
from multirm.tables.rewards import Scale
from multirm.tables.schema import Schema
from multirm.tables.sql import reading


@entry
@reading("--solutions, --rewards")
def evaluate(
    options: SelectionOptions,
    output: EvaluationFolder,
    estimator: Estimator = Estimator.EXACT,
    category_groups: list[str] | None = None,
) -> None:
    """Evaluate reward models on one dataset: best-of-N, weighted vote, majority vote and pass@N.

    A solution is correct if its parsed answer matches the reference answer, even if its outcome label disagrees, unless
    --answers is `graded`.
    The mean over the training runs of one reward model has its own accuracies, and comparisons use that mean.

    Args:
        options: inputs and subsets.
        output: Folder for the tables: accuracy, comparisons, headline, costs and ledger; with the estimator `paper`,
            accuracy, ledger, and best_of_n.csv and weighted_vote.csv in the paper's columns; with `versaprm`,
            accuracy_over_seeds, also as CSV, and ledger; with `openprm`, accuracy and ledger.
        estimator: `exact`, the expectation over all subsets of N with 95 % intervals over questions; `paper`,
            the mean over random subsets, as in the paper, which has its own rule for answers; `versaprm`, the mean,
            minimum and maximum over ten seeds, 0 to 9 whatever --runs and --seed say, as in VersaPRM's paper, where
            pools of fewer solutions than the largest N are padded with incorrect ones, which lowers accuracy at small
            N; or `openprm`, the expectation of best-of-N, the majority vote and pass@N for N = 1, 2, 4, … up to the
            largest pool, with the standard error that the mean of OpenPRM's 5 draws would have, whatever --runs says.
            `paper` and `versaprm` require probabilities as rewards.
        category_groups: GROUP=CATEGORY,CATEGORY for each group of categories to average over, as well as all:
            with the estimator exact in the table category_groups, with versaprm among its categories.

    Raises:
        InputError: there are groups for the estimators paper and openprm, which have none.
    """
    groups = parse_groups(category_groups or [])
    evaluated(parse_inputs(options), options, estimator, groups).write(output)


@dataclass(frozen=True)
class Evaluated:
    """The tables of an evaluation.

    Attributes:
        opened: what was evaluated.
        subsets: the subsets of pools that answers were selected from.
        parameters: what else the tables' footers say.
        rows: of each table, without the dataset's name.
        texts: further files by name, such as tables in the columns of a paper.
    """

    opened: Opened
    subsets: Subsets
    parameters: Mapping[str, Any]
    rows: list[tuple[Schema, list[Row]]]
    texts: Mapping[str, str]

    def write(self, folder: Path) -> None:
        """Write all tables and texts into a folder, or none of them.

        Raises:
            InputError: one would replace an input.
        """
        self.opened.write(folder, self.rows, self.subsets, self.texts, **self.parameters)


def evaluated(
    inputs: Inputs, options: SubsetOptions, estimator: Estimator, groups: Groups
) -> Evaluated:
    """Evaluate one dataset; nothing is written.

    Args:
        groups: the categories of each group to average over, by its name.

    Raises:
        InputError: what is said about the inputs or the estimator is wrong, or solutions and rewards do not match.
    """
    if groups and estimator in (Estimator.PAPER, Estimator.OPENPRM):
        raise InputError(
            "--category-groups",
            expected=f"none with the estimator {estimator}, which has no groups",
            found=shown(list(groups)),
        )
    if estimator is Estimator.VERSAPRM:
        options = replace(options, runs=len(versaprm.SEEDS), seed=versaprm.SEEDS[0])
    opened = open_tables(__name__, inputs, estimator, needs_unit=False)
    if estimator is Estimator.OPENPRM:
        n = openprm.doublings(largest_pool(opened.database)) if options.n is None else options.n
        options = replace(options, n=n, runs=openprm.DRAWS)
    subsets = choose_subsets(opened, options, estimator)
    if estimator is Estimator.EXACT:
        rows, texts = _exact(opened, subsets, groups)
    elif estimator is Estimator.PAPER:
        rows, texts = _paper(opened, subsets)
    elif estimator is Estimator.OPENPRM:
        rows, texts = _openprm(opened, subsets)
    else:
        rows, texts = _versaprm(opened, subsets, groups)
    asked = {"category_groups": groups} if groups else {}
    return Evaluated(opened, subsets, {"estimator": estimator, **asked}, rows, texts)


_Tables = tuple[list[tuple[Schema, list[Row]]], dict[str, str]]
"""Rows of tables with their schemas, and texts by file name."""


def _exact(opened: Opened, subsets: Subsets, groups: Groups) -> _Tables:
    values: dict[str, Expected] = {}
    ledger: list[Row] = []
    counts = opened.count_missing()
    for category in read_categories(opened.database, opened.types, opened.answers):
        pools = lay_out(category, opened.scorers)
        values[category.name] = expected(
            pools, subsets.n, opened.scorers, subsets.seed, subsets.runs
        )
        ledger += ledger_rows(pools, opened, Estimator.EXACT, counts)
    accuracies = {name: category.values.mean(axis=0) for name, category in values.items()}
    accuracies = {OVERALL: np.mean(list(accuracies.values()), axis=0), **accuracies}
    parts = parts_of(subsets.n, opened.scorers, opened.means)
    compared = one_per_model(opened.scorers, opened.means)
    grouped = []
    if groups:
        of_groups = group_rows(
            groups_within(groups, values),
            {name: category.values for name, category in values.items()},
            parts,
            compared,
            subsets.seed,
        )
        grouped = [(CATEGORY_GROUPS, of_groups)]
    variances = {name: variance_of_means(own, parts) for name, own in accuracies.items()}
    spreads = {name: spread_over_seeds(own, parts) for name, own in accuracies.items()}
    values = {name: averaged_expected(category, parts) for name, category in values.items()}
    comparisons = comparison_rows(
        {name: category.values for name, category in values.items()},
        variances,
        seed_degrees(parts),
        list(parts),
        compared,
        subsets.seed,
    )
    rows = accuracy_rows(values, variances, spreads, parts, subsets.runs)
    tables = [
        (ACCURACY, rows),
        (COMPARISONS, comparisons),
        (HEADLINE, headline_rows(comparisons)),
        (COSTS, cost_rows(rows, read_costs(opened.database), opened.means)),
        (LEDGER, ledger),
        *grouped,
    ]
    return tables, {}


def _paper(opened: Opened, subsets: Subsets) -> _Tables:
    per_run: dict[str, paper.PerRun] = {}
    sizes: dict[str, np.ndarray] = {}
    ledger: list[Row] = []
    counts = opened.count_missing()
    for category in read_categories(opened.database, opened.types, opened.answers):
        pools = lay_out(paper.without_missing(category), opened.scorers, to_the_bit=True)
        per_run[category.name] = paper.accuracies(
            pools, opened.scorers, subsets.n, subsets.runs, subsets.seed
        )
        sizes[category.name] = np.repeat(
            [batch.size for batch in pools], [len(batch.question_ids) for batch in pools]
        )
        # Missing values are counted before they are filled in.
        ledger += ledger_rows(lay_out(category, opened.scorers), opened, Estimator.PAPER, counts)
    parts = parts_of(subsets.n, opened.scorers, opened.means)
    per_run = {name: paper.over_training_runs(runs, parts) for name, runs in per_run.items()}
    reported = with_means(opened.scorers, opened.means)
    tables = [(ACCURACY, paper_rows(per_run, sizes, subsets.runs)), (LEDGER, ledger)]
    return tables, {
        f"{selection}.csv": paper.wide_csv(per_run, reported, selection)
        for selection in (Selection.BEST_OF_N, Selection.WEIGHTED_VOTE)
    }


def _versaprm(opened: Opened, subsets: Subsets, groups: Groups) -> _Tables:
    ledger: list[Row] = []
    counts = opened.count_missing()
    places = versaprm.places_of(opened.database)
    least = max(subsets.n)
    width = max(least, largest_pool(opened.database))
    pools: dict[str, versaprm.Padded] = {}
    for category in read_categories(opened.database, opened.types, versaprm.ANSWERS):
        pools[category.name] = versaprm.padded(category, opened.scorers, places, least, width)
        ledger += ledger_rows(lay_out(category, opened.scorers), opened, Estimator.VERSAPRM, counts)
    members = {ALL_QUESTIONS: list(pools), **groups_within(groups, pools)}
    together = {
        name: versaprm.joined([pools[category] for category in categories])
        for name, categories in members.items()
    }
    parts = parts_of(subsets.n, opened.scorers, opened.means)
    rows = [
        row
        for name, part in (together | pools).items()
        for row in versaprm.rows_of(name, part, parts, subsets.n, opened.scorers, least)
    ]
    tables = [(ACCURACY_OVER_SEEDS, rows), (LEDGER, ledger)]
    return tables, {f"{ACCURACY_OVER_SEEDS.name}.csv": versaprm.as_csv(rows)}


def _openprm(opened: Opened, subsets: Subsets) -> _Tables:
    found: dict[str, openprm.Draws] = {}
    ledger: list[Row] = []
    counts = opened.count_missing()
    for category in read_categories(opened.database, opened.types, opened.answers):
        pools = lay_out(category, opened.scorers)
        found[category.name] = openprm.drawn(pools, subsets.n, opened.scorers)
        ledger += ledger_rows(pools, opened, Estimator.OPENPRM, counts)
    parts = openprm.parts_of(subsets.n, opened.scorers, opened.means)
    rows = openprm.accuracy_rows(found, parts, subsets.runs)
    return [(ACCURACY, rows), (LEDGER, ledger)], {}


def accuracy_rows(
    values: Mapping[str, Expected],
    variances: Mapping[str, np.ndarray],
    spreads: Mapping[str, np.ndarray],
    parts: Parts,
    draws: int,
) -> list[Row]:
    """The accuracy table, starting with Overall, the macro-average over categories.

    Args:
        values: expectations, including columns of means over training runs (`averaged_expected`).
        variances: each column's variance between training seeds, for each category and Overall; 0 for columns that
            are not means over training runs.
        spreads: the standard deviation over training runs of each column that is such a mean, else NaN.
    """
    summaries = {name: _summary(category) for name, category in values.items()}
    errors = np.sqrt(np.sum([summary[0] ** 2 for summary in summaries.values()], axis=0))
    overall = (
        errors / len(summaries),
        sum(len(category.values) for category in values.values()),
        np.sum([category.n_short for category in values.values()], axis=0),
    )
    seed_df = seed_degrees(parts)
    rows = []
    for name, (error, n_questions, n_short) in {OVERALL: overall, **summaries}.items():
        within = values if name == OVERALL else {name: values[name]}
        mean = intervals.mean_of({part: category.values for part, category in within.items()})
        low, high = intervals.widened(
            mean.value, intervals.of_shares(mean), np.sqrt(variances[name]), seed_df, (0, 1)
        )
        for k, ((size, method), note) in enumerate(zip(parts, mean.notes, strict=True)):
            rows.append(
                {
                    "category": name,
                    "estimator": str(Estimator.EXACT),
                    **method.columns,
                    "n": size,
                    "accuracy": 100 * mean.value[k],
                    "accuracy_low": 100 * low[k],
                    "accuracy_high": 100 * high[k],
                    "standard_error": 100 * error[k],
                    "std": _known(100 * spreads[name][k]),
                    "runs": draws if error[k] else None,
                    "n_questions": n_questions,
                    "n_short": int(n_short[k]),
                    "note": note,
                }
            )
    return rows


def _summary(category: Expected) -> tuple[np.ndarray, int, np.ndarray]:
    """The simulation's standard errors, the number of questions, and how many have pools smaller than N."""
    n_questions = len(category.values)
    errors = np.sqrt((category.standard_errors**2).sum(axis=0)) / n_questions
    return errors, n_questions, category.n_short


def paper_rows(
    per_run: Mapping[str, paper.PerRun], sizes: Mapping[str, np.ndarray], runs: int
) -> list[Row]:
    """The accuracy table of the estimator `paper`; Overall's standard deviation is over categories and runs.

    For a mean over training runs, it is over these as well.

    Args:
        sizes: the size of each question's pool, for each category.
    """
    rows = []
    every = np.concatenate(list(sizes.values()))
    keys = list(next(iter(per_run.values())))
    overall = {key: np.concatenate([runs_[key] for runs_ in per_run.values()]) for key in keys}
    for name, accuracies in {OVERALL: overall, **per_run}.items():
        pools = sizes.get(name, every)
        for (size, method), accuracy in accuracies.items():
            rows.append(
                {
                    "category": name,
                    "estimator": str(Estimator.PAPER),
                    **method.columns,
                    "n": size,
                    "accuracy": float(np.mean(accuracy)),
                    "accuracy_low": None,
                    "accuracy_high": None,
                    "standard_error": None,
                    "std": float(np.std(accuracy)),
                    "runs": runs,
                    "n_questions": len(pools),
                    "n_short": int((pools < size).sum()),
                    "note": IntervalNote.PUBLISHED,
                }
            )
    return rows


def ledger_rows(
    pools: Sequence[Pools],
    opened: Opened,
    estimator: Estimator,
    counts: Mapping[tuple[str, str], Mapping[str, int | None]],
) -> list[Row]:
    """Counts of what was missing, truncated or tied, and the type of rewards, for each scorer in one category."""
    rows = []
    category = pools[0].category
    for scorer in opened.scorers:
        known, counted = opened.types[scorer.model], counts[category, scorer.model]
        is_score = known.scale is Scale.SCORE
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
                "category": category,
                "estimator": str(estimator),
                "model": scorer.model,
                "aggregation": str(scorer.aggregation),
                **counted,
                # Nothing has scored what is no solution.
                "n_unscored": unscored - (counted["n_incomplete"] or 0),
                "n_unscored_pools": without - (counted["n_without_solution"] or 0),
                "n_tied_pools": tied,
                "unit": known.unit,
                "scale": known.scale,
                "vote_weight": VoteWeight.SOFTMAX if is_score else VoteWeight.REWARD,
            }
        )
    return rows


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
