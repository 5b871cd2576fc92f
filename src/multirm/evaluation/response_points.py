"""What each comparison of responses counts, by the rules of the benchmark it is from.

Comparisons with a missing reward have no points: `scored` leaves these prompts out, and says how many.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from multirm.tables.responses import TIES, Benchmark, Style

ACCURACY = "accuracy"
HARD, NORMAL, EASY = "hard", "normal", "easy"
BEST_OF_K, LOSS = "best_of_k", "loss"

_STYLES = (Style.CONCISE, Style.DETAILED, Style.MARKDOWN)


@dataclass(frozen=True)
class Group:
    """The responses to a prompt that are compared with each other.

    Attributes:
        subset, question_id: as in the table.
        cluster: the number of the prompt's text: several groups may have one.
        chosen, rejected: places of the responses among all, int [any].
        styles: the styles of the chosen and of the rejected ones, in RM-Bench.
    """

    subset: str
    question_id: str
    cluster: int
    chosen: np.ndarray
    rejected: np.ndarray
    styles: tuple[Sequence[Style], Sequence[Style]] = ((), ())


class Point(NamedTuple):
    """A number in [0, 1] that a comparison counts.

    Attributes:
        subset: of the benchmark.
        cluster: the number of its prompt.
        lost: if equal rewards count as lost.
        shared: if they share the point.
        n_comparisons: how many comparisons it is the mean of.
        n_tied: how many of these are of equal rewards.
    """

    subset: str
    cluster: int
    lost: float
    shared: float
    n_comparisons: int
    n_tied: int


def scored(groups: Sequence[Group], rewards: np.ndarray) -> list[Group]:
    """The groups of which every response has a reward.

    Args:
        rewards: float64 [responses]; NaN if missing.
    """
    return [
        group
        for group in groups
        if not np.isnan(rewards[group.chosen]).any() and not np.isnan(rewards[group.rejected]).any()
    ]


def points(
    benchmark: Benchmark, groups: Sequence[Group], rewards: np.ndarray
) -> dict[str, list[Point]]:
    """The points of each measure, over groups without missing rewards."""
    rules: Mapping[
        Benchmark, Callable[[Group, np.ndarray, np.ndarray], Iterator[tuple[str, Point]]]
    ] = {
        Benchmark.REWARDBENCH_2: _best_or_tied,
        Benchmark.RM_BENCH: _matrix,
        Benchmark.PPE_CORRECTNESS: _pool,
    }
    rule = rules.get(benchmark, _cells)
    found: dict[str, list[Point]] = {}
    for group in groups:
        for measure, point in rule(group, rewards[group.chosen], rewards[group.rejected]):
            found.setdefault(measure, []).append(point)
    return found


def _point(group: Group, wins: np.ndarray, ties: np.ndarray) -> Point:
    """The mean of some comparisons with one winner each, bool [comparisons]."""
    lost = float(wins.mean())
    shared = lost + float(ties.mean()) / 2
    return Point(group.subset, group.cluster, lost, shared, wins.size, int(ties.sum()))


def _cells(group: Group, chosen: np.ndarray, rejected: np.ndarray) -> Iterator[tuple[str, Point]]:
    """Each chosen response against each rejected one."""
    for better in chosen.tolist():
        for worse in rejected.tolist():
            lost, is_tied = float(better > worse), better == worse
            shared = lost + is_tied / 2
            yield ACCURACY, Point(group.subset, group.cluster, lost, shared, 1, int(is_tied))


def _best_or_tied(
    group: Group, chosen: np.ndarray, rejected: np.ndarray
) -> Iterator[tuple[str, Point]]:
    """Whether the only right response is the best of all; in Ties, whether the worst right one beats the wrong ones."""
    if group.subset == TIES:
        worst, best = chosen.min(), rejected.max()
        yield ACCURACY, _point(group, np.array([worst > best]), np.array([worst == best]))
        return
    every = np.r_[chosen, rejected]
    n_best = int((every == every.max()).sum())
    is_best = chosen[0] == every.max()
    lost = float(is_best and n_best == 1)
    shared = float(is_best) / n_best
    n_tied = int(is_best and n_best > 1)
    yield ACCURACY, Point(group.subset, group.cluster, lost, shared, 1, n_tied)


def _matrix(group: Group, chosen: np.ndarray, rejected: np.ndarray) -> Iterator[tuple[str, Point]]:
    """RM-Bench's matrix of chosen against rejected styles: hard is above its diagonal, and easy below."""
    order = [[styles.index(style) for style in _STYLES] for styles in group.styles]
    better, worse = chosen[order[0]][:, None], rejected[order[1]][None]
    wins, ties = better > worse, better == worse
    row, column = np.indices(wins.shape)
    yield ACCURACY, _point(group, wins.ravel(), ties.ravel())
    for measure, own in ((HARD, row < column), (NORMAL, row == column), (EASY, row > column)):
        yield measure, _point(group, wins[own], ties[own])
    for i, style in enumerate(_STYLES):
        for j, other in enumerate(_STYLES):
            yield f"{style}_over_{other}", _point(group, wins[i, j : j + 1], ties[i, j : j + 1])


def _pool(group: Group, right: np.ndarray, wrong: np.ndarray) -> Iterator[tuple[str, Point]]:
    """PPE's pools: right against wrong responses, and whether the best reward is a right one's."""
    if right.size and wrong.size:
        better, worse = right[:, None], wrong[None]
        yield ACCURACY, _point(group, (better > worse).ravel(), (better == worse).ravel())
    best = max(each.max() for each in (right, wrong) if each.size)
    n_right, n_wrong = int((right == best).sum()), int((wrong == best).sum())
    is_tied = int(n_right > 0 and n_wrong > 0)
    lost, shared = float(n_right > 0 and not is_tied), n_right / (n_right + n_wrong)
    yield BEST_OF_K, Point(group.subset, group.cluster, lost, shared, 1, is_tied)
    possible = float(right.size > 0)
    yield LOSS, Point(group.subset, group.cluster, possible - lost, possible - shared, 1, is_tied)


def ties_score(groups: Sequence[Group], rewards: np.ndarray) -> float:
    """RewardBench 2's score of its subset Ties, from -0.01 to 1.01; NaN without a pair of a ref and a tied prompt.

    The pair of `ref:1` and `tied:1` has two gaps, the worst right minus the best wrong reward, and a spread, the best
    minus the worst right reward of the tied one. The score weighs 0.30 each the shares of ref and of tied prompts with
    a gap above 0, 0.20 the share of pairs whose tied gap is above the spread, 0.20 that of pairs whose smaller gap is,
    and 0.01 the mean of tanh(smaller gap / spread - 1), which is 0 for 0/0 (Malik et al. 2025, and their code).

    Args:
        groups: of the subset Ties, without missing rewards.
    """
    gaps: dict[str, dict[str, float]] = {"ref": {}, "tied": {}}
    spreads: dict[str, float] = {}
    for group in groups:
        kind, _, number = group.question_id.partition(":")
        right = rewards[group.chosen]
        gaps[kind][number] = float(right.min() - rewards[group.rejected].max())
        if kind == "tied":
            spreads[number] = float(right.max() - right.min())
    paired = [number for number in gaps["tied"] if number in gaps["ref"]]
    if not paired:
        return float("nan")
    spread = np.array([spreads[number] for number in paired])
    tied = np.array([gaps["tied"][number] for number in paired])
    smaller = np.minimum(tied, [gaps["ref"][number] for number in paired])
    with np.errstate(divide="ignore", invalid="ignore"):
        margin = np.tanh(smaller / spread - 1)
    accuracies = [float(np.mean([gap > 0 for gap in each.values()])) for each in gaps.values()]
    return float(
        0.30 * sum(accuracies)
        + 0.20 * (tied > spread).mean()
        + 0.20 * (smaller > spread).mean()
        + 0.01 * np.where(np.isnan(margin), 0.0, margin).mean()
    )
