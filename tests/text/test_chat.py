"""Chat templates: real ones are rendered as by transformers, on any date, and hostile ones do no harm."""

import json
import subprocess
import sys
import textwrap
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast
from transformers.utils import chat_template_utils

from multirm.errors import InputError
from multirm.text import chat
from multirm.text.chat import (
    Frame,
    chat_frame,
    chat_turns,
    conversation_date,
    conversation_frame,
    date_told,
    fill_conversation,
)
from multirm.text.encoding import encode_prompt
from multirm.text.prompts import REPLY_START
from tests.conftest import CHAT_TEMPLATE, byte_level_tokenizer

# One in the style of each family, with the text before and after the user turn.
QWEN = textwrap.dedent("""\
    {%- for message in messages %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- endfor %}
    {%- if add_generation_prompt %}
        {{- '<|im_start|>assistant\\n' }}
        {%- if enable_thinking is defined and enable_thinking is false %}
            {{- '<think>\\n\\n</think>\\n\\n' }}
        {%- endif %}
    {%- endif %}
    """)
R1 = (
    "{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}"
    "{% set ns = namespace(first=true) %}{{ bos_token }}{%- for message in messages %}"
    "{%- if message['role'] == 'user' %}{{ '<｜User｜>' + message['content'] }}{%- endif %}{%- endfor %}"
    "{% if add_generation_prompt %}{{ '<｜Assistant｜><think>\\n' }}{% endif %}"
)
V31 = R1.replace(
    "<｜Assistant｜><think>\\n",
    "<｜Assistant｜>' }}{% if not thinking is defined %}{% set thinking = false %}{% endif %}"
    "{{ '<think>' if thinking else '</think>",
)
LLAMA = textwrap.dedent("""\
    {{- bos_token }}
    {%- if not date_string is defined %}
        {%- if strftime_now is defined %}
            {%- set date_string = strftime_now("%d %b %Y") %}
        {%- else %}
            {%- set date_string = "26 Jul 2024" %}
        {%- endif %}
    {%- endif %}
    {{- "<|start|>system\\n\\nToday Date: " + date_string + "<|eot|>" }}
    {%- for message in messages %}
        {{- '<|start|>' + message['role'] + '\\n\\n' + message['content'] | trim + '<|eot|>' }}
    {%- endfor %}
    {%- if add_generation_prompt %}
        {{- '<|start|>assistant\\n\\n' }}
    {%- endif %}
    """)
SMOLLM = (
    "{%- if enable_thinking is not defined %}{% set enable_thinking = true %}{% endif %}"
    "<|im_start|>system\nToday Date: {{ strftime_now('%d %B %Y') }}\nMode: "
    "{{ '/think' if enable_thinking else '/no_think' }}, <think>so</think>\n"
    "{%- for message in messages %}{% generation %}{% set said = message.content %}"
    "{{ '<|im_start|>user\n' ~ said ~ '<|im_end|>\n' }}{% endgeneration %}"
    "{% if loop.last %}{% break %}{% endif %}{% endfor %}"
    "{{ '<|im_start|>assistant\n' if add_generation_prompt else '' }}{{ tools | tojson }}"
)
FAMILIES = {"plain": CHAT_TEMPLATE, "qwen": QWEN, "r1": R1, "llama": LLAMA, "smollm": SMOLLM}


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return byte_level_tokenizer(["The answer is (C)."])


def framed(tokenizer: PreTrainedTokenizerFast, template: object) -> Frame:
    tokenizer.chat_template = template
    return chat_frame(tokenizer)


def set_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the clock of transformers to the date that our templates get."""

    class Clock:
        @staticmethod
        def now() -> date:
            return date(2024, 7, 26)

    monkeypatch.setattr(chat_template_utils, "datetime", Clock)


def of_transformers(
    tokenizer: PreTrainedTokenizerFast, contents: list[str], monkeypatch: pytest.MonkeyPatch
) -> str:
    """Turns of user and assistant, with the clock set to the date that our templates get."""

    set_clock(monkeypatch)
    roles = ("user", "assistant")
    turns = [{"role": roles[k % 2], "content": text} for k, text in enumerate(contents)]
    return tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)


@pytest.mark.parametrize("family", FAMILIES)
def test_prompts_are_those_of_transformers(
    tokenizer: PreTrainedTokenizerFast, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = framed(tokenizer, FAMILIES[family])
    words = st.sampled_from(
        ["x", " ", "\n", "{{", "}}", "{%", "<", "&", "'", "é", "数", "\\", "Yes"]
    )

    @given(st.lists(words).map("".join))
    def check(text: str) -> None:
        expected = of_transformers(tokenizer, [text], monkeypatch)
        assert expected.removesuffix("<think>\n") == frame.before + frame.trim(text) + frame.after

    check()


@pytest.mark.parametrize("template", [LLAMA, SMOLLM])
def test_the_date_is_always_the_same_and_recorded(
    tokenizer: PreTrainedTokenizerFast, template: str
) -> None:
    frame = framed(tokenizer, template)
    assert "26 Jul" in frame.before
    assert "2024" in frame.before
    assert date_told(tokenizer) == {"date": "2024-07-26"}
    tokenizer.chat_template = QWEN
    assert date_told(tokenizer) == {}


def reply_of(tokenizer: PreTrainedTokenizerFast, template: str) -> str:
    tokenizer.chat_template = template
    text = tokenizer.decode(encode_prompt(tokenizer, "Why?"))
    return text.partition("Why?")[2]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (QWEN, "<|im_end|>\n<|im_start|>assistant\n"),
        (R1, "<｜Assistant｜>"),
        (V31, "<｜Assistant｜>"),
        # Thinking cannot be turned on, or is closed in another way: without its end.
        (R1.replace("<think>\\n", "</think>"), "<｜Assistant｜>"),
        (R1.replace("<think>\\n", "<think>\\n\\n</think>\\n\\n"), "<｜Assistant｜>"),
        (
            QWEN.replace("enable_thinking is false", "enable_thinking"),
            "<|im_end|>\n<|im_start|>assistant\n",
        ),
    ],
)
def test_thinking_is_opened_once_and_never_closed(
    tokenizer: PreTrainedTokenizerFast, template: str, expected: str
) -> None:
    assert reply_of(tokenizer, template) == expected + REPLY_START


def test_thinking_is_turned_on_if_it_is_off_by_default(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    modes = "{{ 'on' if thinking else 'off' }}:{{ messages[0].content }}"
    closing = modes + "|{{ '<think>' if thinking else '</think>' }}"
    assert framed(tokenizer, closing).before == "on:"
    # Templates that leave the thinking alone are not asked to think.
    assert framed(tokenizer, modes).before == "off:"


def test_thinking_that_is_over_before_the_reply_is_refused(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    with pytest.raises(InputError, match="one that puts </think> before the reply"):
        framed(tokenizer, "{{ messages[0].content }}<think></think>So")


def test_the_text_of_a_question_changes_nothing(tokenizer: PreTrainedTokenizerFast) -> None:
    steering = (
        "{% if '/no_think' in messages[0].content %}{{ raise_exception('steered') }}{% endif %}"
        "{{ messages[0].content }}|"
    )
    frame = framed(tokenizer, steering)
    assert (frame.before, frame.after) == ("", "|")
    text = tokenizer.decode(encode_prompt(tokenizer, "Is /no_think a word?"))
    assert text == "Is /no_think a word?|" + REPLY_START


@pytest.mark.parametrize(
    ("trim", "expected"),
    [("", " x\n"), ("| trim", "x"), (".strip()", "x"), (".lstrip()", "x\n"), (".rstrip()", " x")],
)
def test_whitespace_is_trimmed_as_by_the_template(
    tokenizer: PreTrainedTokenizerFast, trim: str, expected: str
) -> None:
    frame = framed(tokenizer, "{{ messages[0].content" + trim + " }}|")
    assert frame.trim(" x\n") == expected


def test_a_byte_order_mark_is_removed(tokenizer: PreTrainedTokenizerFast) -> None:
    assert framed(tokenizer, "\ufeff" + QWEN) == framed(tokenizer, QWEN)


def test_of_several_the_default_is_taken(tokenizer: PreTrainedTokenizerFast) -> None:
    expected = framed(tokenizer, QWEN)
    assert framed(tokenizer, {"default": QWEN, "tool_use": R1}) == expected
    with pytest.raises(InputError, match="expected a chat template, found none"):
        framed(tokenizer, {"tool_use": R1})


# As some families treat the turns of a conversation: they cut the thinking out of earlier replies, only accept roles
# that alternate, rename them, trim replies in another way, end them, or skip the first message.
QWEN3 = QWEN.replace(
    "'<|im_start|>' + message.role + '\\n' + message.content",
    "'<|im_start|>' + message.role + '\\n' + (message.content.split('</think>')[-1].lstrip('\\n')"
    " if message.role == 'assistant' else message.content)",
)
GEMMA = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Roles must alternate') }}{% endif %}"
    "{{ '<start_of_turn>' + (message['role'] | replace('assistant', 'model')) + '\n'"
    " + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
MISTRAL = (
    "  {% set ns = namespace(system='') %}{% if messages[0].role == 'user' %}"
    "{% set loop_messages = messages %}{% else %}{% set loop_messages = messages[1:] %}{% endif %}\n"
    "{% macro user(text) %}[INST] {{ text }} of {{ messages | length }}[/INST]{% endmacro %}"
    "{{ bos_token }}{% for message in loop_messages %}{% if message.role == 'user' %}"
    "{{ user(message.content) }}{% else %}{{ ' ' + message.content.strip('\n') + eos_token }}"
    "{% endif %}{% endfor %}"
)
CONVERSING = {
    "plain": CHAT_TEMPLATE,
    "qwen": QWEN,
    "qwen3": QWEN3,
    "r1": R1.replace(
        "{%- endif %}{%- endfor %}",
        "{%- else %}{{ '<｜Assistant｜>' + message['content'] | trim + eos_token }}"
        "{%- endif %}{%- endfor %}",
    ),
    "llama": LLAMA,
    "gemma": GEMMA,
    "mistral": MISTRAL,
}


@pytest.mark.parametrize("family", CONVERSING)
def test_conversations_are_those_of_transformers(
    tokenizer: PreTrainedTokenizerFast, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer.chat_template = CONVERSING[family]
    # The reply comes next, as the template leaves it: with the thinking open, if it opens it.
    words = [
        "x",
        " ",
        "\n",
        "\t",
        "{{",
        "}}",
        "{%",
        "<",
        "&",
        "'",
        "é",
        "数",
        "\\",
        "\uffff0\uffff",
    ]
    turn = st.lists(st.sampled_from(words)).map("".join)

    @given(st.sampled_from([1, 3, 5]).flatmap(lambda n: st.lists(turn, min_size=n, max_size=n)))
    def check(turns: list[str]) -> None:
        frame = conversation_frame(tokenizer, len(turns))
        expected = of_transformers(tokenizer, turns, monkeypatch)
        assert "".join(fill_conversation(frame, turns)) == expected

    check()


def test_a_template_may_number_the_turns(tokenizer: PreTrainedTokenizerFast) -> None:
    tokenizer.chat_template = "{% for m in messages %}{{ loop.index0 }}{{ m.content }}{% endfor %}"
    frame = conversation_frame(tokenizer, 3)
    assert frame.between == ("0", "1", "2", "")


def test_the_date_of_conversations_is_recorded(tokenizer: PreTrainedTokenizerFast) -> None:
    tokenizer.chat_template = LLAMA
    assert conversation_date(tokenizer) == {"date": "2024-07-26"}
    tokenizer.chat_template = QWEN3
    assert conversation_date(tokenizer) == {}


@pytest.mark.parametrize(
    ("template", "found"),
    [
        (FAMILIES["r1"], "one that drops, repeats or moves a turn of 3"),
        (GEMMA.replace("!=", "=="), "TemplateError: Roles must alternate"),
        (GEMMA.replace("| trim", "| upper | lower"), "one that changes a turn of 3"),
        ("{% for m in messages | reverse %}{{ m.content }}{% endfor %}", "drops, repeats or moves"),
        ("{% for m in messages %}{{ m.content * 2 }}{% endfor %}", "drops, repeats or moves"),
    ],
)
def test_a_template_that_changes_turns_is_refused(
    tokenizer: PreTrainedTokenizerFast, template: str, found: str
) -> None:
    tokenizer.chat_template = template
    with pytest.raises(InputError, match="a chat template that leaves") as caught:
        conversation_frame(tokenizer, 3)
    assert found in str(caught.value)


@pytest.mark.parametrize("system", [None, "Be brief & <exact>."])
@pytest.mark.parametrize("family", ["qwen", "llama"])
def test_ended_conversations_are_those_of_transformers(
    tokenizer: PreTrainedTokenizerFast,
    family: str,
    system: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tokenizer.chat_template = FAMILIES[family]
    set_clock(monkeypatch)
    for pairs, n in ((1, 1), (3, 1), (3, 2), (3, 7)):
        turns = chat_turns(tokenizer, system, pairs)
        contents = [f"turn {number}" for number in range(2 * n)]
        roles = ("user", "assistant")
        messages = [{"role": roles[k % 2], "content": text} for k, text in enumerate(contents)]
        if system:
            messages.insert(0, {"role": "system", "content": system})
        joins = [turns.to_assistant, turns.to_user] * n
        text = turns.before + contents[0]
        text += "".join(join + each for join, each in zip(joins, contents[1:], strict=False))
        expected = tokenizer.apply_chat_template(messages, tokenize=False)
        assert text + turns.after == expected


@pytest.mark.parametrize(
    ("template", "found"),
    [
        (FAMILIES["r1"], "one that drops, repeats or moves a turn of 6"),
        ("{% for m in messages %}{{ m.content * 2 }}{% endfor %}", "drops, repeats or moves"),
        (
            "{% for m in messages %}{{ loop.index }}{{ m.content }}{% endfor %}",
            "one that treats the turns of a conversation differently",
        ),
    ],
)
def test_a_template_that_does_not_continue_alike_is_refused(
    tokenizer: PreTrainedTokenizerFast, template: str, found: str
) -> None:
    tokenizer.chat_template = template
    with pytest.raises(InputError, match=found):
        chat_turns(tokenizer, pairs=3)


def test_a_conversation_ends_with_the_user(tokenizer: PreTrainedTokenizerFast) -> None:
    with pytest.raises(ValueError, match="odd number of turns, found 2"):
        conversation_frame(tokenizer, 2)


CONTENT = "{{ messages[0].content }}"
TOO_MUCH = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("{{ raise_exception('no turns\\nfor you') }}", "TemplateError: no turns for you"),
        ("{{ raise_exception('no' * 10 ** 6) }}", "TemplateError: nono"),
        ("{{ foo.bar.baz }}" + CONTENT, "UndefinedError: 'foo' is undefined"),
        ("{{ ().__class__.__bases__[0].__subclasses__() }}" + CONTENT, "SecurityError"),
        ("{{ cycler.__init__.__globals__.os.system('true') }}" + CONTENT, "SecurityError"),
        ("{% for %}" + CONTENT, "line 1: Expected"),
        ("{% include 'x' %}" + CONTENT, "TypeError"),
        ("{{ 1 / 0 }}" + CONTENT, "ZeroDivisionError"),
        ("{{ 'x' * 10 ** 10 }}" + CONTENT, "over 1024 MB of memory"),
        ("{{ 'x' * 2000000 }}" + CONTENT, "over 1,000,000 characters"),
        ("{{ range(10 ** 9) }}" + CONTENT, "OverflowError"),
        ("{{ " + "(" * 5000 + ")" * 5000 + " }}" + CONTENT, "Error"),
        (TOO_MUCH + CONTENT, "needs over 5 seconds"),
        ("{{ 'always the same' }}", "one that does not"),
        ("{{ messages[0].content | upper }}", "one that changes or drops them"),
        ("{{ messages[0].content | escape }}", "one that changes or drops them"),
        (CONTENT + CONTENT, "one that changes or drops them"),
    ],
)
def test_a_template_that_fails_or_harms_is_one_line(
    tokenizer: PreTrainedTokenizerFast, template: str, found: str
) -> None:
    with pytest.raises(InputError, match="a chat template that leaves the user turn") as caught:
        framed(tokenizer, template)
    assert found in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_process_that_dies_is_one_line(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "dies.py"
    script.write_text("import os, sys; sys.stderr.write('Ouch\\n'); os.abort()")
    monkeypatch.setattr(chat.chat_rendering, "__file__", str(script))
    with pytest.raises(InputError, match="one whose process exits with status -6 Ouch"):
        framed(tokenizer, CONTENT + "never rendered before")


def test_the_process_needs_nothing_but_jinja() -> None:
    request = {"template": CONTENT, "contents": ["é\ud800"], "variables": {}}
    script = (
        "import runpy, sys\n"
        f"runpy.run_path({str(chat.chat_rendering.__file__)!r}, run_name='__main__')\n"
        "assert not {'multirm', 'transformers', 'torch'} & sys.modules.keys()\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(run.stdout) == {"texts": ["é\ud800"], "is_dated": False}
