"""Judges' prompts and replies: what is shown, and which number counts."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.errors import InputError
from multirm.text.judging import (
    judge_template_file,
    judge_turn,
    load_judge_template,
    parse_judgement,
    well_formed_judgement,
)

TEMPLATES = Path(__file__).resolve().parents[2] / "config" / "templates"
ROW: dict[str, Any] = {
    "question": "What is {reference}?\nA. 1\nB. 2",
    "answer": "B",
    "steps": ["One {solution}.", " The answer is (B). "],
}

TEMPLATE = load_judge_template(judge_template_file(reference=True), reference=True)


def turn(reference: bool) -> str:
    template = load_judge_template(judge_template_file(reference), reference)
    return judge_turn(template, ROW)


def test_steps_are_numbered_from_zero_and_texts_are_not_filled_in() -> None:
    shown = turn(reference=True)
    solution = "<step_0>\nOne {solution}.\n</step_0>\n<step_1>\nThe answer is (B).\n</step_1>"
    assert shown.endswith(f"[Solution]\n{solution}")
    assert "[Question]\nWhat is {reference}?\nA. 1\nB. 2\n" in shown
    assert "[Reference answer]\nB\n" in shown


def test_the_answer_is_only_shown_to_a_judge_that_should_see_it() -> None:
    shown = turn(reference=False)
    assert "eference" not in shown.replace("{reference}", "")


def test_a_template_without_a_place_for_the_answer_is_refused() -> None:
    with pytest.raises(InputError, match="none for reference"):
        load_judge_template(judge_template_file(reference=False), reference=True)


@pytest.mark.parametrize(
    ("reply", "first_bad"),
    [
        (r"\boxed{3}", 3),
        (r"\boxed{-1}", -1),
        (r"$\boxed{-1}$.", -1),
        (r"$\boxed{12}$.", 12),
        ("\\boxed{-1}.\n", -1),
        (r"So it is \boxed{2}, because the sum is wrong there.", 2),
        (r"First \boxed{1}? No: \boxed{4}", 4),
        (r"\boxed{ 7 }", 7),
        (r"\boxed{\text{2}}", 2),
        (r"\boxed{step_2}", 2),
        (r"\boxed{<step_10>}", 10),
        (r"\boxed{Step 5}", 5),
        (r"\boxed{Step: 5}", 5),
        (r"\boxed{\text{Step } 3}", 3),
        (r"\boxed{\text{step_3}}", 3),
        # A hyphen or a sign: the judge is asked again rather than taken to find no bad step.
        (r"\boxed{Step-1}", None),
        (r"\boxed{step - 1}", None),
        (r"\boxed{step_-1}", None),
        (r"\boxed{<step_-1>}", None),
        (r"\boxed{\text{Step -}1}", None),
        (r"\boxed{−1}", -1),
        (r"\boxed{$-1$}", -1),
        (r"\boxed{\(4\)}", 4),
        (r"\boxed{\text{-1}}", -1),
        (r"\boxed{-5}", -5),
        (r"\boxed{2} \boxed{none}", None),
        (r"\boxed{}", None),
        (r"\boxed{1.5}", None),
        ("boxed{1}", None),
        ("2", None),
        ("", None),
    ],
)
def test_the_last_box_counts(reply: str, first_bad: int | None) -> None:
    assert parse_judgement(reply, TEMPLATE) == first_bad


def test_a_request_that_a_reply_repeats_is_no_verdict() -> None:
    """A small model that repeats its prompt would else find no bad step in any solution."""
    [request] = [line for line in TEMPLATE.splitlines() if "boxed" in line]
    assert parse_judgement(request, "") == -1
    assert parse_judgement(request, TEMPLATE) is None
    assert parse_judgement(TEMPLATE, TEMPLATE) is None
    assert parse_judgement(f"{request}\nSo it is \\boxed{{2}}. {request}", TEMPLATE) == 2
    # Worked examples have the form of a reply.
    examples = "Reply with \\boxed{}, or \\boxed{-1} for none.\nFirst bad step: \\boxed{1}\n"
    assert parse_judgement("First bad step: \\boxed{1}", examples) == 1


@pytest.mark.parametrize("reference", [True, False])
def test_templates_with_worked_examples_show_what_a_judge_sees(reference: bool) -> None:
    name = f"judge_with_examples{'' if reference else '_without_reference'}.txt"
    template = load_judge_template(TEMPLATES / name, reference)
    shown = judge_turn(template, ROW)
    assert shown.count("\n<step_0>\n") == shown.count("[First bad step]") == 3
    assert shown.count("[Reference answer]") == (3 if reference else 0)
    for example, first_bad in zip(template.split("[Question]")[1:3], (1, -1), strict=True):
        assert parse_judgement(example.rpartition("]")[2], template) == first_bad
    assert parse_judgement(template.partition("[Question]")[0], template) is None


@given(st.integers(1, 12), st.data())
def test_well_formed_replies_are_read_as_they_are_meant(n_steps: int, data: st.DataObject) -> None:
    first_bad = data.draw(st.none() | st.integers(0, n_steps - 1))
    reply = well_formed_judgement(first_bad, n_steps)
    assert parse_judgement(reply, TEMPLATE) == (-1 if first_bad is None else first_bad)


@given(st.text())
def test_any_text_is_a_number_or_none(reply: str) -> None:
    for text in (reply, f"\\boxed{{{reply}", f"\\boxed{{{reply}}}"):
        assert isinstance(parse_judgement(text, TEMPLATE), int | None)


def test_long_runs_of_spaces_in_a_box_are_read_in_linear_time() -> None:
    spaces = " " * 100_000
    assert parse_judgement(f"\\boxed{{${spaces}x}}", TEMPLATE) is None
    assert parse_judgement(f"\\boxed{{\\text{{{spaces}step{spaces}4{spaces}}}}}", TEMPLATE) == 4
