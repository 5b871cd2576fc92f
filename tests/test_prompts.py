"""Prompts and the marks that parse their replies."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multirm.errors import InputError
from multirm.prompts import (
    END_OF_THINKING,
    VERDICT_MARKS,
    load_template,
    own_template,
    parse_step_verdicts,
    parse_verdict,
    render_prompt,
)
from multirm.vocabulary import Kind

GENERATIVE = [Kind.GORM, Kind.GPRM]


@pytest.mark.parametrize("kind", GENERATIVE)
def test_templates_say_the_verdict_they_want(kind: Kind) -> None:
    assert VERDICT_MARKS[kind] in load_template(own_template(kind))


@pytest.mark.parametrize("kind", GENERATIVE)
def test_texts_with_places_of_their_own_are_left_alone(kind: Kind) -> None:
    template = "Q: {question}\nS: {solution}\n\\boxed{correct}"
    prompt = render_prompt(template, kind, "What is {solution}?", ["{question}", "\\frac{1}{2}"])
    numbers = ("Step 1: ", "Step 2: ") if kind is Kind.GPRM else ("", "")
    assert prompt == (
        f"Q: What is {{solution}}?\nS: {numbers[0]}{{question}}\n\n{numbers[1]}\\frac{{1}}{{2}}"
        "\n\\boxed{correct}"
    )


def test_a_template_without_its_places_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    with pytest.raises(InputError, match="no such file"):
        load_template(path)
    path.write_text("Is {solution} right?")
    with pytest.raises(InputError, match="none for question"):
        load_template(path)
    path.write_bytes(b"{question} {solution} \xe9")
    with pytest.raises(InputError, match="template in UTF-8, found the byte 0xe9"):
        load_template(path)
    path.write_text("{question} {solution}")
    assert load_template(path) == "{question} {solution}"


@pytest.mark.parametrize("kind", GENERATIVE)
def test_a_verdict_is_read_after_thinking_only(kind: Kind) -> None:
    mark = VERDICT_MARKS[kind]
    assert parse_verdict(kind, f"{mark} No {END_OF_THINKING}\n{mark} Yes") == 1
    assert parse_verdict(kind, f"{END_OF_THINKING}{mark} Yes, or\n{mark} No") == 0
    assert parse_verdict(kind, f"{mark} Yes") is None
    assert parse_verdict(kind, f"{mark} Yes {END_OF_THINKING} So it is.") is None
    assert parse_verdict(kind, f"{END_OF_THINKING}{mark} Yesterday") is None


@settings(deadline=None)
@given(st.lists(st.integers(0, 1), min_size=1))
def test_step_verdicts_come_back(verdicts: list[int]) -> None:
    words = ("incorrect", "correct")
    lines = [
        f"Step {k}: The step is \\boxed{{{words[v]}}}" for k, v in enumerate(verdicts, start=1)
    ]
    assert parse_step_verdicts("Well.\n" + "\n".join(lines)) == verdicts
    assert parse_step_verdicts("\n".join([*lines, *lines])) == verdicts
    if len(lines) > 1:
        assert parse_step_verdicts("\n".join(lines[1:])) is None


def test_no_step_verdicts() -> None:
    assert parse_step_verdicts("Step 1: fine. \\boxed{maybe}") is None
