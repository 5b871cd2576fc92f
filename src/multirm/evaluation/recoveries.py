"""Solutions that recover, with an incorrect step and a correct answer: how common they are and who accepts them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from multirm.evaluation.estimates import UNDEFINED, Estimate, estimate, mean, share
from multirm.evaluation.inputs import Opened, Row
from multirm.evaluation.lengths import is_predicted, mean_steps
from multirm.evaluation.methods import Scorer
from multirm.evaluation.solution_parts import (
    Part,
    columns_of,
    counts_of,
    interval_columns,
    over_runs_of,
    reported_scorers,
    with_overall,
)
from multirm.tables.solution_analyses import SolutionGroup


@dataclass(frozen=True)
class Groups:
    """Which solutions of a category belong to which group.

    Attributes:
        questions: int [solutions], from 0 without gaps.
        members: bool [solutions] for each group.
    """

    questions: np.ndarray
    members: dict[SolutionGroup, np.ndarray]


def group_rows(parts: Sequence[Part]) -> list[Row]:
    """The solution_groups table."""
    return [
        {"category": category, "group": str(group), **_group_row(within, group)}
        for category, within in with_overall(parts)
        for group in SolutionGroup
    ]


def _group_row(parts: Sequence[Part], group: SolutionGroup) -> Row:
    groups = [groups_of(part) for part in parts]
    members = [each.members[group] for each in groups]
    questions = [np.unique(part.questions[mask]) for part, mask in zip(parts, members, strict=True)]
    lengths = [
        mean_steps(part.n_steps, part.questions, mask & (part.n_steps >= 0))
        for part, mask in zip(parts, members, strict=True)
    ]
    is_correct = group in (SolutionGroup.RIGHT_STEPS, SolutionGroup.RECOVERY)
    shares = [share_of_correct(each, group) for each in groups] if is_correct else []
    return {
        "n_questions": sum(map(len, questions)),
        "n_solutions": sum(int(mask.sum()) for mask in members),
        **interval_columns("share", share(shares)),
        **interval_columns("mean_steps", mean(lengths)),
    }


def recovery_rows(parts: Sequence[Part], opened: Opened) -> list[Row]:
    """The recoveries table, empty without step labels."""
    if all(part.category.step_labels.null_count == len(part.questions) for part in parts):
        return []
    return [
        {
            "category": category,
            **columns_of(scorer),
            "group": str(group),
            **_recovery_row(within, runs, group),
        }
        for category, within in with_overall(parts)
        for scorer, runs in reported_scorers(opened)
        for group in (SolutionGroup.RIGHT_STEPS, SolutionGroup.RECOVERY, SolutionGroup.WRONG_ANSWER)
    ]


def _recovery_row(parts: Sequence[Part], runs: Sequence[Scorer], group: SolutionGroup) -> Row:
    def of_group(part: Part, rewards: np.ndarray) -> Estimate:
        return accepted(is_predicted(rewards), ~np.isnan(rewards), groups_of(part), group)

    def of_f1(part: Part, rewards: np.ndarray) -> Estimate:
        return balanced_f1(is_predicted(rewards), ~np.isnan(rewards), groups_of(part), group)

    is_wrong = group is SolutionGroup.WRONG_ANSWER
    return {
        **counts_of(parts, runs, [groups_of(part).members[group] for part in parts]),
        **interval_columns("accepted", share(over_runs_of(parts, runs, of_group))),
        **interval_columns(
            "balanced_f1", UNDEFINED if is_wrong else share(over_runs_of(parts, runs, of_f1))
        ),
    }


def groups_of(part: Part) -> Groups:
    """The groups of a category's solutions."""
    category = part.category
    labels = category.step_labels
    has_error = np.zeros(len(part.questions), dtype=bool)
    owners = pc.list_parent_indices(labels).to_numpy()
    has_error[owners[labels.flatten().to_numpy() == 0]] = True
    labelled = labels.is_valid().to_numpy(zero_copy_only=False) & category.judged
    correct = category.correct
    return Groups(
        part.questions,
        {
            SolutionGroup.ALL: np.ones(len(correct), dtype=bool),
            SolutionGroup.RIGHT_STEPS: labelled & correct & ~has_error,
            SolutionGroup.RECOVERY: labelled & correct & has_error,
            SolutionGroup.WRONG_ANSWER: labelled & ~correct,
        },
    )


def share_of_correct(groups: Groups, group: SolutionGroup) -> Estimate:
    """The share of a group among solutions with step labels and a correct answer."""
    right, recovered = (
        groups.members[each] for each in (SolutionGroup.RIGHT_STEPS, SolutionGroup.RECOVERY)
    )
    return estimate(
        _share, groups.members[group].astype(int), groups.questions, right | recovered, 2
    )


def accepted(
    predicted: np.ndarray, scored: np.ndarray, groups: Groups, group: SolutionGroup
) -> Estimate:
    """The share of a group's scored solutions that are predicted to be correct.

    Args:
        predicted, scored: bool [solutions].
    """
    return estimate(
        _share, predicted.astype(int), groups.questions, groups.members[group] & scored, 2
    )


def balanced_f1(
    predicted: np.ndarray, scored: np.ndarray, groups: Groups, group: SolutionGroup
) -> Estimate:
    """F1 if a group and the wrong answers were all solutions, as many of one as of the other.

    With recall r on the group and a share f of wrong answers accepted, it is 2r / (1 + r + f): unlike F1, it does not
    fall merely because a group is small.

    Args:
        predicted, scored: bool [solutions].
    """
    own, wrong = groups.members[group], groups.members[SolutionGroup.WRONG_ANSWER]
    return estimate(_balanced_f1, 2 * own + predicted, groups.questions, (own | wrong) & scored, 4)


def _share(counts: np.ndarray) -> np.ndarray:
    no, yes = np.moveaxis(counts, -1, 0)
    return np.asarray(yes / (no + yes))


def _balanced_f1(counts: np.ndarray) -> np.ndarray:
    tn, fp, fn, tp = np.moveaxis(counts, -1, 0)
    recall, accepted_wrong = tp / (tp + fn), fp / (fp + tn)
    return np.asarray(2 * recall / (1 + recall + accepted_wrong))
