"""Entry point `compare_datasets`: how accuracies change from one dataset to another with the same questions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from multirm.errors import InputError, shown
from multirm.evaluation import intervals
from multirm.evaluation.expected import expected
from multirm.evaluation.inputs import (
    Opened,
    Row,
    Subsets,
    choose_sizes,
    choose_subsets,
    open_evaluation,
)
from multirm.evaluation.options import SelectionOptions
from multirm.evaluation.pools import lay_out, read_categories
from multirm.evaluation.training_seeds import (
    Parts,
    averaged,
    parts_of,
    seed_degrees,
    variance_of_means,
)
from multirm.running.arguments import EvaluationFolder, Place, entry
from multirm.running.provenance import origin_of
from multirm.tables.accuracy import OVERALL
from multirm.tables.changes import CHANGES
from multirm.tables.sql import reading


@entry
@reading("--solutions, --rewards, --before-solutions, --before-rewards")
def compare_datasets(
    options: SelectionOptions,
    before_solutions: list[Place],
    output: EvaluationFolder,
    before_rewards: list[Place] | None = None,
) -> None:
    """Compare accuracies on a dataset with those on another one with the same questions, such as before its steps
    were shuffled.

    Args:
        options: inputs and subsets.
        before_solutions: PATHs of the other dataset's solutions.
        output: Folder for the table: changes.
        before_rewards: MODEL=PATH, rewards of the other dataset's solutions by the same models.
    """
    of_other = replace(
        options, solutions=before_solutions, rewards=before_rewards, reward_models=None
    )
    after, before = (
        open_evaluation(__name__, each, needs_unit=False) for each in (options, of_other)
    )
    in_both = sorted({*choose_sizes(after, options.n)} & {*choose_sizes(before, options.n)})
    subsets = choose_subsets(after, replace(options, n=in_both))
    changes = changed(_answered(before, subsets), _answered(after, subsets))
    parts = parts_of(subsets.n, after.scorers, after.means)
    rows = [{"before": before.dataset, **row} for row in change_rows(changes, parts)]
    origin = origin_of(__name__, after.origin.parameters, [*after.files, *before.files])
    both = replace(after, files=[*after.files, *before.files], origin=origin)
    both.write(output, [(CHANGES, rows)], subsets)


@dataclass(frozen=True)
class Answered:
    """The expected correctness of one category's questions, as in `expected.Expected`.

    Attributes:
        question_ids: one per question.
        values: float64 [questions, columns], in [0, 1].
    """

    question_ids: Sequence[str]
    values: np.ndarray


def changed(before: Mapping[str, Answered], after: Mapping[str, Answered]) -> dict[str, np.ndarray]:
    """For each category, the change of each question's expected correctness, float64 [questions, columns], in [-1, 1].

    Raises:
        InputError: a category or question is in one of the two alone.
    """
    if set(before) != set(after):
        raise InputError(
            "--before-solutions",
            expected=f"the categories of --solutions, {', '.join(after)}",
            found=", ".join(before),
        )
    found = {}
    for name, own in after.items():
        place = {question: k for k, question in enumerate(before[name].question_ids)}
        other = {*place} ^ {*own.question_ids}
        if other:
            raise InputError(
                f"--before-solutions, {name}",
                expected="the questions of --solutions",
                found=f"{len(other)} in one of them alone, such as {shown(min(other))}",
                remedy="compare datasets with the same questions",
            )
        order = [place[question] for question in own.question_ids]
        found[name] = own.values - before[name].values[order]
    return found


def change_rows(changes: Mapping[str, np.ndarray], parts: Parts) -> list[Row]:
    """The changes table without names of datasets: Overall, the macro-average, first; means before their runs.

    Args:
        changes: for each category float64 [questions, columns of training runs], as by `changed`.
        parts: what the rows are, and the columns that each averages.
    """
    means = {name: part.mean(axis=0) for name, part in changes.items()}
    means = {OVERALL: np.mean(list(means.values()), axis=0), **means}
    values = {name: averaged(part, parts) for name, part in changes.items()}
    rows = []
    for name, of_runs in means.items():
        within = values if name == OVERALL else {name: values[name]}
        mean = intervals.mean_of(within)
        low, high = intervals.widened(
            mean.value,
            intervals.of_differences(mean, intervals.typical_size(within)),
            np.sqrt(variance_of_means(of_runs, parts)),
            seed_degrees(parts),
            (-1, 1),
        )
        fixed = _fixed(within, parts)
        low, high = np.where(fixed, 0.0, low), np.where(fixed, 0.0, high)
        for k, ((size, method), note) in enumerate(zip(parts, mean.notes, strict=True)):
            rows.append(
                {
                    "category": name,
                    **method.columns,
                    "n": size,
                    "n_questions": sum(map(len, within.values())),
                    "change": 100 * mean.value[k],
                    "change_low": _known(100 * low[k]),
                    "change_high": _known(100 * high[k]),
                    "note": None if fixed[k] else note,
                }
            )
    return rows


def _fixed(changes: Mapping[str, np.ndarray], parts: Parts) -> np.ndarray:
    """Which columns could not have changed with other questions, bool [columns].

    Selections without rewards, and those of one solution, do not change if the same solutions are right.
    """
    largest = np.max([np.abs(part).max(axis=0) for part in changes.values()], axis=0)
    free = [size == 1 or not method.selection.needs_rewards for size, method in parts]
    return np.array(free) & (largest < intervals.ROUNDING)


def _answered(opened: Opened, subsets: Subsets) -> dict[str, Answered]:
    found = {}
    for category in read_categories(opened.database, opened.types, opened.answers):
        pools = lay_out(category, opened.scorers)
        values = expected(pools, subsets.n, opened.scorers, subsets.seed, subsets.runs).values
        ids = [question for batch in pools for question in batch.question_ids]
        found[category.name] = Answered(ids, values)
    return found


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
