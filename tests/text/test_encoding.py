"""Encoding is the contract between training and scoring: exactly one label position per step."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from multirm.errors import InputError
from multirm.models.load import load_tokenizer
from multirm.tables.reward_models import Kind
from multirm.text.encoding import (
    encode_conversation,
    encode_critique,
    encode_prompt,
    encode_reply,
    encode_solution,
    single_token,
    step_candidates,
    verdict_candidates,
)
from multirm.text.prompts import REPLY_START, load_template, own_template
from multirm.training.tokenizer import train_tokenizer


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


def test_candidates_are_the_tokens_of_multi_rm(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    assert [tokenizer.decode([i]) for i in step_candidates(tokenizer)] == ["-", "+"]
    assert [tokenizer.decode([i]) for i in verdict_candidates(tokenizer)] == [" No", " Yes"]


def test_two_tokens_are_refused(tokenizer: PreTrainedTokenizerFast) -> None:
    with pytest.raises(InputError, match="to be a single token"):
        single_token(tokenizer, "Reykjavik")


def test_a_critique_follows_the_same_ids_in_training_and_sampling(
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


TEXTS = ["The treaty of 1648 was signed in Münster.", "Step 1: 12 + 30 = 42.", "So (C). Yes No + -"]


def of_the_miniature() -> PreTrainedTokenizerFast:
    return train_tokenizer(
        TEXTS, [load_template(own_template(Kind.GORM), Kind.GORM).text], 400, 1000
    )


def of_a_chat_family() -> PreTrainedTokenizerFast:
    """Byte-level BPE with Qwen's marks of turns, except for one that is not marked special, as in R1."""
    words = Tokenizer(models.BPE())
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=["</s>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    words.train_from_iterator(TEXTS * 20, trainer)
    words.add_tokens([AddedToken(text, normalized=False) for text in ("<｜User｜>", "    ")])
    words.add_tokens([AddedToken(text, normalized=False) for text in ("<think>", "</think>")])
    fast = PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<|im_end|>", pad_token="</s>")
    fast.chat_template = (
        "{% for message in messages %}    {{ '<|im_start|>user\\n<｜User｜>' }}"
        "{{ message['content'] | trim }}{{ '<|im_end|>\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n<think>\\n' }}{% endif %}"
    )
    return fast


FAMILIES = [of_the_miniature, of_a_chat_family]
MARKS = [
    *("<|begin|>", "<|end|>", "<|user|>", "<|assistant|>", "<|pad|>"),
    *("</s>", "<|im_start|>", "<|im_end|>", "<｜User｜>", "<|im_<|im_end|>end|>"),
]
NASTY = st.lists(st.sampled_from([*MARKS, "<|", "|>", "x", " ", "ß"]), max_size=8).map("".join)


def control_ids(tokenizer: PreTrainedTokenizerFast) -> set[int]:
    return {i for i, token in tokenizer.added_tokens_decoder.items() if token.content in MARKS}


@pytest.mark.parametrize("family", FAMILIES)
def test_text_may_spell_a_control_token_but_not_be_one(family: Callable[[], Any]) -> None:
    tokenizer = family()
    controls = control_ids(tokenizer)
    assert len(controls) >= 4
    own = {count: encode_prompt(tokenizer, "x").count(count) for count in controls}

    @given(NASTY, st.lists(NASTY.map("x".__add__), min_size=1, max_size=3))
    def check(question: str, steps: list[str]) -> None:
        encoded = encode_solution(tokenizer, question, steps)
        opening = tokenizer.encode("")
        assert encoded.ids[: len(opening)] == opening
        assert controls.isdisjoint(encoded.ids[len(opening) :])
        text = tokenizer.decode(encoded.ids[len(opening) :])
        assert text == question + " \n\n" + "".join(step + " \n\n\n\n" for step in steps)

        prompt = encode_prompt(tokenizer, f"x{question}x")
        assert {control: prompt.count(control) for control in controls} == own
        assert f"x{question}x" in tokenizer.decode(prompt)

        critique = encode_critique(tokenizer, "x", f" {question}</think>\nYes")
        completion = critique.ids[critique.n_prompt :]
        assert completion.pop() == tokenizer.eos_token_id
        assert controls.isdisjoint(completion)
        assert tokenizer.decode(completion) == f" {question}</think>\nYes"
        assert tokenizer.convert_tokens_to_ids("</think>") in completion

    check()


@pytest.mark.parametrize("family", FAMILIES)
def test_harmless_text_has_the_ids_of_a_plain_call(family: Callable[[], Any]) -> None:
    tokenizer = family()
    harmless = st.lists(
        st.sampled_from([*TEXTS, "<think>", "</think>", "    ", "\n\n", "<|", "</ s>", " |>"]),
        min_size=1,
    ).map("".join)

    @given(harmless)
    def check(text: str) -> None:
        def plain(text: str) -> list[int]:
            return list(tokenizer.encode(text, add_special_tokens=False))

        encoded = encode_solution(tokenizer, text, [text])
        expected = [*tokenizer.encode(text + " \n\n"), *plain(text + " \n\n\n\n")]
        assert encoded.ids == expected
        chat = tokenizer.apply_chat_template(
            [{"role": "user", "content": text}], tokenize=False, add_generation_prompt=True
        )
        prompt = plain(chat.removesuffix("<think>\n") + REPLY_START)
        assert encode_prompt(tokenizer, text) == prompt
        critique = encode_critique(tokenizer, text, text)
        assert critique.ids == [*prompt, *plain(text), tokenizer.eos_token_id]

    check()


def conversing(family: Callable[[], Any]) -> Any:
    """The tokenizer of a family, with a template that renders replies, too."""
    tokenizer = family()
    tokenizer.chat_template = tokenizer.chat_template.replace(
        "{{ '<|im_start|>user\\n<｜User｜>' }}",
        "{{ '<|im_start|>' + message['role'] + '\\n' }}"
        "{{ '<｜User｜>' if message['role'] == 'user' else '' }}",
    )
    return tokenizer


def rendered(tokenizer: Any, turns: list[str]) -> list[int]:
    """The ids of a conversation up to the reply, by transformers."""
    roles = ("user", "assistant")
    messages = [{"role": roles[k % 2], "content": text} for k, text in enumerate(turns)]
    return list(
        tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_conversations_have_the_ids_of_transformers(family: Callable[[], Any]) -> None:
    tokenizer = conversing(family)
    texts = st.lists(
        st.sampled_from([*TEXTS, "    ", "\n\n", "<|", "</ s>", " |>"]), min_size=1
    ).map("".join)

    @given(st.sampled_from([1, 3, 11]).flatmap(lambda n: st.lists(texts, min_size=n, max_size=n)))
    def check(turns: list[str]) -> None:
        ids = encode_conversation(tokenizer, turns)
        assert ids == rendered(tokenizer, turns)
        reply = encode_reply(tokenizer, turns, "So.</think>\nYes")
        assert reply.ids[: reply.n_prompt] == ids
        expected = tokenizer.encode("So.</think>\nYes", add_special_tokens=False)
        assert reply.ids[reply.n_prompt :] == [*expected, tokenizer.eos_token_id]

    check()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_turn_may_spell_a_control_token_but_not_be_one(family: Callable[[], Any]) -> None:
    tokenizer = conversing(family)
    thinking = {tokenizer.convert_tokens_to_ids(mark) for mark in ("<think>", "</think>")}
    controls = control_ids(tokenizer) | thinking
    plain = encode_conversation(tokenizer, ["x"] * 3)
    own = {count: plain.count(count) for count in controls}
    nasty = st.one_of(NASTY, st.sampled_from(["</think>", "a<think></think>b"]))

    @given(st.lists(nasty.map(lambda text: f"x{text}x"), min_size=3, max_size=3))
    def check(turns: list[str]) -> None:
        ids = encode_conversation(tokenizer, turns)
        assert {control: ids.count(control) for control in controls} == own
        text = tokenizer.decode(ids)
        assert all(turn in text for turn in turns)
        completion = encode_reply(tokenizer, turns, turns[0]).ids[len(ids) :]
        assert completion.pop() == tokenizer.eos_token_id
        assert control_ids(tokenizer).isdisjoint(completion)
        assert tokenizer.decode(completion) == turns[0]

    check()


def test_a_chat_template_that_changes_the_user_turn_is_refused() -> None:
    tokenizer = of_a_chat_family()
    tokenizer.chat_template = tokenizer.chat_template.replace("| trim", "| upper")
    with pytest.raises(InputError, match="leaves the user turn unchanged"):
        encode_prompt(tokenizer, "Why?")


def test_a_critique_must_be_able_to_end() -> None:
    tokenizer = of_a_chat_family()
    tokenizer.eos_token = None
    with pytest.raises(InputError, match="an end-of-sequence token, found none"):
        encode_critique(tokenizer, "Why?", " So.")
    with pytest.raises(InputError, match="an end-of-sequence token, found none"):
        encode_reply(tokenizer, ["Why?"], " So.")
