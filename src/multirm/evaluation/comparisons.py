"""Paired differences between methods: intervals, p-values, and families of tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from multirm.evaluation import intervals
from multirm.evaluation.inputs import Row
from multirm.evaluation.methods import Method, Scorer
from multirm.evaluation.significance import flips_for, holm, p_values
from multirm.tables.accuracy import MAJORITY_VOTE, OVERALL, IntervalNote, Selection
from multirm.tables.comparisons import Family


@dataclass(frozen=True)
class Comparison:
    """One method against another at one N."""

    n: int
    method: Method
    other: Method

    @property
    def is_testable(self) -> bool:
        """At N = 1 every method selects the only solution."""
        return self.n > 1

    @property
    def columns(self) -> Row:
        """What is compared with what, as table columns."""
        other = {f"other_{key}": value for key, value in self.other.columns.items()}
        if self.other.selection is Selection.MAJORITY_VOTE:
            other["other_model"] = MAJORITY_VOTE
        return {**self.method.columns, "n": self.n, **other}


def comparison_rows(
    values: Mapping[str, np.ndarray],
    seed_variances: Mapping[str, np.ndarray],
    seed_df: int,
    keys: Sequence[tuple[int, Method]],
    scorers: Sequence[Scorer],
    seed: int,
) -> list[Row]:
    """The comparisons table, Overall first: each scorer against the majority vote and each later scorer.

    All comparisons of Overall at the largest N, under both selections, are the primary family, for which Holm's
    correction controls the family-wise error rate. Each other category, selection and N is a family of its own, and
    exploratory: with so many families, some will have small p-values by chance.

    Single training runs are not compared, neither with each other nor with other models; their mean is.

    Args:
        values: for each category float64 [questions, columns], in [0, 1].
        seed_variances: each column's variance between training seeds, float64 [columns], for each category and
            Overall; 0 for columns that are not means over training runs.
        seed_df: the degrees of freedom of these variances.
        keys: what the columns are.
        scorers: the scorers to compare.
        seed: the study's seed, for the tests' random signs.
    """
    sizes = list(dict.fromkeys(size for size, _ in keys))
    pairs = comparisons_of(sizes, scorers)
    if not pairs:
        return []
    place = {key: k for k, key in enumerate(keys)}
    first = [place[pair.n, pair.method] for pair in pairs]
    second = [place[pair.n, pair.other] for pair in pairs]
    differences = {name: part[:, first] - part[:, second] for name, part in values.items()}
    tested = np.array([pair.is_testable for pair in pairs])
    errors = {name: np.sqrt(own[first] + own[second]) for name, own in seed_variances.items()}
    families = {
        name: [family_of(name, pair.n, pair.method.selection, max(sizes)) for pair in pairs]
        for name in (OVERALL, *values)
    }
    every = [key for keys_ in families.values() for key in keys_ if key]
    n_families = len(set(every))
    p = _p_values(differences, tested, seed, errors if seed_df else {}, seed_df, flips_for(every))
    rows = []
    for name in (OVERALL, *values):
        within = differences if name == OVERALL else {name: differences[name]}
        measured = differences_of(within, pairs, errors[name], seed_df)
        p_holm = adjusted(p[name], families[name])
        for k, (pair, row) in enumerate(zip(pairs, measured, strict=True)):
            family = families[name][k]
            rows.append(
                {
                    "category": name,
                    **pair.columns,
                    **row,
                    "p": _known(p[name][k]),
                    "p_holm": _known(p_holm[k]),
                    "family": family and family[0],
                    "n_families": n_families,
                }
            )
    return rows


def differences_of(
    within: Mapping[str, np.ndarray],
    pairs: Sequence[Comparison],
    errors: np.ndarray,
    seed_df: int,
) -> list[Row]:
    """The mean difference of each pair over some categories, in percentage points, with its interval and a note.

    Args:
        within: for each category float64 [questions, pairs], in [-1, 1].
        errors: the standard error of each difference due to training seeds, float64 [pairs].
        seed_df: its degrees of freedom.
    """
    mean = intervals.mean_of(within)
    low, high = intervals.widened(
        mean.value,
        intervals.of_differences(mean, intervals.typical_size(within)),
        errors,
        seed_df,
        (-1, 1),
    )
    return [
        {
            "difference": 100 * mean.value[k],
            "difference_low": _known(100 * low[k]),
            "difference_high": _known(100 * high[k]),
            "note": note,
        }
        if pair.is_testable
        # Equal up to rounding.
        else {
            "difference": 0.0,
            "difference_low": 0.0,
            "difference_high": 0.0,
            "note": IntervalNote.NOTHING_TO_SELECT,
        }
        for k, (pair, note) in enumerate(zip(pairs, mean.notes, strict=True))
    ]


def comparisons_of(sizes: Sequence[int], scorers: Sequence[Scorer]) -> list[Comparison]:
    """For each selection and N, each scorer with the majority vote and with each later scorer."""
    found = []
    for selection in (Selection.BEST_OF_N, Selection.WEIGHTED_VOTE):
        methods = [Method(selection, scorer) for scorer in scorers]
        for size in sizes:
            for k, method in enumerate(methods):
                others = [Method(Selection.MAJORITY_VOTE), *methods[k + 1 :]]
                found += [Comparison(size, method, other) for other in others]
    return found


def family_of(
    category: str, n: int, selection: Selection, largest: int
) -> tuple[Family, str, Selection | None, int] | None:
    """The family in which a comparison's p-value is corrected; None at N = 1, where there is nothing to test."""
    if n == 1:
        return None
    if category == OVERALL and n == largest:
        return Family.PRIMARY, category, None, largest
    return Family.EXPLORATORY, category, selection, n


def _p_values(
    differences: Mapping[str, np.ndarray],
    tested: np.ndarray,
    seed: int,
    errors: Mapping[str, np.ndarray],
    seed_df: int,
    flips: int,
) -> dict[str, np.ndarray]:
    """p-values of all comparisons; NaN if not tested, or if there is only one question."""
    found = p_values(
        {name: part[:, tested] for name, part in differences.items()},
        seed,
        {name: own[tested] for name, own in errors.items()},
        seed_df,
        flips,
    )
    result = {}
    for name, p in found.items():
        result[name] = np.full(len(tested), np.nan)
        parts = differences.values() if name == OVERALL else [differences[name]]
        if any(len(part) > 1 for part in parts):
            result[name][tested] = p
    return result


def adjusted(p: np.ndarray, families: Sequence[object]) -> np.ndarray:
    """Holm's correction within each family, float64 [tests]; NaN stays.

    Args:
        p: float64 [tests].
        families: of each test.
    """
    found = np.full(len(p), np.nan)
    for family in dict.fromkeys(families):
        own = [k for k, other in enumerate(families) if other == family]
        found[own] = holm(p[own])
    return found


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
