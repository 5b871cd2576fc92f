"""Pretraining examples: where the loss is, and when each example joins."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from multirm.tables.conversations import ChatTask
from multirm.tables.reward_models import Kind
from multirm.text.encoding import (
    encode_prompt,
    encode_reply,
    encode_solution,
    step_candidates,
)
from multirm.text.prompts import load_template, own_template, solution_prompt
from multirm.training.examples import UNLABELLED
from multirm.training.pretraining_examples import (
    CURRICULUM,
    JUDGEMENT_WEIGHT,
    PretrainingExample,
    draw_batches,
    examples_of_conversations,
    examples_of_critiques,
    examples_of_solutions,
    pretraining_steps,
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


def said(example: PretrainingExample) -> list[tuple[int, int]]:
    """Positions and targets of all predictions with a loss."""
    return [(i, target) for i, target in enumerate(example.labels) if target != UNLABELLED]


def test_correct_steps_are_predicted_and_marked_and_incorrect_ones_only_marked(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    (example,) = examples_of_solutions(tokenizer, [row([1, 0, 0])])
    encoded = encode_solution(tokenizer, row(None)["question"], STEPS)
    minus, plus = step_candidates(tokenizer)
    asked = len(encode_solution(tokenizer, row(None)["question"], []).ids)
    first, second, third = encoded.step_ends
    expected = [(i, encoded.ids[i + 1]) for i in range(asked - 1, first)]
    assert said(example) == [*expected, (first, plus), (second, minus), (third, minus)]
    assert example.ids == encoded.ids


def test_steps_without_labels_are_predicted_and_not_marked(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    (example,) = examples_of_solutions(tokenizer, [row(None)])
    ends = encode_solution(tokenizer, row(None)["question"], STEPS).step_ends
    positions = [i for i, _ in said(example)]
    assert not set(ends) & set(positions)
    assert len(positions) == ends[-1] - positions[0] + 1 - len(ends)


@pytest.mark.parametrize("kind", [Kind.GORM, Kind.GPRM])
def test_a_critique_is_predicted_and_the_step_ends_before_it_are_marked(
    tokenizer: PreTrainedTokenizerFast, kind: Kind
) -> None:
    template = load_template(own_template(kind), kind)
    critique = {"critique": " It is so.\n</think>\nYes"}
    (example,) = examples_of_critiques(tokenizer, template, [(critique, row([1, 1, 0]))])
    prompt = encode_prompt(tokenizer, solution_prompt(template, row(None), STEPS))
    n_prompt = len(prompt)
    marks = [(i, target) for i, target in said(example) if i < n_prompt - 1]
    minus, plus = step_candidates(tokenizer)
    assert [target for _, target in marks] == [plus, plus, minus]
    for (end, _), step in zip(marks, STEPS, strict=True):
        assert tokenizer.decode(prompt[: end + 1]).endswith(step)
    learned = [target for i, target in said(example) if i >= n_prompt - 1]
    assert tokenizer.decode(learned, skip_special_tokens=True) == critique["critique"]
    assert learned[-1] == tokenizer.eos_token_id


def test_the_assistants_turns_are_predicted_and_the_users_are_not(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    turns = ["What is iron?", STEPS[0], "And gold?", STEPS[1], "And both?"]
    talk = {"task": ChatTask.SOLVE, "turns": turns, "reply": STEPS[2]}
    (example,) = examples_of_conversations(tokenizer, [talk])
    whole = encode_reply(tokenizer, turns, STEPS[2])
    assert example.ids == whole.ids
    assert len(example.ids) == len(example.labels) == len(example.weights)
    learned = said(example)
    assert all(example.ids[place + 1] == target for place, target in learned)
    text = tokenizer.decode([target for _, target in learned])
    assert text == "".join(step + tokenizer.eos_token for step in STEPS)
    assert example.count == len(learned)
    (judging,) = examples_of_conversations(tokenizer, [{**talk, "task": ChatTask.JUDGE}])
    assert judging.count == JUDGEMENT_WEIGHT * example.count


def test_groups_join_one_by_one_and_critiques_last(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    rows = [row([1, 1, 1]), row([1, 1, 1], "history"), row([1, 1, 1]), row([1, 1, 1], "business")]
    joins = [example.joins for example in examples_of_solutions(tokenizer, rows)]
    assert joins[0] == joins[2] == 0 < joins[1] < joins[3] < CURRICULUM
    critique = {"critique": " So.\n</think>\nYes"}
    (example,) = examples_of_critiques(
        tokenizer, load_template(own_template(Kind.GORM), Kind.GORM), [(critique, rows[0])]
    )
    assert example.joins == CURRICULUM


@given(
    st.lists(st.tuples(st.integers(1, 40), st.sampled_from([0.0, 0.2, 0.4])), min_size=1),
    st.integers(1, 60),
)
def test_batches_follow_the_budget_and_the_curriculum(
    drawn: list[tuple[int, float]], batch_tokens: int
) -> None:
    examples = [PretrainingExample([0] * n, [0] * n, [1.0] * n, joins) for n, joins in drawn]
    first = min(example.joins for example in examples)
    seen = 0
    for share, batch in draw_batches(examples, 2000, batch_tokens, seed=1):
        assert share == seen / 2000 < 1
        longest = max(len(example.ids) for example in batch)
        assert len(batch) == 1 or len(batch) * longest <= batch_tokens
        assert all(example.joins <= max(share, first) for example in batch)
        seen += sum(len(example.ids) for example in batch)
    assert seen >= 2000


def test_a_pass_has_every_example_once() -> None:
    examples = [PretrainingExample([i] * (1 + i % 3), [0], [1.0], 0.0) for i in range(20)]
    total = sum(len(example.ids) for example in examples)
    shown = [example for _, batch in draw_batches(examples, total, 7, seed=3) for example in batch]
    assert sorted(example.ids[0] for example in shown) == list(range(20))


def test_steps_follow_the_budget_and_log_twenty_points() -> None:
    examples = [PretrainingExample([1] * 5, [2] * 5, [3.0] * 5, 0.0)] * 40
    steps = pretraining_steps(examples, 1000, 10, learning_rate=0.5, seed=1)
    assert len(steps) == 100
    assert all(step.n_tokens == 10 and step.count == 30 for step in steps)
    logged = [number for number, step in enumerate(steps, 1) if step.is_logged]
    assert logged == pytest.approx(range(5, 101, 5), abs=1)
    assert steps[-1].epoch == pytest.approx(5)
    rates = [step.learning_rate for step in steps]
    assert max(rates) == 0.5
    assert rates[:5] == sorted(rates[:5])
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert 0 < rates[-1] < 0.01
