"""Lessons: what carries a loss and what does not, and when each lesson joins."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from multirm.generation.verification import solution_prompt
from multirm.tables.reward_models import Kind
from multirm.text.encoding import encode_prompt, encode_solution, step_candidates
from multirm.text.prompts import load_template, own_template
from multirm.training.pretraining_examples import (
    CURRICULUM,
    NO_LOSS,
    Lesson,
    critique_lessons,
    draw_batches,
    solution_lessons,
)
from multirm.training.tokenizer import train_tokenizer

STEPS = ["The number of iron is 26.", "Then 26 + 3 = 28.", "The answer is 28."]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(
        STEPS * 20, [load_template(own_template(Kind.GORM), Kind.GORM).text], 400, 512
    )


def row(labels: list[int] | None, category: str = "chemistry") -> dict[str, Any]:
    return {
        "dataset": "Facts",
        "category": category,
        "question": "What is the number of iron, and 3 more?",
        "steps": STEPS,
        "step_labels": labels,
    }


def said(lesson: Lesson) -> list[tuple[int, int]]:
    """Positions and targets of all that carries a loss."""
    return [(i, target) for i, target in enumerate(lesson.targets) if target != NO_LOSS]


def test_correct_steps_are_said_and_marked_and_incorrect_ones_only_marked(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    (lesson,) = solution_lessons(tokenizer, [row([1, 0, 0])])
    encoded = encode_solution(tokenizer, row(None)["question"], STEPS)
    minus, plus = step_candidates(tokenizer)
    asked = len(encode_solution(tokenizer, row(None)["question"], []).ids)
    first, second, third = encoded.step_ends
    expected = [(i, encoded.ids[i + 1]) for i in range(asked - 1, first)]
    assert said(lesson) == [*expected, (first, plus), (second, minus), (third, minus)]
    assert lesson.ids == encoded.ids


def test_where_no_label_is_known_steps_are_said_and_not_marked(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    (lesson,) = solution_lessons(tokenizer, [row(None)])
    ends = encode_solution(tokenizer, row(None)["question"], STEPS).step_ends
    positions = [i for i, _ in said(lesson)]
    assert not set(ends) & set(positions)
    assert len(positions) == ends[-1] - positions[0] + 1 - len(ends)


@pytest.mark.parametrize("kind", [Kind.GORM, Kind.GPRM])
def test_a_critique_is_said_and_the_step_ends_before_it_are_marked(
    tokenizer: PreTrainedTokenizerFast, kind: Kind
) -> None:
    template = load_template(own_template(kind), kind)
    critique = {"critique": " It is so.\n</think>\nYes"}
    (lesson,) = critique_lessons(tokenizer, template, [(critique, row([1, 1, 0]))])
    prompt = encode_prompt(tokenizer, solution_prompt(template, row(None), STEPS))
    n_prompt = len(prompt)
    marks = [(i, target) for i, target in said(lesson) if i < n_prompt - 1]
    minus, plus = step_candidates(tokenizer)
    assert [target for _, target in marks] == [plus, plus, minus]
    for (end, _), step in zip(marks, STEPS, strict=True):
        assert tokenizer.decode(prompt[: end + 1]).endswith(step)
    learned = [target for i, target in said(lesson) if i >= n_prompt - 1]
    assert tokenizer.decode(learned, skip_special_tokens=True) == critique["critique"]
    assert learned[-1] == tokenizer.eos_token_id


def test_groups_join_one_by_one_and_critiques_when_all_are_there(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    rows = [row([1, 1, 1]), row([1, 1, 1], "history"), row([1, 1, 1]), row([1, 1, 1], "business")]
    joins = [lesson.joins for lesson in solution_lessons(tokenizer, rows)]
    assert joins[0] == joins[2] == 0 < joins[1] < joins[3] < CURRICULUM
    critique = {"critique": " So.\n</think>\nYes"}
    (lesson,) = critique_lessons(
        tokenizer, load_template(own_template(Kind.GORM), Kind.GORM), [(critique, rows[0])]
    )
    assert lesson.joins == CURRICULUM


@given(
    st.lists(st.tuples(st.integers(1, 40), st.sampled_from([0.0, 0.2, 0.4])), min_size=1),
    st.integers(1, 60),
)
def test_batches_keep_to_the_budget_and_to_the_curriculum(
    drawn: list[tuple[int, float]], batch_tokens: int
) -> None:
    lessons = [Lesson([0] * n, [0] * n, [1.0] * n, joins) for n, joins in drawn]
    first = min(lesson.joins for lesson in lessons)
    seen = 0
    for share, batch in draw_batches(lessons, 2000, batch_tokens, seed=1):
        assert share == seen / 2000 < 1
        longest = max(len(lesson.ids) for lesson in batch)
        assert len(batch) == 1 or len(batch) * longest <= batch_tokens
        assert all(lesson.joins <= max(share, first) for lesson in batch)
        seen += sum(len(lesson.ids) for lesson in batch)
    assert seen >= 2000


def test_a_pass_shows_every_lesson_once() -> None:
    lessons = [Lesson([i] * (1 + i % 3), [0], [1.0], 0.0) for i in range(20)]
    total = sum(len(lesson.ids) for lesson in lessons)
    shown = [lesson for _, batch in draw_batches(lessons, total, 7, seed=3) for lesson in batch]
    assert sorted(lesson.ids[0] for lesson in shown) == list(range(20))
