"""A job that asks a chat model: what it keeps, what it resumes, and what its tables say about it."""

from pathlib import Path

import pytest

from multirm.engines.base import Completion, Prompt
from multirm.engines.name import EngineName
from multirm.generation.chat_jobs import ChatModel, texts_of
from multirm.generation.options import GenerationOptions
from multirm.generation.prompts import conversation_prompt
from multirm.tables import parquet
from multirm.tables.samples import SAMPLES

OPTIONS = GenerationOptions(engine=EngineName.TRANSFORMERS, max_tokens=4, temperature=0.0)
MODULE = "multirm.data.sample_solutions"
TOLD = {"done": "answered", "items": "questions"}


def prompts(model: ChatModel) -> list[Prompt]:
    return [conversation_prompt(model.tokenizer, (k,), [f"What is {k}?"]) for k in range(3)]


def row_of(number: int, text: str) -> dict[str, object]:
    key = {"dataset": "d", "category": "law", "question_id": "q", "solution_id": number}
    spent = {"n_tokens_read": 1, "n_tokens_generated": 1}
    return {**key, "text": text, "reason": None, **spent}


def test_a_text_comes_with_what_it_cost() -> None:
    lost = Completion([], "", {}, truncated=True, given_up=True)
    completions = [Completion([4, 5], "So.", {}, truncated=False), Completion([], "", {}, True)]
    said, cut = {"truncated": False, "given_up": False}, {"truncated": True, "given_up": False}
    assert texts_of(Prompt((), [1, 2, 3]), [*completions, lost]) == [
        {"text": "So.", **said, "n_tokens_read": 3, "n_tokens_generated": 2},
        {"text": "", **cut, "n_tokens_read": 3, "n_tokens_generated": 0},
        {"text": "", **cut, "given_up": True, "n_tokens_read": 3, "n_tokens_generated": 0},
    ]


def test_a_temperature_holds_for_one_request(tmp_path: Path, tiny_model: Path) -> None:
    model = ChatModel.load(str(tiny_model), OPTIONS)
    with model.job(tmp_path / "out", MODULE, "policy", {}, []) as job:
        greedy = job.ask(prompts(model), 2, **TOLD)
        drawn = job.ask(prompts(model), 2, first=2, temperature=5.0, **TOLD)
        again = job.ask(prompts(model), 2, first=4, **TOLD)
    assert all(one["text"] == two["text"] for one, two in greedy)
    assert any(one["text"] != two["text"] for one, two in drawn)
    assert again == greedy


def test_what_was_asked_is_not_asked_again(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = ChatModel.load(str(tiny_model), OPTIONS)
    asked = prompts(model)
    with pytest.raises(KeyboardInterrupt), model.job(tmp_path / "out", MODULE, "a", {}, []) as job:
        first = job.ask(asked[:2], 1, **TOLD)
        raise KeyboardInterrupt
    with model.job(tmp_path / "out", MODULE, "a", {}, []) as job:
        assert len(job.journal.items) == 2
        assert job.ask(asked, 1, **TOLD)[:2] == first
    with model.job(tmp_path / "out", MODULE, "a", {"other": 1}, []) as job:
        assert not job.journal.items


def test_tables_say_what_they_were_made_from(tmp_path: Path, tiny_model: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("Answer.")
    output = tmp_path / "samples.parquet"
    model = ChatModel.load(str(tiny_model), OPTIONS)
    with model.job(output, MODULE, "judge", {"votes": 3}, [words]) as job:
        ((sample,), *_) = job.ask(prompts(model), 1, **TOLD)
        job.write([(output, SAMPLES, [row_of(0, sample["text"])])])
    footer = parquet.read_footer(output)
    assert [*footer.code] == [MODULE]
    assert {*footer.inputs} == {"words.txt", tiny_model.name}
    expected = {"votes": 3, "judge": [tiny_model.name], "reproducible": True, "max_tokens": 4}
    assert expected.items() <= footer.parameters.items()
    assert "server" not in footer.parameters
