"""Verdicts on single steps: one prompt per step, and the mean of P(Yes) over its analyses."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerBase

from multirm.engines.base import Completed, Completion, Engine, Request, TokenCounts
from multirm.engines.name import EngineName
from multirm.errors import InputError
from multirm.generation.options import GenerationOptions
from multirm.models.load import load_tokenizer
from multirm.reward_models.base import Solution
from multirm.reward_models.formats import format_file, read_words
from multirm.reward_models.step_verdicts import StepCritiqueFormat, StepwiseModel
from multirm.scoring.generative import score_generative
from multirm.tables import parquet
from multirm.tables.reward_models import FormatName, Kind
from multirm.tables.rewards import REWARDS, SCORED_CRITIQUES, NoReward, Unit
from multirm.tables.solutions import SOLUTIONS
from tests.origins import made_of

LINE = "\nVerification: Is the step correct (Yes/No)?"
SOLUTION = Solution("What is 2 + 3?", ("2 + 3 = 5.", " The answer is {step}.\n"), key=("q", 0))


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> PreTrainedTokenizerBase:
    return load_tokenizer(str(tiny_model))


@pytest.fixture(scope="module")
def asked(tokenizer: PreTrainedTokenizerBase) -> StepCritiqueFormat:
    return StepCritiqueFormat(tokenizer, format_file(FormatName.R_PRM))


@pytest.fixture(scope="module")
def written(tokenizer: PreTrainedTokenizerBase) -> Callable[[str, float], Completion]:
    """Makes a completion of a text, in which P(Yes) is the same at all verdict tokens."""

    def completion(text: str, probability: float) -> Completion:
        ids = tokenizer.encode(text, add_special_tokens=False)
        verdicts = [tokenizer.encode(word, add_special_tokens=False)[0] for word in (" No", " Yes")]
        both = (math.log(1 - probability), math.log(probability))
        watched = {place: both for place, token in enumerate(ids) if token in verdicts}
        return Completion(ids, text, watched, truncated=False)

    return completion


def test_each_step_has_a_prompt_with_the_steps_before_it(
    asked: StepCritiqueFormat, tokenizer: PreTrainedTokenizerBase
) -> None:
    first, second = asked.prompts([SOLUTION])
    texts = [tokenizer.decode(prompt.ids) for prompt in (first, second)]
    assert first.key != second.key
    assert "Question: What is 2 + 3?" in texts[0]
    assert "Previous Steps: None\n\nNow Step: Step 1: 2 + 3 = 5.\n" in texts[0]
    later = "Previous Steps: Step 1: 2 + 3 = 5.\n\nNow Step: Step 2: The answer is {step}.\n"
    assert later in texts[1]
    assert texts[1].startswith("<|bos|><|user|>") and texts[1].endswith("<|assistant|>")


@pytest.mark.parametrize(
    ("text", "reward"),
    [
        (f"Fine.{LINE} Yes", 0.8),
        (f"Fine.{LINE} No{LINE} Yes", 0.8),
        (f"Fine.{LINE} Yes, since it adds up", 0.8),
        ("Fine. Yes", None),
        (f"Fine.{LINE} X", None),
        (f"Fine.{LINE}Yes", None),
    ],
)
def test_the_reward_is_read_at_the_last_verdict(
    asked: StepCritiqueFormat, written: Callable[..., Completion], text: str, reward: float | None
) -> None:
    found = asked.read(written(text, 0.8))
    assert found.reward == (None if reward is None else pytest.approx(reward))
    assert found.reason is (NoReward.FORMAT if reward is None else None)


class Scripted(Engine):
    """Completes the prompts of a script, the last one first."""

    reproducible = True

    def __init__(self, script: dict[Any, list[Completion]]) -> None:
        self.script = script

    def generate(self, request: Request) -> Iterator[list[Completed]]:
        for prompt in request.left[::-1]:
            told = self.script[prompt.key[-1]]
            yield [Completed(prompt, told, TokenCounts(None, None, None))]


def test_a_steps_reward_is_the_mean_over_its_analyses(
    asked: StepCritiqueFormat, written: Callable[..., Completion]
) -> None:
    yes, no = written(f"Good.{LINE} Yes", 0.9), written(f"Bad.{LINE} No", 0.2)
    script = {0: [yes, no, written("Hm.", 0.5)], 1: [written("Hm.", 0.5)] * 3}
    options = GenerationOptions(engine=EngineName.TRANSFORMERS, max_tokens=9)
    model = StepwiseModel(Scripted(script), asked, options, 3, None)
    assert model.unit is Unit.STEP
    other = Solution("Why?", ("Because.",), key=("r", 0))
    empty = Solution("Why?", (), key=("s", 0))
    found, short, nothing = model.score([SOLUTION, other, empty])
    assert found.rewards == (pytest.approx(0.55), None)
    assert short.rewards == (pytest.approx(0.55),)
    assert nothing.rewards == ()
    prompts = asked.prompts([SOLUTION])
    assert found.n_tokens_read == sum(len(prompt.ids) for prompt in prompts)
    lengths = [len(each.ids) for analyses in script.values() for each in analyses]
    assert found.n_tokens_generated == sum(lengths)
    assert [*model.score_in_batches([SOLUTION, other], done={0})] == [{1: short}]


def test_a_template_needs_its_placeholders(
    tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    words = tmp_path / "words.txt"
    words.write_text("{question} {step}")
    with pytest.raises(InputError, match=r"words.txt: .*found no \{previous\}"):
        StepCritiqueFormat(tokenizer, words)
    with pytest.raises(InputError, match="a prompt template in UTF-8"):
        read_words(tmp_path / "none.txt", ())


@pytest.mark.parametrize(
    ("format", "n_rewards"), [(FormatName.R_PRM, 3), (FormatName.THINK_PRM, 2)]
)
def test_other_peoples_generative_models_are_scored(
    tiny_model: Path, tmp_path: Path, format: FormatName, n_rewards: int
) -> None:
    row = {"dataset": "d", "category": "law", "question_id": "q", "solution_id": 0, "answer": "5"}
    row |= {"question": "What is 2 + 3?", "steps": ["a", "b", "c"], "parsed_answer": "5"}
    row |= {"outcome": 1, "step_labels": None}
    paths = [tmp_path / f"{name}.parquet" for name in ("solutions", "rewards", "critiques")]
    parquet.write(paths[0], SOLUTIONS, [row], made_of())
    options = GenerationOptions(engine=EngineName.TRANSFORMERS, max_tokens=3)

    def score(kind: Kind, **settings: Any) -> None:
        score_generative(kind, str(tiny_model), "X", *paths, options, samples=2, **settings)

    score(Kind.GPRM, format=format)
    [scored] = parquet.read(paths[1], REWARDS).to_pylist()
    assert scored["rewards"] == [None] * n_rewards
    assert scored["unit"] == ("step" if format is FormatName.R_PRM else "critique")
    assert scored["truncated"]
    critiques = parquet.read(paths[2], SCORED_CRITIQUES).to_pylist()
    assert [each["critique_id"] for each in critiques] == [
        *range(n_rewards if n_rewards == 2 else 6)
    ]
    assert parquet.read_footer(paths[1]).parameters["format"] == format
    with pytest.raises(InputError, match="--format: expected a format of generative"):
        score(Kind.GORM, format=format)
    with pytest.raises(InputError, match="--format: expected a format of generative"):
        score(Kind.GPRM, format=FormatName.TRL)
    if format is FormatName.R_PRM:
        with pytest.raises(InputError, match="--adaptive: expected none with the format r_prm"):
            score(Kind.GPRM, format=format, adaptive=0.1)
