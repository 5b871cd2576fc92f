"""Rewards of solutions and of their first steps, as a caller of the library gets them."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from multirm.errors import InputError
from multirm.models.dtype import Dtype
from multirm.models.load import load_model, load_tokenizer
from multirm.reward_models import discriminative
from multirm.reward_models.base import Rewards, Solution
from multirm.reward_models.discriminative import (
    DiscriminativeModel,
    load_discriminative,
)
from multirm.tables.rewards import Scale, Unit

SOLUTIONS = [
    Solution(f"Which treaty was it? {'Think of 1648. ' * 20}", (*start, *end))
    for start in [("It was signed in 1648.", "So (C).")]
    for end in [(), ("The answer is (C).",), ("No: 12 + 30 = 42.", "The answer is (A).")]
] + [Solution("What is 2 + 3?", ("2 + 3 = 5.", "The answer is 5."))]


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> DiscriminativeModel:
    return load_discriminative(tiny_model, Dtype.FLOAT32, batch_tokens=400)


def plainly(folder: Path, solution: Solution) -> list[float]:
    """A step's reward by a plain call of transformers on the text up to it."""
    network = load_model(str(folder), torch.float32)
    tokenizer = load_tokenizer(str(folder))
    columns = [tokenizer.encode(word, add_special_tokens=False)[0] for word in ("-", "+")]
    ids = tokenizer.encode(solution.question + " \n\n")
    rewards = []
    for step in solution.steps:
        ids += tokenizer.encode(step + " \n\n\n\n", add_special_tokens=False)
        with torch.no_grad():
            logits = network(torch.tensor([ids], device=network.device)).logits[0, -1, columns]
        rewards.append(logits.softmax(dim=-1)[1].item())
    return rewards


def test_the_example_of_the_docs_runs(tiny_model: Path) -> None:
    lines = str(discriminative.__doc__).splitlines()
    example = "\n".join(line.strip() for line in lines if line.startswith("    "))
    names: dict[str, object] = {"load_discriminative": load_discriminative, "Solution": Solution}
    exec(example.replace("results/models/dPRM-mini/adapter", str(tiny_model)), names)
    model, found = names["model"], names["found"]
    assert isinstance(found, Rewards)
    assert len(found.rewards) == 2
    assert all(reward is not None and 0 < reward < 1 for reward in found.rewards)
    assert found.n_tokens_read > 10
    assert found.n_tokens_generated == 0
    assert not found.truncated
    assert isinstance(model, DiscriminativeModel)
    assert (model.unit, model.scale) == (Unit.STEP, Scale.PROBABILITY)


def test_rewards_equal_plain_calls_of_the_network(
    tiny_model: Path, model: DiscriminativeModel
) -> None:
    for solution, found in zip(SOLUTIONS, model.score(SOLUTIONS), strict=True):
        expected = plainly(tiny_model, solution)
        assert found.rewards == pytest.approx(expected, abs=1e-5)


def test_the_first_steps_score_as_in_the_whole_solution(model: DiscriminativeModel) -> None:
    prefixes = [
        replace(solution, steps=solution.steps[:n])
        for solution in SOLUTIONS
        for n in range(1, len(solution.steps) + 1)
    ]
    whole = {
        (s.question, s.steps): found
        for s, found in zip(SOLUTIONS, model.score(SOLUTIONS), strict=True)
    }
    together = model.score(prefixes)
    for prefix, found in zip(prefixes, together, strict=True):
        [alone] = model.score([prefix])
        assert found.rewards == pytest.approx(alone.rewards, abs=1e-5)
        # Sharing a question makes scoring cheaper, but not what is counted.
        assert (found.n_tokens_read, found.flops) == (alone.n_tokens_read, alone.flops)
        for (question, steps), of_whole in whole.items():
            if question == prefix.question and steps[: len(prefix.steps)] == prefix.steps:
                expected = of_whole.rewards[: len(prefix.steps)]
                assert found.rewards == pytest.approx(expected, abs=1e-5)


@given(st.randoms(use_true_random=False))
def test_order_and_company_change_nothing(
    model: DiscriminativeModel, shuffler: random.Random
) -> None:
    chosen = shuffler.sample(SOLUTIONS, shuffler.randint(1, len(SOLUTIONS)))
    for solution, found in zip(chosen, model.score(chosen), strict=True):
        [alone] = model.score([solution])
        assert found.rewards == pytest.approx(alone.rewards, abs=1e-5)


def test_a_question_without_steps_has_no_rewards(model: DiscriminativeModel) -> None:
    begun = [Solution("Which?", ()), Solution("Which?", ("So (C).",))]
    nothing, one = model.score(begun)
    assert (nothing.rewards, nothing.truncated) == ((), False)
    assert len(one.rewards) == 1
    assert model.score(begun[:1]) == [nothing]
    assert model.score([]) == []


def test_a_solution_over_the_length_is_marked_and_not_cut(model: DiscriminativeModel) -> None:
    assert model.max_tokens == 1024
    long = Solution("Which?", ("because " * 2000, "so (C)."))
    found, beside = model.score([long, SOLUTIONS[0]])
    assert found == Rewards((None, None), 0, 0, 0.0, truncated=True)
    assert [beside] == model.score(SOLUTIONS[:1])


def test_what_is_done_is_left_out_and_the_rest_is_the_same(model: DiscriminativeModel) -> None:
    solutions = [*SOLUTIONS, Solution("Which?", ("because " * 2000,))]
    batches = list(model.score_in_batches(solutions))
    assert len(batches) > 2
    for n in range(len(batches) + 1):
        done = {position for batch in batches[:n] for position in batch}
        assert list(model.score_in_batches(solutions, done)) == batches[n:]


def test_what_is_no_such_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=str(tmp_path)):
        load_discriminative(tmp_path)
