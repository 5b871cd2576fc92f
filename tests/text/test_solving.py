"""Prompts for solutions: options once, exemplars of the category; and replies of any form."""

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from multirm.data import mmlu_pro
from multirm.errors import InputError
from multirm.formats.json_source import read_json
from multirm.tables.questions import option_letters
from multirm.text.chat import conversation_frame, fill_conversation
from multirm.text.encoding import encode_conversation
from multirm.text.labels import format_question, split_steps
from multirm.text.solving import (
    Asked,
    choose_exemplars,
    exemplar_reply,
    join_steps,
    load_solve_templates,
    parse_answer,
    read_reply,
    solve_template_files,
    solve_turns,
)
from tests.conftest import byte_level_tokenizer
from tests.text.test_chat import LLAMA

TEMPLATES = load_solve_templates(*solve_template_files())
CHOICE, OPEN = Asked("?", 10), Asked("?", 0)


def question(text: str, options: list[str] | None = None, answer: str | None = "A") -> Any:
    key = {"dataset": "d", "category": "law", "question_id": "q"}
    return {**key, "question": text, "options": options, "answer": answer}


def solution(text: str, **columns: Any) -> Any:
    row = {
        "category": "law",
        "question": text,
        "answer": "B",
        "steps": ["So.", "The answer is (B)."],
    }
    return {**row, "outcome": 1, "step_labels": None, **columns}


def test_options_are_shown_once() -> None:
    shown = "Which?\nA. one\nB. two (2)"
    for options in (["one", "two (2)"], [" one", "two (2)\n"]):
        assert Asked.of(question("Which?", options)) == Asked(shown, 2)
        assert Asked.of(question(shown, options)) == Asked(shown, 2)
        assert Asked.of(question("Which?\n(A) one\n B: two (2)", options)).text.count("one") == 1
    # The text says something else after some letters, or the options in another order.
    for text in ("Take A: x.\nA: one\nB: three", "B. two (2)\nA. one"):
        assert Asked.of(question(text, ["one", "two (2)"])).text == f"{text}\nA. one\nB. two (2)"


@pytest.mark.parametrize(
    ("text", "answer", "n_options"),
    [
        ("Question: Which?\nA. one\nB. two\nC. three", "C", 3),
        ("Which?\nA. one\nB. two", None, 2),
        # An answer that is none of their letters; steps or names, not options; lines that do not begin with A.
        ("Which?\nA. one\nB. two", "2", 0),
        ("Which?\nA. one", "A", 0),
        ("Which?\nB. one\nC. two", "B", 0),
        ("A. J. P. Taylor wrote it.\nWhich?\nA. one\nB. two", "B", 2),
        ("How many?", "12", 0),
        ("Which?\n" + "\n".join(f"{letter}. x{letter}" for letter in option_letters(26)), "Z", 26),
    ],
)
def test_options_in_the_question_are_counted(text: str, answer: str | None, n_options: int) -> None:
    assert Asked.of(question(text, None, answer)) == Asked(text, n_options)


def test_turns_alternate_and_end_with_the_question() -> None:
    exemplars = [solution("Q1\nA. x\nB. y"), solution("Q2", answer="12", steps=["It is 12."])]
    first, second, third, fourth, last = solve_turns(
        TEMPLATES, exemplars, question("Q3", ["a", "b"])
    )
    assert first == TEMPLATES.choice.replace("{question}", "Q1\nA. x\nB. y")
    assert second == "So.\n\nThe answer is (B)."
    assert third == TEMPLATES.open.replace("{question}", "Q2")
    assert fourth == "It is 12.\n\nThe answer is 12."
    assert last.endswith("Q3\nA. a\nB. b")
    assert '"The answer is (X)."' in last and '"The answer is X."' in third


def test_a_reply_that_says_its_answer_is_left_alone() -> None:
    steps = ["One.", "So the answer is (B)."]
    assert exemplar_reply(solution("Q\nA. x\nB. y", steps=steps)) == join_steps(steps)
    silent = solution("Q\nA. x\nB. y", steps=["One.", "It is y."])
    assert exemplar_reply(silent) == "One.\n\nIt is y.\n\nThe answer is (B)."
    assert split_steps(join_steps(steps)) == steps


def test_exemplars_are_correct_solutions_to_other_questions_of_the_category() -> None:
    rows = [
        solution("q1", outcome=0),
        solution("q1", step_labels=[1, 0]),
        solution("q1", category="health"),
        solution("q1", outcome=None),
        solution("Q"),
        solution("q2"),
        solution("q2"),
        solution("q3", step_labels=[1, 1]),
        solution("q4"),
    ]
    chosen = choose_exemplars(rows, question(" Q "), 2, "table")
    assert chosen == [rows[5], rows[7]]
    assert choose_exemplars(rows, question("Q"), 0, "table") == []
    with pytest.raises(
        InputError, match=r"table: expected 4 correct .* of law.* found 3; .*--shots 3"
    ):
        choose_exemplars(rows, question("Q"), 4, "table")
    with pytest.raises(InputError, match=r"found none; .*--shots 0"):
        choose_exemplars([], question("Q"), 4, "table")


@pytest.mark.parametrize(
    ("reply", "asked", "steps", "answer"),
    [
        (
            "One.\n\n\nTwo.\n \nThe answer is (C).",
            CHOICE,
            ["One.", "Two.", "The answer is (C)."],
            "C",
        ),
        ("The answer is (A). No, the answer is (B).\n\nBye", CHOICE, None, "B"),
        ("The answer is (K).", CHOICE, ["The answer is (K)."], None),
        ("The answer is (K).", Asked("?", 12), ["The answer is (K)."], "K"),
        ("<think>\nThe answer is (A).\n</think>\n\nSo.", CHOICE, ["So."], None),
        ("<think>\nHm</think>\nThe answer is (A).", CHOICE, ["The answer is (A)."], "A"),
        ("", CHOICE, [], None),
        (" \n\n", OPEN, [], None),
        ("The answer is 3.5 m. Good luck.", OPEN, None, "3.5 m"),
        ("The answer is 3.5.", OPEN, None, "3.5"),
        ("The answer to the question is 3.5.", OPEN, None, "3.5"),
        ("the answer is: **1,000**\nBye", OPEN, None, "**1,000**"),
        ("The answer is $\\frac12$.\n\nThe answer is \\boxed{x^2}.", OPEN, None, "\\boxed{x^2}"),
        ("I do not know.", OPEN, ["I do not know."], None),
        ("The answer is", OPEN, ["The answer is"], None),
    ],
)
def test_replies_are_read(
    reply: str, asked: Asked, steps: list[str] | None, answer: str | None
) -> None:
    found, parsed = read_reply(reply, asked)
    assert steps is None or found == steps
    assert parsed == answer == parse_answer(reply.rpartition("</think>")[2], asked.n_options)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    tokenizer = byte_level_tokenizer(["The answer is (C)."])
    tokenizer.chat_template = LLAMA
    return tokenizer


def rows_of(placed: Iterator[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    return [{"dataset": "MMLU-Pro", **row} for _, row in placed]


def test_prompts_of_all_real_questions(
    shared_data: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    folder = shared_data / "mmlu_pro"
    questions = rows_of(mmlu_pro.questions(read_json([folder / "eval_questions.json"])))
    exemplars = rows_of(mmlu_pro.solutions(read_json([folder / "exemplars.json"])))
    frame = conversation_frame(tokenizer, 11)
    texts = []
    for row in questions:
        chosen = choose_exemplars(exemplars, row, 5, "exemplars")
        assert {exemplar["category"] for exemplar in chosen} == {row["category"]}
        turns = solve_turns(TEMPLATES, chosen, row)
        assert len(turns) == 11
        for turn, exemplar in zip(turns[1::2], chosen, strict=True):
            assert turn == "\n\n".join(exemplar["steps"])
            assert turn.endswith(f"The answer is ({exemplar['answer']}).")
        shown = [
            f"{letter}. {option.strip()}"
            for letter, option in zip(option_letters(26), row["options"], strict=False)
        ]
        assert turns[-1].endswith("\n" + "\n".join(shown))
        assert row["question"].strip() in turns[-1]
        # The exemplars' questions have their options already: their prompts are made of the texts as they are.
        asked = [TEMPLATES.choice.replace("{question}", each["question"]) for each in chosen]
        assert turns[:-1:2] == asked
        # A source with the options in the question and listed as well gives the same prompt.
        inside = {**row, "question": format_question(row["question"], row["options"])}
        for other in (inside, {**inside, "options": None}):
            assert Asked.of(other) == Asked.of(row)
        texts.append(("".join(fill_conversation(frame, turns)), turns))
    assert len(texts) == 2063
    # Five questions are asked twice.
    assert len({text for text, _ in texts}) == 2058
    assert all(text.count("<|start|>user") == 6 for text, _ in texts)
    for text, turns in islice(texts, 0, None, 200):
        assert encode_conversation(tokenizer, turns) == tokenizer.encode(
            text, add_special_tokens=False
        )


LONG = 100_000


@pytest.mark.parametrize("blank", [" ", "\n", "\t", " \n"])
def test_replies_that_repeat_themselves_are_read_in_linear_time(blank: str) -> None:
    """In quadratic time, each of these would take minutes."""
    assert parse_answer(f"The answer is{blank * LONG}", 0) is None
    assert parse_answer(f"The answer is x{blank * LONG}y", 0) in ("x", f"x{blank * LONG}y")
    assert parse_answer("The answer is 5. " * LONG, 0) == "5"
    assert parse_answer(f"The answer is{'.' * LONG}", 0) is None


AS_ONE_PATTERN = re.compile(r"(?i:answer\s+is)\s*:?\s+(\S.*?)\s*(?:\.(?=\s)|\.?$)", re.MULTILINE)


@given(
    st.lists(st.sampled_from(["answer is", "answer\nis:", " ", "\n", ".", "5", "x y", ":", "3.5"]))
)
def test_an_answer_in_words_ends_at_a_full_stop_or_its_line(pieces: list[str]) -> None:
    """As one pattern says it, which takes quadratic time."""
    text = "".join(pieces)
    found = AS_ONE_PATTERN.findall(text)
    assert parse_answer(text, 0) == (found[-1] if found else None)
