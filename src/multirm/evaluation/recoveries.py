"""Solutions that recover, with an incorrect step and a correct answer: how common they are and who accepts them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from multirm.evaluation.estimates import Estimate, estimate, in_columns, rows_of, summaries
from multirm.evaluation.inputs import Opened, Row
from multirm.evaluation.lengths import is_predicted, mean_steps
from multirm.evaluation.solution_parts import Part
from multirm.evaluation.training_seeds import runs_of_means
from multirm.tables.solution_analyses import SolutionGroup

# Groups that models are compared on, and those with a correct answer.
_SCORED = (SolutionGroup.RIGHT_STEPS, SolutionGroup.RECOVERY, SolutionGroup.WRONG_ANSWER)
_RIGHT = _SCORED[:2]


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
    groups = {part.name: groups_of(part) for part in parts}
    shares = {name: {"": _shares(own)} for name, own in groups.items()}
    lengths = {part.name: {"": _lengths(part, groups[part.name])} for part in parts}
    rows = []
    for (name, _, share), (_, _, length) in zip(
        summaries(shares, {}), summaries(lengths, {}, is_share=False), strict=True
    ):
        for group, of_share, of_length in zip(
            SolutionGroup, rows_of(["share"], share), rows_of(["mean_steps"], length), strict=True
        ):
            notes = filter(None, (of_share["note"], of_length["note"]))
            row = {**of_share, **of_length, "note": "; ".join(notes) or None}
            rows.append({"category": name, "group": str(group), **row})
    return rows


def _shares(groups: Groups) -> Estimate:
    return in_columns(
        [[share_of_correct(groups, group) for group in SolutionGroup]], _sizes(groups)
    )


def _lengths(part: Part, groups: Groups) -> Estimate:
    found = [
        mean_steps(part.n_steps, part.questions, mask & (part.n_steps >= 0))
        for mask in groups.members.values()
    ]
    return in_columns([found], _sizes(groups))


def _sizes(groups: Groups) -> list[dict[str, int]]:
    return [
        {"n_questions": len(np.unique(groups.questions[mask])), "n_solutions": int(mask.sum())}
        for mask in groups.members.values()
    ]


def recovery_rows(parts: Sequence[Part], opened: Opened) -> list[Row]:
    """The recoveries table, empty without step labels."""
    if all(part.category.step_labels.null_count == len(part.questions) for part in parts):
        return []
    groups = {part.name: groups_of(part) for part in parts}
    found = {
        part.name: {
            scorer: _by_group(part.rewards[scorer], groups[part.name]) for scorer in opened.scorers
        }
        for part in parts
    }
    return [
        {"category": name, **scorer.columns, "group": str(group), **columns}
        for name, scorer, summary in summaries(found, runs_of_means(opened.scorers, opened.means))
        for group, columns in zip(
            _SCORED, rows_of(["accepted", "balanced_f1"], summary), strict=True
        )
    ]


def _by_group(rewards: np.ndarray, groups: Groups) -> Estimate:
    predicted, scored = is_predicted(rewards), ~np.isnan(rewards)
    measures = [
        [measure(predicted, scored, groups, group) for group in _SCORED]
        for measure in (accepted, balanced_f1)
    ]
    members = [groups.members[group] for group in _SCORED]
    counts = [
        {"n_scored": int((own & scored).sum()), "n_missing": int((own & ~scored).sum())}
        for own in members
    ]
    return in_columns(measures, counts)


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
    """The share of a group with a correct answer among all such solutions with step labels; undefined for others."""
    right, recovered = (
        groups.members[each] for each in (SolutionGroup.RIGHT_STEPS, SolutionGroup.RECOVERY)
    )
    members = groups.members[group]
    among = right | recovered if group in _RIGHT else np.zeros_like(members)
    return estimate(_share, members.astype(int), groups.questions, among, 2)


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
    fall merely because a group is small. Undefined for the wrong answers themselves.

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
