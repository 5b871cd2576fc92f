"""Stop strings against their definition: all ids decoded anew after every token."""

from collections.abc import Callable
from functools import cache

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from multirm.engines.base import REPLACEMENT, Completion, Prompt, Request, Sampling
from multirm.engines.stops import (
    StopSearch,
    completion_of,
    cut_at_stop,
    decode,
    split_at_stop,
)
from multirm.errors import InputError
from tests.conftest import byte_level_tokenizer

TEXTS = ["The answer is (C).\n\nStep 2: naïve café, 数学の答え 🙂🙂, ok.\n\n\n" * 3]


@cache
def byte_level() -> PreTrainedTokenizerBase:
    """Whose tokens are bytes and runs of them, within letters too."""
    return byte_level_tokenizer(TEXTS, vocab_size=400)


@cache
def with_byte_fallback() -> PreTrainedTokenizerBase:
    """As SentencePiece has it: words that begin with a space, and bytes for letters that it does not know."""
    words = ["▁", "▁a", "a", "b", "ab", ".", "é", "\n", "\n\n", "▁▁", "!b"]
    vocabulary = {f"<0x{byte:02X}>": byte for byte in range(256)}
    vocabulary |= {word: 256 + place for place, word in enumerate(words)}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], byte_fallback=True))
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(content=" ", left=1, right=0),
        ]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def by_definition(
    tokenizer: PreTrainedTokenizerBase, ids: list[int], stops: list[str]
) -> list[int]:
    for n in range(1, len(ids) + 1):
        text = decode(tokenizer, ids[:n])
        if any(stop in text for stop in stops):
            return ids[:n]
    return ids


def check(tokenizer: PreTrainedTokenizerBase, ids: list[int], stops: list[str]) -> Completion:
    """That ids are cut as defined, and taken apart so that nothing is lost."""
    kept = cut_at_stop(tokenizer, ids, stops)
    assert kept == by_definition(tokenizer, ids, stops)
    completion = completion_of(tokenizer, kept, stops, {}, truncated=True)
    assert completion.ids == kept
    assert completion.text + (completion.stop or "") + completion.rest == decode(tokenizer, kept)
    assert completion.truncated == (completion.stop is None)
    assert not any(stop in completion.text for stop in stops)
    return completion


@st.composite
def cases(
    draw: st.DrawFn, tokenizer_of: Callable[[], PreTrainedTokenizerBase]
) -> tuple[list[int], list[str]]:
    """Ids of texts, of single tokens and of bytes that are no letters; and stops, most of which are in the text."""
    tokenizer = tokenizer_of()
    tokens = st.integers(0, len(tokenizer) - 1).map(lambda token: [token])
    texts = st.text("ab. \n!é数🙂", max_size=12).map(
        lambda text: tokenizer.encode(text, add_special_tokens=False)
    )
    alike = st.lists(tokens, min_size=1, max_size=3).flatmap(st.sampled_from)
    pieces = draw(st.lists(st.one_of(tokens, texts, alike), max_size=40))
    ids = [token for piece in pieces for token in piece]
    text = decode(tokenizer, ids)
    stops = []
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, max(0, len(text) - 1)))
        inside = text[start : start + draw(st.integers(1, 30))]
        stop = draw(st.one_of(st.just(inside), st.text("ab. \n!é数🙂", min_size=1, max_size=6)))
        stops.append(stop.replace(REPLACEMENT, "") or "?")
    return ids, stops


@given(cases(byte_level))
def test_bytes_as_defined(case: tuple[list[int], list[str]]) -> None:
    ids, stops = case
    completion = check(byte_level(), ids, stops)
    # Letters of bytes mean the same whatever follows: the whole text has the same stop string first.
    whole = split_at_stop(decode(byte_level(), ids), stops)
    assert (whole and whole[:2]) == (completion.stop and (completion.text, completion.stop))


@given(cases(with_byte_fallback))
@example(([0xC3, 0xA9, 0xE2, 0x82, 0xC3, 0xA9, 256 + 3, 0xC3, 0xA9], ["éb", "bé"]))
@example(([256 + 1] * 60 + [256 + 5], [" a."]))
@example(([0xC3, 0xA9] * 60 + [256 + 5], ["é."]))
def test_bytes_in_place_of_unknown_letters_as_defined(case: tuple[list[int], list[str]]) -> None:
    check(with_byte_fallback(), *case)


def ids_of(*pieces: str) -> list[int]:
    return [i for piece in pieces for i in byte_level().encode(piece, add_special_tokens=False)]


@pytest.mark.parametrize(
    ("text", "stops", "expected"),
    [
        ("one two", ["o"], ("", "o", "ne two")),
        ("one two", ["two", "e t"], ("on", "e t", "wo")),
        # Complete at the same letter: the longest.
        ("one two", ["e", "one", "ne"], ("", "one", " two")),
        # Complete earlier, though it begins later.
        ("one two", ["one two", "ne"], ("o", "ne", " two")),
        ("aaa", ["aa"], ("", "aa", "a")),
        ("one two", ["three"], None),
    ],
)
def test_the_first_that_is_complete_and_the_longest_of_several(
    text: str, stops: list[str], expected: tuple[str, str, str] | None
) -> None:
    assert split_at_stop(text, stops) == expected
    assert split_at_stop(text, stops[::-1]) == expected


def test_it_ends_inside_a_token() -> None:
    tokenizer = byte_level()
    (token,) = tokenizer.encode("\n\n\n", add_special_tokens=False)[:1]
    said = decode(tokenizer, [token])
    assert len(said) > 1
    completion = check(tokenizer, [*ids_of("ok"), token, token], [said[0]])
    assert (completion.text, completion.stop, completion.rest) == ("ok", said[0], said[1:])


def test_it_spans_letters_of_several_tokens() -> None:
    ids = [
        i for byte in "a🙂b🙂".encode() for i in byte_level().convert_tokens_to_ids(as_token(byte))
    ]
    assert len(ids) == 10
    completion = check(byte_level(), ids, ["🙂b"])
    assert (completion.text, completion.stop, completion.rest) == ("a", "🙂b", "")
    assert len(completion.ids) == 6


def as_token(byte: int) -> list[str]:
    """The token of one byte in the alphabet of byte-level tokenizers."""
    shift = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [each for each in range(256) if each not in shift]
    return [chr(byte if byte in shift else 256 + others.index(byte))]


def test_the_work_of_a_token_does_not_grow_with_the_text() -> None:
    tokenizer = byte_level()
    lengths: list[int] = []

    class Measured:
        def decode(self, ids: list[int], **settings: object) -> str:
            lengths.append(len(ids))
            return tokenizer.decode(ids, **settings)

    search = StopSearch(Measured(), ["never said", "nor this"])  # type: ignore[arg-type]
    assert not any(search.add(token) for token in ids_of(*TEXTS) * 40)
    assert len(lengths) > 1000
    assert max(lengths) < 60


@pytest.mark.parametrize("stop", ["", "a\ufffd"])
def test_an_empty_or_undecodable_stop_string_is_refused(stop: str) -> None:
    with pytest.raises(InputError, match="stop string: expected text, found '"):
        Request([], Sampling(1, 1), 0, stop=("a", stop))


def test_two_prompts_with_the_same_key_are_refused() -> None:
    with pytest.raises(InputError, match=r"a key for each of them, found \('a', 1\) twice"):
        Request([Prompt(("a", 1), [1]), Prompt(("a", 1), [2])], Sampling(1, 1), 0)
