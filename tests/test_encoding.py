"""Encoding is the contract between training and scoring: one label place per step, always."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from multirm.encoding import (
    encode_critique,
    encode_prompt,
    encode_solution,
    single_token,
    step_candidates,
    verdict_candidates,
)
from multirm.errors import InputError
from multirm.models import load_tokenizer
from multirm.prompts import REPLY_START


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> PreTrainedTokenizerFast:
    return load_tokenizer(str(tiny_model))


def test_every_step_ends_where_its_text_ends(tokenizer: PreTrainedTokenizerFast) -> None:
    @given(st.text(max_size=30), st.lists(st.text(min_size=1, max_size=20), max_size=6))
    def check(question: str, steps: list[str]) -> None:
        encoded = encode_solution(tokenizer, question, steps)
        assert len(encoded.step_ends) == len(steps)
        for k, end in enumerate(encoded.step_ends):
            text = tokenizer.decode(encoded.ids[: end + 1], clean_up_tokenization_spaces=False)
            pieces = [question + " \n\n", *(step + " \n\n\n\n" for step in steps[: k + 1])]
            assert text == "".join(pieces)

    check()


def test_candidates_are_the_tokens_of_the_published_format(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    assert [tokenizer.decode([i]) for i in step_candidates(tokenizer)] == ["-", "+"]
    assert [tokenizer.decode([i]) for i in verdict_candidates(tokenizer)] == [" No", " Yes"]


def test_two_tokens_are_refused(tokenizer: PreTrainedTokenizerFast) -> None:
    with pytest.raises(InputError, match="to be a single token"):
        single_token(tokenizer, "Reykjavik")


def test_a_critique_is_learned_after_the_ids_it_is_sampled_after(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    encoded = encode_critique(tokenizer, "Is 1 + 1 = 2?", " It is.</think>\nYes")
    assert encoded.ids[: encoded.n_prompt] == encode_prompt(tokenizer, "Is 1 + 1 = 2?")
    assert encoded.ids[-1] == tokenizer.eos_token_id
    assert tokenizer.decode(encoded.ids[: encoded.n_prompt]).endswith(REPLY_START)


def test_thinking_is_opened_once(tiny_model: Path) -> None:
    tokenizer = load_tokenizer(str(tiny_model))
    plain = encode_prompt(tokenizer, "Why?")
    tokenizer.chat_template = tokenizer.chat_template.replace(
        "<|assistant|>", "<|assistant|><think>\n"
    )
    assert encode_prompt(tokenizer, "Why?") == plain


def test_a_model_that_cannot_chat_is_refused(tiny_model: Path) -> None:
    tokenizer = load_tokenizer(str(tiny_model))
    tokenizer.chat_template = None
    with pytest.raises(InputError, match="chat template"):
        encode_prompt(tokenizer, "Why?")
