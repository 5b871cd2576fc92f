"""Entry point `compare_domains`: models trained on several categories against models trained on one."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from multirm.errors import InputError, shown
from multirm.evaluation import intervals
from multirm.evaluation.comparisons import adjusted, family_of
from multirm.evaluation.domain_contrasts import Contrast, contrasts_of, unknown_models
from multirm.evaluation.expected import expected
from multirm.evaluation.inputs import Row, choose_subsets, open_evaluation
from multirm.evaluation.methods import Method, Scorer
from multirm.evaluation.options import SelectionOptions
from multirm.evaluation.pools import lay_out, read_categories
from multirm.evaluation.significance import flips_for, p_values
from multirm.evaluation.training_seeds import (
    Parts,
    averaged,
    one_per_model,
    parts_of,
    seed_degrees,
    variance_of_means,
)
from multirm.running.arguments import EvaluationFolder, entry
from multirm.tables.accuracy import OVERALL, Selection
from multirm.tables.domains import DOMAINS
from multirm.tables.reward_model_rows import RewardModel, read_rows
from multirm.tables.sql import reading

logger = logging.getLogger(__name__)

_SELECTIONS = (Selection.BEST_OF_N, Selection.WEIGHTED_VOTE)


class DomainTest(NamedTuple):
    """A contrast under one selection at one N."""

    contrast: Contrast
    selection: Selection
    n: int

    @property
    def is_over(self) -> tuple[str, ...]:
        """The categories averaged over."""
        return tuple(self.contrast.weights)

    def key(self, scorer: Scorer) -> tuple[int, Method]:
        """The column of a scorer."""
        return self.n, Method(self.selection, scorer)

    def columns(self) -> Row:
        """What is compared with what, as table columns."""
        contrast = self.contrast
        return {
            "category": contrast.category,
            **Method(self.selection, contrast.scorer).columns,
            "n": self.n,
            "domain": str(contrast.domain),
            "other_model": contrast.other and contrast.other.model,
            "trained_on": contrast.trained_on,
        }


@dataclass(frozen=True, kw_only=True)
class DomainOptions(SelectionOptions):
    """The options of `SelectionOptions`, with a table of reward models.

    Attributes:
        reward_models: Table of reward models, which says the categories that each was trained on.
    """

    # Without `field`, the default would be inherited.
    reward_models: Path = field()


@entry
@reading("--solutions, --rewards")
def compare_domains(
    options: DomainOptions,
    output: EvaluationFolder,
) -> None:
    """Compare models trained on several categories with models trained on one, in domain and out of domain.

    They are also compared with models trained on all of their categories but the one tested.

    Models of unknown kind or training categories are left out, with a warning; the table counts them. At N = 1, there
    is nothing to select, and so no comparison.

    Args:
        options: inputs and subsets.
        output: Folder for the table domains: paired differences between models of one kind and backbone.

    Raises:
        InputError: nothing can be compared because kinds or training categories are unknown.
    """
    opened = open_evaluation(__name__, options, needs_unit=False)
    subsets = choose_subsets(opened, options)
    values = {
        category.name: expected(
            lay_out(category, opened.scorers), subsets.n, opened.scorers, subsets.seed, subsets.runs
        ).values
        for category in read_categories(opened.database, opened.types, opened.answers)
    }
    scorers = one_per_model(opened.scorers, opened.means)
    known = {each.model: each for each in read_rows(opened.dataset, [options.reward_models])}
    models = {
        scorer.model: known[opened.means.get(scorer.model, [scorer.model])[0]] for scorer in scorers
    }
    contrasts = contrasts_of(scorers, models, list(values))
    unknown = unknown_models(scorers, models)
    trained_on = [models[name].training_categories or [] for name in models.keys() - unknown]
    has_both = {len(each) == 1 for each in trained_on} == {True, False}
    _tell(unknown, options.reward_models, is_refused=not (contrasts or has_both))
    tests = [
        DomainTest(contrast, selection, size)
        for contrast in contrasts
        for selection in _SELECTIONS
        for size in subsets.n
        if size > 1
    ]
    parts = parts_of(subsets.n, opened.scorers, opened.means)
    rows = domain_rows(values, parts, tests, subsets.seed)
    counted = [{**row, "n_unknown_models": len(unknown)} for row in rows]
    opened.write(output, [(DOMAINS, counted)], subsets)


def _tell(unknown: Mapping[str, RewardModel], table: Path, is_refused: bool) -> None:
    """Warn about models that are not compared because of what is unknown; refuse to compare nothing for that reason."""
    if not unknown:
        return
    lacking = "; ".join(
        f"{shown(name)} ({' and '.join(_unknown_columns(model))})"
        for name, model in unknown.items()
    )
    if is_refused:
        raise InputError(
            table,
            expected="a model trained on several categories and one trained on one, of the same kind and backbone",
            found=f"none, and nulls for {lacking}",
            remedy="say them with `multirm describe-reward-models`",
        )
    logger.warning("not compared, because it is unknown how they were trained: %s", lacking)


def _unknown_columns(model: RewardModel) -> list[str]:
    columns = {"kind": model.kind, "training_categories": model.training_categories}
    return [name for name, value in columns.items() if not value]


def domain_rows(
    values: Mapping[str, np.ndarray], parts: Parts, tests: Sequence[DomainTest], seed: int
) -> list[Row]:
    """The domains table, in the order of the tests.

    Args:
        values: expected correctness, for each category float64 [questions, columns of training runs], in [0, 1].
        parts: the columns, including those of means over training runs.
        tests: of N over 1.
        seed: the study's seed, for the tests' random signs.
    """
    errors = seed_errors({name: part.mean(axis=0) for name, part in values.items()}, parts, tests)
    every = {name: averaged(part, parts) for name, part in values.items()}
    largest = max((test.n for test in tests), default=0)
    families = [
        family_of(test.contrast.category, test.n, test.selection, largest) for test in tests
    ]
    flips = flips_for(families)
    rows: list[Row] = [{}] * len(tests)
    for over in dict.fromkeys(test.is_over for test in tests):
        places = [k for k, test in enumerate(tests) if test.is_over == over]
        found = _rows_over(
            {name: every[name] for name in over},
            parts,
            [tests[k] for k in places],
            errors[places],
            seed,
            flips,
        )
        for k, row in zip(places, found, strict=True):
            rows[k] = row
    p = np.array([np.nan if row["p"] is None else row["p"] for row in rows])
    return [
        {**row, "p_holm": _known(corrected), "family": family and family[0]}
        for row, family, corrected in zip(rows, families, adjusted(p, families), strict=True)
    ]


def _rows_over(
    values: Mapping[str, np.ndarray],
    parts: Parts,
    tests: Sequence[DomainTest],
    errors: np.ndarray,
    seed: int,
    flips: int,
) -> list[Row]:
    """The rows of tests over the same categories, without what depends on other tests.

    Args:
        values: of those categories, float64 [questions, columns].
        errors: as of `seed_errors`.
    """
    place = {key: k for k, key in enumerate(parts)}
    multi = [place[test.key(test.contrast.scorer)] for test in tests]
    own = {name: part[:, multi] for name, part in values.items()}
    other = {name: part @ _weights(name, place, tests) for name, part in values.items()}
    differences = {name: own[name] - other[name] for name in values}
    mean = intervals.mean_of(differences)
    interval = intervals.of_differences(mean, intervals.typical_size(differences))
    seed_df = seed_degrees(parts)
    low, high = intervals.widened(mean.value, interval, errors, seed_df, (-1, 1))
    seeds = {OVERALL: errors} if seed_df else {}
    p = p_values(differences, seed, seeds, seed_df, flips)[OVERALL]
    is_testable = any(len(part) > 1 for part in values.values())
    return [
        {
            **test.columns(),
            "accuracy": 100 * _macro_average(own, k),
            "other_accuracy": 100 * _macro_average(other, k),
            "difference": 100 * mean.value[k],
            "difference_low": _known(100 * low[k]),
            "difference_high": _known(100 * high[k]),
            "p": _known(p[k]) if is_testable else None,
            "n_categories": len(values),
            "n_questions": sum(map(len, values.values())),
            "note": note,
        }
        for k, (test, note) in enumerate(zip(tests, mean.notes, strict=True))
    ]


def _weights(
    category: str, place: Mapping[tuple[int, Method], int], tests: Sequence[DomainTest]
) -> np.ndarray:
    """The weights of the other models in a category, float64 [columns, tests]."""
    weights = np.zeros((len(place), len(tests)))
    for k, test in enumerate(tests):
        for scorer, weight in test.contrast.weights[category].items():
            weights[place[test.key(scorer)], k] = weight
    return weights


def _macro_average(values: Mapping[str, np.ndarray], column: int) -> float:
    return float(np.mean([part[:, column].mean() for part in values.values()]))


def seed_errors(
    accuracies: Mapping[str, np.ndarray], parts: Parts, tests: Sequence[DomainTest]
) -> np.ndarray:
    """The standard error of each test's difference due to training seeds, float64 [tests]; 0 for single runs.

    A model has the same training runs in all categories, so what varies is its mean over them.

    Args:
        accuracies: for each category float64 [columns of training runs].
    """
    if not seed_degrees(parts):
        return np.zeros(len(tests))
    place = {key: k for k, key in enumerate(parts)}
    known: dict[tuple[tuple[str, float], ...], np.ndarray] = {}
    variances = np.zeros(len(tests))
    for k, test in enumerate(tests):
        for scorer, shares in _shares(test.contrast).items():
            size = sum(shares.values())
            within = tuple((name, share / size) for name, share in shares.items())
            if within not in known:
                mean = np.sum([share * accuracies[name] for name, share in within], axis=0)
                known[within] = variance_of_means(mean, parts)
            variances[k] += size**2 * known[within][place[test.key(scorer)]]
    return np.sqrt(variances)


def _shares(contrast: Contrast) -> dict[Scorer, dict[str, float]]:
    """For each model, how much each category's accuracy counts, without its sign."""
    n_categories = len(contrast.weights)
    shares: dict[Scorer, dict[str, float]] = {contrast.scorer: {}}
    for name, weights in contrast.weights.items():
        shares[contrast.scorer][name] = 1 / n_categories
        for scorer, weight in weights.items():
            shares.setdefault(scorer, {})[name] = weight / n_categories
    return shares


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
