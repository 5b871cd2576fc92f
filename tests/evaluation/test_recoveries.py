"""Groups of solutions by their steps and answer, and their measures, against plain loops over solutions."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.evaluation.estimates import Estimate
from multirm.evaluation.lengths import is_predicted
from multirm.evaluation.pools import Category
from multirm.evaluation.recoveries import (
    accepted,
    balanced_f1,
    group_rows,
    groups_of,
    share_of_correct,
)
from multirm.evaluation.solution_parts import Part
from multirm.tables.accuracy import OVERALL
from multirm.tables.solution_analyses import SolutionGroup

Solution = dict[str, Any]

SOLUTIONS = st.lists(
    st.fixed_dictionaries(
        {
            "question": st.integers(0, 4),
            "labels": st.none() | st.lists(st.integers(0, 1), min_size=1, max_size=4),
            "correct": st.booleans(),
            "judged": st.booleans(),
            "reward": st.sampled_from([math.nan, 0.0, 0.49, 0.5, 1.0]),
            "n_steps": st.integers(-1, 5),
        }
    ),
    min_size=1,
    max_size=25,
)
GROUPS = list(SolutionGroup)


def part_of(solutions: Sequence[Solution], name: str = "law") -> Part:
    def column(key: str) -> np.ndarray:
        return np.array([each[key] for each in solutions])

    category = Category(
        name,
        np.char.add("q", column("question").astype(str)),
        np.zeros(len(solutions), dtype=int),
        column("correct") & column("judged"),
        column("judged"),
        np.ones(len(solutions), dtype=bool),
        pa.array([each["labels"] for each in solutions], pa.list_(pa.int8())),
        {},
        {},
    )
    _, questions = np.unique(column("question"), return_inverse=True)
    return Part(category, questions, column("n_steps"), {})


def belongs(solution: Solution, group: SolutionGroup) -> bool:
    if group is SolutionGroup.ALL:
        return True
    if solution["labels"] is None or not solution["judged"]:
        return False
    if not solution["correct"]:
        return group is SolutionGroup.WRONG_ANSWER
    recovers = 0 in solution["labels"]
    return group is (SolutionGroup.RECOVERY if recovers else SolutionGroup.RIGHT_STEPS)


def share(flags: list[bool]) -> float:
    return sum(flags) / len(flags) if flags else math.nan


def acceptance(solutions: Sequence[Solution], group: SolutionGroup) -> float:
    own = [each["reward"] for each in solutions if belongs(each, group)]
    return share([reward >= 0.5 for reward in own if not math.isnan(reward)])


def share_among_right(solutions: Sequence[Solution], group: SolutionGroup) -> float:
    two = (SolutionGroup.RIGHT_STEPS, SolutionGroup.RECOVERY)
    if group not in two:
        return math.nan
    right = [each for each in solutions if any(belongs(each, either) for either in two)]
    return share([belongs(each, group) for each in right])


def f1_with_as_many_wrong(solutions: Sequence[Solution], group: SolutionGroup) -> float:
    """Of one true positive or false negative per solution of the group, and as many wrong answers in all."""
    if group is SolutionGroup.WRONG_ANSWER:
        return math.nan
    recall = acceptance(solutions, group)
    fooled = acceptance(solutions, SolutionGroup.WRONG_ANSWER)
    return 2 * recall / (2 * recall + fooled + (1 - recall))


def check(
    found: Estimate,
    plain: Callable[[Sequence[Solution], SolutionGroup], float],
    solutions: Sequence[Solution],
    group: SolutionGroup,
) -> None:
    """Also without each question."""
    assert found.value[0] == pytest.approx(plain(solutions, group), nan_ok=True)
    names = sorted({each["question"] for each in solutions})
    without = [plain([s for s in solutions if s["question"] != name], group) for name in names]
    assert found.without[:, 0] == pytest.approx(without, nan_ok=True)


@given(SOLUTIONS)
def test_each_solution_is_in_its_groups(solutions: list[Solution]) -> None:
    found = groups_of(part_of(solutions)).members
    assert list(found) == GROUPS
    for group in GROUPS:
        assert found[group].tolist() == [belongs(each, group) for each in solutions]


@given(SOLUTIONS)
def test_shares_of_solutions_with_a_correct_answer(solutions: list[Solution]) -> None:
    groups = groups_of(part_of(solutions))
    for group in GROUPS:
        check(share_of_correct(groups, group), share_among_right, solutions, group)


@given(SOLUTIONS)
def test_acceptance_and_balanced_f1(solutions: list[Solution]) -> None:
    groups = groups_of(part_of(solutions))
    rewards = np.array([each["reward"] for each in solutions])
    predicted, scored = is_predicted(rewards), ~np.isnan(rewards)
    for group in GROUPS[1:]:
        check(accepted(predicted, scored, groups, group), acceptance, solutions, group)
        found = balanced_f1(predicted, scored, groups, group)
        check(found, f1_with_as_many_wrong, solutions, group)


@given(SOLUTIONS)
def test_rows_of_groups(solutions: list[Solution]) -> None:
    """Means of steps leave out solutions of unknown length, which count all the same."""
    rows = group_rows([part_of(solutions)])
    assert [(row["category"], row["group"]) for row in rows] == [
        (name, str(group)) for name in (OVERALL, "law") for group in GROUPS
    ]
    for row in rows:
        group = SolutionGroup(row["group"])
        own = [each for each in solutions if belongs(each, group)]
        assert row["n_solutions"] == len(own)
        assert row["n_questions"] == len({each["question"] for each in own})
        known = [each["n_steps"] for each in own if each["n_steps"] >= 0]
        mean = sum(known) / len(known) if known else None
        assert row["mean_steps"] == (mean and pytest.approx(mean))
        among = share_among_right(solutions, group)
        assert row["share"] == (None if math.isnan(among) else pytest.approx(among))
