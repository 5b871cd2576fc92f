"""Five families of models, each with its real vocabulary: the ids that texts get are written down here.

They come from `Tokenizer.from_file(…).encode`, called on one piece of text after the other, and were read token by
token. The tests load each tokenizer from a folder, as users do.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerBase

from multirm.engines.base import Completion
from multirm.errors import InputError
from multirm.models.load import load_tokenizer
from multirm.reward_models.formats import read_format, writes_verdicts
from multirm.reward_models.generative import verdict_place
from multirm.reward_models.layouts import Encoder
from multirm.tables.reward_models import FormatName, Kind
from multirm.text.chat import chat_turns
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
from multirm.text.prompts import REPLY_START
from tests.pretrained import pretrained
from tests.vocabularies import write_mistral

QUESTION = "What is 12345 + 3?"
# Steps end in a full stop, a line end, a space, a blank line, and a character of several bytes.
STEPS = ["12345 + 3 = 12348.", "So it's (C).\n", "It is 5 ", "$7$\n\n", "数学"]
PROMPT = "Is 1 + 1 = 2?"
CRITIQUE = " So it is.\n</think>\nVerification: Is the answer correct (Yes/No)? Yes"
DISCRIMINATIVE = {
    name for name in FormatName if name is not FormatName.MULTI_RM and not writes_verdicts(name)
}


@dataclass(frozen=True)
class Family:
    """The ids of one vocabulary.

    Attributes:
        opening: what comes before a text.
        question: QUESTION with its end.
        steps: STEPS with their ends.
        candidates: `-` and `+`.
        verdicts: ` No` and ` Yes` within a text.
        unspaced: `No` and `Yes` after a line end.
        critique: CRITIQUE, whose last token is the verdict.
        user: PROMPT as the user turn, up to the start of the reply.
        start: the start of the reply of a critique.
        replied: the user's turn, the reply `Yes.`, and the turn `Why?`, up to the next reply.
        system: the start of a chat with the system turn `Be brief.`; None if the template has none.
        end: what ends a reply.
        controls: control tokens by name.
        refused: the formats of other people's reward models that this vocabulary or chat template does not suit.
        other_class: a class that does not suit the vocabulary.
    """

    opening: list[int]
    question: list[int]
    steps: list[list[int]]
    candidates: tuple[int, int]
    verdicts: tuple[int, int]
    unspaced: tuple[int, int]
    critique: list[int]
    user: list[int]
    start: list[int]
    replied: list[int]
    system: list[int] | None
    end: int
    controls: dict[str, int]
    refused: set[str]
    other_class: str


# Digits in threes; the end of a step is one token, except after a space.
LLAMA = Family(
    opening=[128000],
    question=[3923, 374, 220, 4513, 1774, 489, 220, 18, 30, 4815],
    steps=[
        [4513, 1774, 489, 220, 18, 284, 220, 4513, 2166, 13, 23535],
        [4516, 433, 596, 320, 34, 4390, 23535],
        [2181, 374, 220, 20, 256, 1038],
        [3, 22, 67526, 23535],
        [118687, 23535],
    ],
    candidates=(12, 10),
    verdicts=(2360, 7566),
    unspaced=(2822, 9642),
    critique=[2100, 433, 374, 627, 524, 27963, 397, 63439, 25, 2209, 279, 4320, 4495, 320]
    + [9642, 14, 2822, 12106, 7566],
    user=[128000, 128006, 882, 128007, 271, 3957, 220, 16, 489, 220, 16, 284, 220, 17, 30]
    + [128009, 128006, 78191, 128007, 271],
    start=[14023, 771, 397, 10267, 596, 10356, 3094, 555, 3094, 25],
    replied=[128000, 128006, 882, 128007, 271, 3957, 220, 16, 489, 220, 16, 284, 220, 17, 30]
    + [128009, 128006, 78191, 128007, 271, 9642, 13, 128009, 128006, 882, 128007, 271]
    + [10445, 30, 128009, 128006, 78191, 128007, 271],
    system=[128000, 128006, 9125, 128007, 271, 3513, 10015, 13, 128009, 128006, 882, 128007, 271],
    end=128009,
    controls={
        "<|begin_of_text|>": 128000,
        "<|start_header_id|>": 128006,
        "<|end_header_id|>": 128007,
        "<|eot_id|>": 128009,
        "<|reserved_special_token_7|>": 128012,
    },
    refused={"qwen_prm", "reasonflux_prm"},
    other_class="GPT2Tokenizer",
)
# Single digits; the end of a step is one token, except after a space; no beginning-of-sequence token.
QWEN = Family(
    opening=[],
    question=[3838, 374, 220, 16, 17, 18, 19, 20, 488, 220, 18, 30, 4710],
    steps=[
        [16, 17, 18, 19, 20, 488, 220, 18, 284, 220, 16, 17, 18, 19, 23, 13, 22701],
        [4416, 432, 594, 320, 34, 4292, 22701],
        [2132, 374, 220, 20, 256, 1022],
        [3, 22, 66426, 22701],
        [104552, 22701],
    ],
    candidates=(12, 10),
    verdicts=(2308, 7414),
    unspaced=(2753, 9454),
    critique=[2055, 432, 374, 624, 151668, 198, 62339, 25, 2160, 279, 4226, 4396, 320]
    + [9454, 14, 2753, 11843, 7414],
    user=[151644, 872, 198, 3872, 220, 16, 488, 220, 16, 284, 220, 17, 30, 151645, 198]
    + [151644, 77091, 198],
    start=[151667, 198, 10061, 594, 10146, 3019, 553, 3019, 25],
    replied=[151644, 872, 198, 3872, 220, 16, 488, 220, 16, 284, 220, 17, 30, 151645, 198]
    + [151644, 77091, 198, 9454, 13, 151645, 198, 151644, 872, 198, 10234, 30, 151645, 198]
    + [151644, 77091, 198],
    system=[151644, 8948, 198, 3430, 9814, 13, 151645, 198, 151644, 872, 198],
    end=151645,
    controls={
        "<|endoftext|>": 151643,
        "<|im_start|>": 151644,
        "<|im_end|>": 151645,
        "<tool_call>": 151657,
        "<|file_sep|>": 151664,
    },
    # It has no Cyrillic tag, and its template gives the last reply an empty thinking.
    refused={"fover", "math_shepherd", "qwen_prm", "reasonflux_prm", "rlhflow"},
    other_class="LlamaTokenizerFast",
)
# Digits in threes; the end of a step is two tokens. Its file adds no beginning-of-sequence token, its template does.
DEEPSEEK = Family(
    opening=[],
    question=[3085, 344, 223, 6895, 1883, 940, 223, 21, 33, 1004],
    steps=[
        [6895, 1883, 940, 223, 21, 438, 223, 6895, 2170, 16, 1004, 271],
        [5328, 436, 734, 343, 37, 5772, 1004, 271],
        [2107, 344, 223, 23, 6776, 271],
        [6, 25, 28146, 1004, 271],
        [8570, 1004, 271],
    ],
    candidates=(15, 13),
    verdicts=(3011, 11608),
    unspaced=(4484, 10240),
    critique=[3016, 436, 344, 603, 1718, 37947, 1018, 15899, 2886, 28, 2355, 270, 3287, 4813]
    + [343, 10240, 17, 4484, 21881, 11608],
    user=[0, 128803, 4910, 223, 19, 940, 223, 19, 438, 223, 20, 33, 128804],
    start=[30, 37947, 1018, 5718, 734, 23393, 3132, 513, 3132, 28],
    replied=[0, 128803, 4910, 223, 19, 940, 223, 19, 438, 223, 20, 33, 128804, 10240, 16, 1]
    + [128803, 11687, 33, 128804],
    system=[0, 7153, 9708, 16, 128803],
    end=1,
    controls={
        "<｜begin▁of▁sentence｜>": 0,
        "<｜end▁of▁sentence｜>": 1,
        "<｜fim▁hole｜>": 128800,
        "<｜User｜>": 128803,
        "<｜Assistant｜>": 128804,
        "<｜tool▁sep｜>": 128814,
    },
    refused={"math_psa", "qwen_prm", "reasonflux_prm", "versa_prm"},
    other_class="Qwen2Tokenizer",
)
# Single digits; the end of a step is a space and four line ends.
GEMMA = Family(
    opening=[2],
    question=[3689, 563, 236743, 236770, 236778, 236800, 236812, 236810, 900, 236743, 236800]
    + [236881, 236743, 108],
    steps=[
        [236770, 236778, 236800, 236812, 236810, 900, 236743, 236800, 578, 236743]
        + [236770, 236778, 236800, 236812, 236828, 236761, 236743, 110],
        [4324, 625, 236789, 236751, 568, 236780, 769, 107, 236743, 110],
        [1509, 563, 236743, 236810, 138, 110],
        [236795, 236832, 236795, 108, 236743, 110],
        [76617, 236743, 110],
    ],
    candidates=(236772, 236862),
    verdicts=(2301, 8438),
    unspaced=(3771, 10784),
    critique=[1593, 625, 563, 236761, 107, 954, 36345, 236813, 107, 87228, 236787, 2375, 506]
    + [3890, 4338, 568, 10784, 236786, 3771, 20625, 8438],
    user=[2, 105, 2364, 107, 4602, 236743, 236770, 900, 236743, 236770, 578, 236743, 236778]
    + [236881, 106, 107, 105, 4368, 107],
    start=[236820, 36345, 236813, 107, 6481, 236789, 236751, 16807, 2918, 684, 2918, 236787],
    replied=[2, 105, 2364, 107, 4602, 236743, 236770, 900, 236743, 236770, 578, 236743, 236778]
    + [236881, 106, 107, 105, 4368, 107, 10784, 236761, 106, 107, 105, 2364, 107]
    + [11355, 236881, 106, 107, 105, 4368, 107],
    # There are no system turns: it is the start of the user's.
    system=[2, 105, 2364, 107, 3912, 8652, 236761, 108],
    end=106,
    controls={
        "<eos>": 1,
        "<bos>": 2,
        "<start_of_turn>": 105,
        "<end_of_turn>": 106,
        "<start_of_image>": 255999,
    },
    refused={"math_psa", "qwen_prm", "reasonflux_prm", "versa_prm"},
    other_class="LlamaTokenizerFast",
)
# Single digits; a space before each piece; line ends are bytes, so that the end of a step is five tokens.
MISTRAL = Family(
    opening=[1],
    question=[2592, 1117, 29473, 29508, 29518, 29538, 29549, 29550, 1416, 29473, 29538, 29572]
    + [29473, 781, 781],
    steps=[
        [29473, 29508, 29518, 29538, 29549, 29550, 1416, 29473, 29538, 1095, 29473]
        + [29508, 29518, 29538, 29549, 29551, 29491, 29473, 781, 781, 781, 781],
        [2305, 1146, 29510, 29481, 1093, 29511, 1377, 781, 29473, 781, 781, 781, 781],
        [1429, 1117, 29473, 29550, 1027, 781, 781, 781, 781],
        [1197, 29555, 29544, 781, 781, 29473, 781, 781, 781, 781],
        [29473, 29713, 30268, 29473, 781, 781, 781, 781],
    ],
    candidates=(1155, 1416),
    verdicts=(2538, 6360),
    unspaced=(3269, 6381),
    critique=[29473, 2305, 1146, 1117, 29491, 781, 1468, 24804, 29535, 781, 6528, 3268, 29515]
    + [2459, 1040, 5140, 5482, 1093, 6381, 29516, 3269, 12608, 6360],
    user=[1, 3, 29473, 2459, 29473, 29508, 1416, 29473, 29508, 1095, 29473, 29518, 29572, 4],
    start=[1291, 24804, 29535, 781, 9547, 29510, 29481, 12398, 4475, 1254, 4475, 29515],
    replied=[1, 3, 29473, 2459, 29473, 29508, 1416, 29473, 29508, 1095, 29473, 29518, 29572, 4]
    + [29473, 6360, 29491, 2, 3, 29473, 5083, 29572, 4],
    system=None,
    end=2,
    controls={"<s>": 1, "</s>": 2, "[INST]": 3, "[/INST]": 4, "[TOOL_CALLS]": 5},
    refused={"math_psa", "pure", "qwen_prm", "reasonflux_prm", "skywork_o1", "trl", "versa_prm"},
    other_class="GemmaTokenizer",
)
FAMILIES = {
    "llama3_1": LLAMA,
    "qwen3": QWEN,
    "deepseek_v3": DEEPSEEK,
    "gemma3": GEMMA,
    "mistral": MISTRAL,
}
FoldersOf = Callable[[str], Path]


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> FoldersOf:
    """The folder of a family's tokenizer, to be read."""
    mistral = tmp_path_factory.mktemp("mistral")
    write_mistral(mistral)
    return lambda name: mistral if name == "mistral" else pretrained(name)


@pytest.fixture(scope="module", params=FAMILIES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def family(name: str) -> Family:
    return FAMILIES[name]


@pytest.fixture(scope="module")
def tokenizer(name: str, folder_of: FoldersOf) -> PreTrainedTokenizerBase:
    return load_tokenizer(str(folder_of(name)))


def check_solution(tokenizer: PreTrainedTokenizerBase, family: Family) -> None:
    encoded = encode_solution(tokenizer, QUESTION, STEPS)
    ids, ends = [*family.opening, *family.question], []
    for step in family.steps:
        ids += step
        ends.append(len(ids) - 1)
    assert encoded.ids == ids
    assert encoded.step_ends == ends


def test_a_solution(tokenizer: PreTrainedTokenizerBase, family: Family) -> None:
    check_solution(tokenizer, family)
    # A step's ids are the same whatever is before it.
    assert (
        encode_solution(tokenizer, QUESTION, STEPS[3:]).ids[-len(family.steps[4]) :]
        == family.steps[4]
    )


def test_a_solution_whatever_class_the_folder_names(
    name: str, family: Family, folder_of: FoldersOf, tmp_path: Path
) -> None:
    (tmp_path / "tokenizer.json").symlink_to(folder_of(name) / "tokenizer.json")
    config = json.loads((folder_of(name) / "tokenizer_config.json").read_text())
    # transformers follows the architecture of the model, too.
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    path = tmp_path / "tokenizer_config.json"
    path.write_text(json.dumps({**config, "tokenizer_class": family.other_class}))
    check_solution(load_tokenizer(str(tmp_path)), family)


def test_candidates(tokenizer: PreTrainedTokenizerBase, family: Family) -> None:
    assert step_candidates(tokenizer) == family.candidates
    assert verdict_candidates(tokenizer) == family.verdicts
    assert tuple(single_token(tokenizer, each, "\n") for each in ("No", "Yes")) == family.unspaced


def completed(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> Completion:
    """What an engine returns of sampled ids."""
    watched = {
        place: (-2.0, -0.5)
        for place, token in enumerate(ids)
        if token in verdict_candidates(tokenizer)
    }
    return Completion(ids, tokenizer.decode(ids), watched, truncated=False)


def test_a_verdict_is_found(tokenizer: PreTrainedTokenizerBase, family: Family) -> None:
    encoded = encode_critique(tokenizer, PROMPT, CRITIQUE)
    assert encoded.ids[: encoded.n_prompt] == family.user + family.start
    assert encoded.ids[encoded.n_prompt :] == [*family.critique, family.end]
    found = completed(tokenizer, family.critique)
    assert found.text == CRITIQUE
    assert verdict_place(Kind.GORM, tokenizer, found) == len(family.critique) - 1
    # What is said after it, and verdicts that only look like it, change nothing.
    longer = completed(tokenizer, [*family.critique, family.verdicts[0], family.unspaced[1]])
    assert verdict_place(Kind.GORM, tokenizer, longer) == len(family.critique) - 1
    unspaced = completed(tokenizer, [*family.critique[:-1], family.unspaced[1]])
    assert unspaced.text == CRITIQUE.replace("? Yes", "?Yes")
    assert verdict_place(Kind.GORM, tokenizer, unspaced) is None


def test_chats(tokenizer: PreTrainedTokenizerBase, family: Family) -> None:
    assert encode_conversation(tokenizer, [PROMPT]) == family.user
    assert encode_conversation(tokenizer, [PROMPT, "Yes.", "Why?"]) == family.replied
    assert encode_prompt(tokenizer, PROMPT) == family.user + family.start
    assert encode_reply(tokenizer, [PROMPT], CRITIQUE).ids == [
        *family.user,
        *family.critique,
        family.end,
    ]
    if tokenizer.bos_token_id is not None:
        assert [
            family.user.count(tokenizer.bos_token_id),
            family.replied.count(family.user[0]),
        ] == [1, 1]


def test_chats_are_those_of_transformers(tokenizer: PreTrainedTokenizerBase) -> None:
    words = st.sampled_from(
        ["x", " ", "\n", "12345", "'s", "{{", "é", "数", "\\boxed{", "}", "</p>"]
    )
    turn = st.lists(words).map("".join)

    @settings(max_examples=20)
    @given(st.sampled_from([1, 3]).flatmap(lambda n: st.lists(turn, min_size=n, max_size=n)))
    def check(turns: list[str]) -> None:
        roles = ("user", "assistant")
        messages = [{"role": roles[k % 2], "content": text} for k, text in enumerate(turns)]
        expected: Any = tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, return_dict=False
        )
        assert encode_conversation(tokenizer, turns) == expected

    check()


def test_system_turns(tokenizer: PreTrainedTokenizerBase, family: Family) -> None:
    if family.system is None:
        with pytest.raises(InputError, match="Conversation roles must alternate"):
            chat_turns(tokenizer, "Be brief.")
    else:
        before = chat_turns(tokenizer, "Be brief.").before
        assert tokenizer.encode(before, add_special_tokens=False) == family.system


def test_thinking_that_the_template_could_turn_off(
    tokenizer: PreTrainedTokenizerBase, family: Family
) -> None:
    template = str(tokenizer.chat_template)
    assert ("enable_thinking" in template) == (family is QWEN)
    text = tokenizer.decode(encode_prompt(tokenizer, PROMPT))
    assert text.count("<think>") == 1
    assert text.endswith(REPLY_START)
    if family is QWEN:
        off = tokenizer.apply_chat_template(
            [{"role": "user", "content": PROMPT}],
            add_generation_prompt=True,
            enable_thinking=False,
            return_dict=False,
        )
        assert off == [*family.user, 151667, 271, 151668, 271]
        tokenizer.chat_template = template.replace(
            "enable_thinking is false", "not enable_thinking"
        )
        assert encode_prompt(tokenizer, PROMPT) == family.user + family.start
        tokenizer.chat_template = template


def test_texts_may_spell_control_tokens_but_not_be_them(
    tokenizer: PreTrainedTokenizerBase, family: Family
) -> None:
    for mark, number in family.controls.items():
        assert tokenizer.encode(mark, add_special_tokens=False) == [number]
    own = {
        kind: [ids.count(number) for number in family.controls.values()]
        for kind, ids in {
            "solution": family.opening,
            "prompt": family.user,
            "conversation": family.replied,
            "completion": [family.end],
        }.items()
    }

    def counts(ids: list[int]) -> list[int]:
        return [ids.count(number) for number in family.controls.values()]

    marks = st.lists(st.sampled_from([*family.controls, "x", " ", "\n", "<", "[", "user\n"]))
    nasty = marks.map(lambda parts: f"x{''.join(parts)}x")

    @given(nasty, nasty)
    def check(one: str, other: str) -> None:
        solution = encode_solution(tokenizer, one, [other, one])
        assert counts(solution.ids) == own["solution"]
        assert counts(encode_prompt(tokenizer, one)) == own["prompt"]
        assert counts(encode_conversation(tokenizer, [one, other, one])) == own["conversation"]
        critique = encode_critique(tokenizer, PROMPT, one)
        assert counts(critique.ids[critique.n_prompt :]) == own["completion"]
        # SentencePiece puts a space before each part of a text that is taken apart.
        if family is not MISTRAL:
            text = tokenizer.decode(solution.ids[len(family.opening) :])
            assert text == f"{one} \n\n{other} \n\n\n\n{one} \n\n\n\n"

    check()


def test_formats_that_a_vocabulary_does_not_suit_are_refused(
    tokenizer: PreTrainedTokenizerBase, family: Family
) -> None:
    refused = set()
    for each in DISCRIMINATIVE:
        try:
            Encoder(read_format(each).layout, tokenizer)
        except InputError:
            refused.add(str(each))
    assert refused == family.refused
