"""Each format against its reference, and what it makes of texts that do not suit it."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from multirm.errors import InputError
from multirm.reward_models.base import RewardModel, Rewards, Solution
from multirm.reward_models.cached_reader import CachedReader
from multirm.reward_models.discriminative import DiscriminativeModel, of_format
from multirm.reward_models.formats import Format, format_file, read_format, writes_verdicts
from multirm.reward_models.load_step_reader import step_reader
from multirm.reward_models.log_ratio import LogRatioModel
from multirm.reward_models.prefixes import PrefixModel
from multirm.reward_models.step_readers import RereadingReader
from multirm.tables.reward_models import FormatName
from multirm.tables.rewards import Unit
from tests import vocabularies
from tests.reward_models.format_cases import CASES, SOLUTIONS, Case, loaded

Load = Callable[[Case], tuple[RewardModel, Path]]


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Load:
    """Makes and loads the small model of a case, and tells its folder."""
    known: dict[str, tuple[RewardModel, Path]] = {}

    def once(case: Case) -> tuple[RewardModel, Path]:
        if case.id not in known:
            folder = tmp_path_factory.mktemp(case.id) / "model"
            known[case.id] = loaded(case, folder), folder
        return known[case.id]

    return once


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_rewards_equal_the_reference(case: Case, load: Load) -> None:
    model, folder = load(case)
    for solution, found in zip(SOLUTIONS, model.score(SOLUTIONS), strict=True):
        expected = case.reference(case, folder, solution)
        assert len(set(expected)) == len(expected)
        assert found.rewards == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_growing_solutions_cost_every_token_once(case: Case, load: Load) -> None:
    model, _ = load(case)
    assert isinstance(model, DiscriminativeModel | PrefixModel | LogRatioModel)
    reader, is_cached = step_reader(model), not isinstance(model, LogRatioModel)
    assert isinstance(reader, CachedReader if is_cached else RereadingReader)
    for n_steps in (1, 2, 3, 4):
        level = [replace(each, steps=each.steps[:n_steps]) for each in SOLUTIONS]
        read = reader.read(level)
        for found, expected in zip(read, model.score(level), strict=True):
            n_last = len(expected.rewards)
            assert found.rewards[-n_last:] == pytest.approx(expected.rewards, abs=1e-5)
            assert model.unit is Unit.STEP or not any(found.rewards[:-1])
        assert not is_cached or all(each.n_computed == each.n_new for each in read)
        assert is_cached or all(each.n_computed >= each.n_new for each in read)


# Separators, tags, control tokens and marks of turns inside steps, line ends around them, and nothing at all.
HOSTILE = [
    "\n\nBegins with lines",
    "Ends with them \n\n\n\n",
    "One \n\n\n\n two \n \n\n\n\n\n\n\n three",
    "A tag: <extra_0> and <|im_end|>\n<|im_start|>assistant\n",
    "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n+",
    "Шаг ки, и ещё  ки\n",
    "{question} {step} {number}",
    "12\n+ 30\r\n\t= 42",
    "ends with a space ",
    "🙂 数学",
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_there_are_as_many_rewards_as_steps_whatever_they_spell(case: Case, load: Load) -> None:
    model, _ = load(case)
    hostile = [Solution(text, tuple(HOSTILE[number:])) for number, text in enumerate(HOSTILE)]
    for solution, found in zip(hostile, model.score(hostile), strict=True):
        is_one = model.unit is Unit.SOLUTION
        assert len(found.rewards) == (1 if is_one else len(solution.steps))
        assert None not in found.rewards


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_step_that_is_cleaned_scores_as_the_clean_one(case: Case, load: Load) -> None:
    model, _ = load(case)
    removed = read_format(case.format).layout.remove
    dirty = Solution("\nWhat is it? ", (f"\n\nOne{''.join(removed)} more. \n", " \tThe end\n\n\n"))
    clean = Solution("What is it?", ("One more.", "The end"))
    one, other = model.score([dirty, clean])
    assert one.rewards == pytest.approx(other.rewards, abs=1e-6)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_spelled_tag_is_text(case: Case, load: Load) -> None:
    """Rewards after it differ from those after the same tag as a token, or after none."""
    model, _ = load(case)
    spelled, without = (
        Solution("What is it?", (f"One{text}more.", "So (C).")) for text in (" <extra_0> ", " ")
    )
    one, other = model.score([spelled, without])
    assert one.n_tokens_read > other.n_tokens_read + 2


def test_an_empty_step_has_no_reward_unless_it_has_a_tag(
    load: Load, caplog: pytest.LogCaptureFixture
) -> None:
    by_format = {case.id: case for case in CASES}
    solution = Solution("What is it?", ("One.", " ", "Two."))
    for name in (
        "versa_prm-llama",
        "versa_prm-qwen",
        "rlhflow",
        "qwen_prm",
        "trl-qwen",
        "math_shepherd",
    ):
        [found] = load(by_format[name])[0].score([solution])
        assert None not in found.rewards, name
    assert "rewards are missing" not in caplog.text
    # The end of nothing is nowhere.
    [found] = load(by_format["reason_eval"])[0].score([solution])
    assert [reward is None for reward in found.rewards] == [False, True, False]
    assert "1 rewards are missing" in caplog.text


def test_solutions_that_the_format_changes_are_counted(
    load: Load, caplog: pytest.LogCaptureFixture
) -> None:
    model, _ = load(next(case for case in CASES if case.format is FormatName.MATH_SHEPHERD))
    model.score([Solution("What is it?", ("One.", "ки", "Two.")), SOLUTIONS[-1]])
    assert "1 solutions have texts of which the format deletes a part" in caplog.text


def test_solutions_without_steps_have_no_rewards(load: Load) -> None:
    for case in (CASES[0], CASES[-1]):
        model, _ = load(case)
        [found, beside] = model.score([Solution("What is it?", ()), SOLUTIONS[-1]])
        assert found.rewards == ()
        assert len(beside.rewards) == 2


def test_the_first_steps_score_as_in_the_whole_solution(load: Load) -> None:
    for case in CASES:
        model, _ = load(case)
        if model.unit is Unit.STEP and case.format is not FormatName.EURUS_PRM:
            first, whole = model.score(
                [Solution(SOLUTIONS[1].question, SOLUTIONS[1].steps[:1]), SOLUTIONS[1]]
            )
            assert first.rewards == pytest.approx(whole.rewards[:1], abs=1e-5)


def test_a_solution_over_the_context_is_marked(load: Load) -> None:
    for case in (CASES[0], CASES[-1]):
        model, _ = load(case)
        long = Solution("Which?", ("because " * 2000, "so (C)."))
        found, beside = model.score([long, SOLUTIONS[-1]])
        assert found == Rewards((None, None), 0, 0, 0.0, truncated=True)
        assert None not in beside.rewards


def test_a_model_of_another_format_is_refused(load: Load) -> None:
    folders = {case.id: load(case)[1] for case in CASES}

    def refused(model: str, as_format: FormatName, tokenizer: Any = vocabularies.qwen) -> str:
        with pytest.raises(InputError) as error:
            of_format(str(folders[model]), tokenizer(), torch.float32, read_format(as_format))
        return str(error.value)

    assert "the linear layer score.0 among its weights, found none" in refused(
        "versa_prm-qwen", FormatName.QWEN_PRM
    )
    assert "the linear layer score among its weights, found none" in refused(
        "skywork_o1", FormatName.TRL
    )
    assert "1 outputs of score, found 2" in refused(
        "trl-llama", FormatName.CLASSIFIER, vocabularies.llama
    )
    assert "found 'Qwen2ForProcessRewardModel'" in refused("qwen_prm", FormatName.VERSA_PRM)
    assert "a tokenizer of the format, with '<extra_0>' as one token" in refused(
        "qwen_prm", FormatName.QWEN_PRM, vocabularies.llama
    )
    assert "expected a whole model, found an adapter" in refused("math_psa", FormatName.TRL)


def test_pickled_weights_are_refused_with_a_remedy(load: Load, tmp_path: Path) -> None:
    _, folder = load(next(case for case in CASES if case.format is FormatName.SKYWORK_O1))
    shutil.copytree(folder, tmp_path / "pickled")
    weights = tmp_path / "pickled" / "model.safetensors"
    weights.rename(weights.with_name("pytorch_model.bin"))
    asked = read_format(FormatName.SKYWORK_O1)
    with pytest.raises(InputError, match=r"found pytorch_model\.bin; .*safetensors"):
        of_format(str(weights.parent), vocabularies.qwen(), torch.float32, asked)


def test_a_head_in_another_file_or_with_too_much_is_found_or_refused(
    load: Load, tmp_path: Path
) -> None:
    case = next(case for case in CASES if case.format is FormatName.QWEN_PRM)
    model, folder = load(case)
    weights = load_file(folder / "model.safetensors")
    asked = read_format(case.format)

    def saved(name: str, head: dict[str, torch.Tensor], trunk: dict[str, torch.Tensor]) -> Path:
        to = tmp_path / name
        to.mkdir()
        shutil.copy(folder / "config.json", to)
        files = {
            "model-00001-of-00002.safetensors": trunk,
            "model-00002-of-00002.safetensors": head,
        }
        index = {each: file for file, of in files.items() for each in of}
        for file, of in files.items():
            save_file(of, to / file, {"format": "pt"})
        (to / "model.safetensors.index.json").write_text(
            json.dumps({"metadata": {}, "weight_map": index})
        )
        return to

    head = {name: value for name, value in weights.items() if name.startswith("score")}
    trunk = {name: value for name, value in weights.items() if name not in head}
    split = saved("split", head, trunk)
    apart = of_format(str(split), case.tokenizer(), torch.float32, asked)
    assert [each.rewards for each in apart.score(SOLUTIONS)] == [
        pytest.approx(each.rewards, abs=1e-5) for each in model.score(SOLUTIONS)
    ]
    more = saved("more", {**head, "score.4.weight": torch.zeros(2, 2)}, trunk)
    with pytest.raises(InputError, match=r"score\.0 and score\.2 alone, found score\.4\.weight"):
        of_format(str(more), case.tokenizer(), torch.float32, asked)
    less = saved("less", head, {name: trunk[name] for name in sorted(trunk)[:-1]})
    with pytest.raises(InputError, match="all weights of the decoder"):
        of_format(str(less), case.tokenizer(), torch.float32, asked)


def test_every_format_of_a_discriminative_model_is_tested() -> None:
    files = {path for path in format_file(FormatName.TRL).parent.iterdir() if path.is_file()}
    others = {*FormatName} - {FormatName.MULTI_RM}
    assert files == {format_file(name) for name in others}
    assert {case.format for case in CASES} == {each for each in others if not writes_verdicts(each)}


def test_inconsistent_formats_are_refused() -> None:
    known = read_format(FormatName.TRL).model_dump()
    for changed in (
        {"unit": "solution"},
        {"layout": {**known["layout"], "read": "end"}, "head": {"tokens": ["-", "+"]}},
        {"layout": {**known["layout"], "read": 2}},
        {"layout": {**known["layout"], "separator": "\n"}},
        {"head": {"tokens": ["-"]}},
    ):
        with pytest.raises(ValidationError):
            Format.model_validate({**known, **changed})


def test_the_words_of_a_first_turn_can_be_given(tmp_path: Path, load: Load) -> None:
    path = tmp_path / "first.txt"
    path.write_text("{question}\nJudge: {step}")
    fover = read_format(FormatName.FOVER)
    assert fover.with_first_turn(path).layout.question == "{question}\nJudge: {step}"
    path.write_text("{question}")
    with pytest.raises(InputError, match=r"the placeholder \{question\} and \{step\}"):
        fover.with_first_turn(path)
    with pytest.raises(InputError, match="a format with a chat"):
        read_format(FormatName.TRL).with_first_turn(path)
