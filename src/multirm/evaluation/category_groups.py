"""Groups of categories, such as those close to mathematics: accuracies, and gains over the majority vote.

A group is averaged like Overall: each of its categories counts the same. Groups are tested apart from the comparisons
of a study, whose families they leave as they are.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from multirm.errors import InputError, did_you_mean, one_of, shown
from multirm.evaluation import intervals
from multirm.evaluation.comparisons import Comparison, adjusted, differences_of
from multirm.evaluation.inputs import Row
from multirm.evaluation.methods import Method, Scorer
from multirm.evaluation.significance import flips_for, p_values
from multirm.evaluation.training_seeds import Parts, averaged, seed_degrees, variance_of_means
from multirm.tables.accuracy import ALL_QUESTIONS, OVERALL, Selection

logger = logging.getLogger(__name__)

Groups = Mapping[str, Sequence[str]]
"""The categories of each group, by its name."""

_OPTION = "--category-groups"


def parse_groups(pairs: Sequence[str]) -> dict[str, list[str]]:
    """The categories of each group, from `group=category,category` pairs.

    Raises:
        InputError: a pair is malformed, or a group or one of its categories is given twice.
    """
    groups: dict[str, list[str]] = {}
    for pair in pairs:
        name, _, members = pair.partition("=")
        categories = members.split(",")
        if not name or not all(categories):
            raise InputError(
                _OPTION,
                expected="GROUP=CATEGORY,CATEGORY, such as science=biology,physics",
                found=shown(pair),
            )
        if name in groups or len(set(categories)) < len(categories):
            raise InputError(
                _OPTION, expected="each group and each of its categories once", found=shown(pair)
            )
        groups[name] = categories
    return groups


def groups_within(groups: Groups, categories: Iterable[str]) -> dict[str, Sequence[str]]:
    """The groups of which some categories are evaluated; the others are logged as left out.

    Raises:
        InputError: a group is called like a category or an average, or only some of its categories are evaluated.
    """
    known = list(categories)
    taken = {each.casefold() for each in (*known, OVERALL, ALL_QUESTIONS)}
    found: dict[str, Sequence[str]] = {}
    for name, members in groups.items():
        if name.casefold() in taken:
            raise InputError(
                _OPTION,
                expected=f"a group with a name other than {OVERALL}, {ALL_QUESTIONS} and the categories'",
                found=shown(name),
            )
        missing = [each for each in members if each not in known]
        if len(missing) == len(members):
            logger.warning("%s is left out: none of its categories is evaluated", shown(name))
        elif missing:
            raise InputError(
                f"{_OPTION} {name}",
                expected=one_of(known),
                found=shown(missing[0]),
                remedy=did_you_mean(missing[0], known)
                or "evaluate it, or leave it out of the group",
            )
        else:
            found[name] = members
    return found


def group_rows(
    groups: Groups,
    values: Mapping[str, np.ndarray],
    parts: Parts,
    scorers: Sequence[Scorer],
    seed: int,
) -> list[Row]:
    """The category_groups table.

    Args:
        groups: as of `groups_within`.
        values: expected correctness, for each category float64 [questions, columns of training runs], in [0, 1].
        parts: the columns, including those of means over training runs.
        scorers: those to compare with the majority vote.
        seed: the study's seed, for the tests' random signs.
    """
    rows = []
    for name, categories in groups.items():
        own = {category: values[category] for category in categories}
        rows += [
            {
                "group": name,
                **row,
                "n_categories": len(own),
                "n_questions": sum(map(len, own.values())),
            }
            for row in _rows(own, parts, scorers, seed)
        ]
    return rows


def _rows(
    values: Mapping[str, np.ndarray], parts: Parts, scorers: Sequence[Scorer], seed: int
) -> list[Row]:
    """A group's rows, without what is the same in all of them."""
    macro = np.mean([part.mean(axis=0) for part in values.values()], axis=0)
    variances = variance_of_means(macro, parts)
    every = {name: averaged(part, parts) for name, part in values.items()}
    mean = intervals.mean_of(every)
    low, high = intervals.widened(
        mean.value, intervals.of_shares(mean), np.sqrt(variances), seed_degrees(parts), (0, 1)
    )
    gains = _gains(every, variances, parts, scorers, seed)
    return [
        {
            **method.columns,
            "n": size,
            "accuracy": 100 * mean.value[k],
            "accuracy_low": 100 * low[k],
            "accuracy_high": 100 * high[k],
            "note": note,
            **gains.get((size, method), _NO_GAIN),
        }
        for k, ((size, method), note) in enumerate(zip(parts, mean.notes, strict=True))
    ]


_GAIN = ("difference", "difference_low", "difference_high", "p", "p_holm", "difference_note")
_NO_GAIN: Row = dict.fromkeys(_GAIN)


def _gains(
    values: Mapping[str, np.ndarray],
    variances: np.ndarray,
    parts: Parts,
    scorers: Sequence[Scorer],
    seed: int,
) -> dict[tuple[int, Method], Row]:
    """Each method's difference from the majority vote in a group.

    Args:
        values: for each category float64 [questions, columns].
        variances: of each column between training seeds, float64 [columns].
    """
    vote = Method(Selection.MAJORITY_VOTE)
    pairs = [Comparison(size, method, vote) for size, method in parts if method.scorer in scorers]
    if not pairs:
        return {}
    place = {key: k for k, key in enumerate(parts)}
    first = [place[pair.n, pair.method] for pair in pairs]
    second = [place[pair.n, pair.other] for pair in pairs]
    differences = {name: part[:, first] - part[:, second] for name, part in values.items()}
    errors = np.sqrt(variances[first] + variances[second])
    seed_df = seed_degrees(parts)
    families = [(pair.n, pair.method.selection) if pair.is_testable else None for pair in pairs]
    flips = flips_for(family for family in families if family)
    p = p_values(differences, seed, {OVERALL: errors} if seed_df else {}, seed_df, flips)[OVERALL]
    is_known = any(len(part) > 1 for part in values.values())
    p = np.where([is_known and pair.is_testable for pair in pairs], p, np.nan)
    measured = differences_of(differences, pairs, errors, seed_df)
    return {
        (pair.n, pair.method): {
            "difference": row["difference"],
            "difference_low": row["difference_low"],
            "difference_high": row["difference_high"],
            "p": _known(p[k]),
            "p_holm": _known(corrected),
            "difference_note": row["note"],
        }
        for k, (pair, row, corrected) in enumerate(
            zip(pairs, measured, adjusted(p, families), strict=True)
        )
    }


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
