import math
from collections.abc import Container, Iterator, Sequence

import pytest

from multirm.reward_models.base import RewardModel, Rewards, Solution
from multirm.reward_models.layouts import EncodedText
from multirm.reward_models.step_readers import RereadingReader, rewards_of_steps
from multirm.tables.rewards import Scale, Unit


class Lengths(RewardModel):
    """Rewards are lengths of steps, and missing for empty ones; a token is a character."""

    scale = Scale.SCORE

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.read: list[Solution] = []

    def score_in_batches(
        self, solutions: Sequence[Solution], done: Container[int] = ()
    ) -> Iterator[dict[int, Rewards]]:
        self.read += solutions
        for place, each in enumerate(solutions):
            rewards = tuple(float(len(step)) if step else None for step in each.steps)
            if self.unit is Unit.SOLUTION:
                rewards = rewards[-1:]
            yield {place: Rewards(rewards, len(self.texts(each)[0].ids), 3, 1.0, False)}

    def texts(self, solution: Solution) -> list[EncodedText]:
        return [EncodedText([*map(ord, solution.question + "".join(solution.steps))], [])]


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        (Unit.STEP, (2.0, None, 4.0)),
        (Unit.CRITIQUE, (None, None, 3.0)),
        (Unit.SOLUTION, (None, None, 4.0)),
    ],
)
def test_every_unit_gives_a_reward_of_the_last_step(
    unit: Unit, expected: tuple[float | None, ...]
) -> None:
    reader = RereadingReader(Lengths(unit))
    [found] = reader.read([Solution("q", ("ab", "", "abcd"))])
    assert found.rewards == expected
    assert (reader.unit, reader.scale) == (unit, Scale.SCORE)


def test_missing_critiques_and_no_steps_are_no_rewards() -> None:
    reader = RereadingReader(Lengths(Unit.CRITIQUE))
    missing, empty = reader.read([Solution("q", ("", "")), Solution("q", ())])
    assert missing.rewards == (None, None)
    assert empty.rewards == ()


@pytest.mark.parametrize("unit", Unit)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_finite_number_is_no_reward(unit: Unit, value: float) -> None:
    assert rewards_of_steps([value], unit, 1) == (None,)


def test_rereading_computes_all_tokens_and_counts_new_ones_once() -> None:
    model = Lengths(Unit.STEP)
    reader = RereadingReader(model)
    one, two = Solution("q", ("ab",), key=(1,)), Solution("q", ("ac",), key=(2,))
    same = Solution("q", ("ab",), key=(3,))
    first = reader.read([one, two, same])
    assert [each.rewards for each in first] == [(2.0,)] * 3
    # The critiques' tokens, three each, are new, too.
    assert [each.n_new for each in first] == [6, 4, 0]
    assert [(each.n_computed, each.n_cached, each.n_generated) for each in first] == [
        (3, 0, 3),
        (3, 0, 3),
        (0, 0, 0),
    ]
    assert len(model.read) == 2
    [again] = reader.read([Solution("q", ("ab", "d"))])
    assert (again.n_new, again.n_computed) == (4, 4)


def test_what_an_earlier_run_has_read_is_not_new() -> None:
    reader = RereadingReader(Lengths(Unit.STEP))
    reader.know([Solution("q", ("ab",))])
    [found] = reader.read([Solution("q", ("ab", "d"))])
    assert (found.n_new, found.n_computed) == (4, 4)


def test_keys_depend_on_the_text_alone() -> None:
    model = Lengths(Unit.STEP)
    reader = RereadingReader(model)
    for key in (1, 2):
        reader.read([Solution("q", ("ab",), key=(key,)), Solution("q", ("a", "b"), key=(key,))])
    first, other, again, _ = (solution.key for solution in model.read)
    assert first == again != other
