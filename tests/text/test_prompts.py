"""Prompt templates: placeholders, the form of steps and categories, and what is refused."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multirm.errors import InputError
from multirm.tables.reward_models import Kind
from multirm.text.prompts import VERDICT_MARKS, Template, load_template, own_template, render_prompt

GENERATIVE = [Kind.GORM, Kind.GPRM]
PLACES = "{question}|{solution}"


def written(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "mine.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("kind", GENERATIVE)
def test_templates_ask_for_the_verdict_line(kind: Kind) -> None:
    assert VERDICT_MARKS[kind] in load_template(own_template(kind), kind).text


@pytest.mark.parametrize("kind", GENERATIVE)
def test_placeholders_in_texts_are_left_alone(kind: Kind, tmp_path: Path) -> None:
    words = "Q: {question}\nS: {solution}\n\\boxed{correct}"
    template = load_template(written(tmp_path, words), kind)
    steps = ["{question}", "{number} \\frac{1}{2}"]
    prompt = render_prompt(template, "law", "What is {solution}?", steps)
    numbers = ("Step 1: ", "Step 2: ") if kind is Kind.GPRM else ("", "")
    assert prompt == (
        f"Q: What is {{solution}}?\nS: {numbers[0]}{{question}}\n\n"
        f"{numbers[1]}{{number}} \\frac{{1}}{{2}}\n\\boxed{{correct}}"
    )


def test_a_header_sets_the_form_of_steps_and_categories(tmp_path: Path) -> None:
    header = """+++
step = "({number}) {step}"
between = "\\n"
[categories]
other = ""
computer_science = "computing"
+++
[{Category} problem]
A {category} one. {question}
{solution}"""
    template = load_template(written(tmp_path, header), Kind.GPRM)
    asked = [
        render_prompt(template, category, "Why?", ["One.", "Two."]).partition(" Why?\n")
        for category in ("computer_science", "other", "real_estate", "law")
    ]
    assert [words for words, _, _ in asked] == [
        "[Computing problem]\nA computing one.",
        "[ problem]\nA  one.",
        "[Real estate problem]\nA real estate one.",
        "[Law problem]\nA law one.",
    ]
    assert {solution for _, _, solution in asked} == {"(1) One.\n(2) Two."}


def test_keys_of_a_header_are_optional(tmp_path: Path) -> None:
    path = written(tmp_path, f'+++\r\nbetween = "\\n"\r\n+++\r\n{PLACES}')
    assert load_template(path, Kind.GPRM) == Template(PLACES, "Step {number}: {step}", "\n")
    assert load_template(path, Kind.GORM) == Template(PLACES, "{step}", "\n")
    assert load_template(written(tmp_path, f"+++\n+++\n{PLACES}"), Kind.GORM) == Template(PLACES)


@settings(deadline=None)
@given(st.text(), st.lists(st.text(), min_size=1), st.text(), st.text())
def test_texts_are_not_changed(
    question: str, steps: list[str], between: str, category: str
) -> None:
    template = Template("<{question}><{solution}><{category}>", "{number}-{step}", between)
    shown = between.join(f"{k}-{step}" for k, step in enumerate(steps, start=1))
    prompt = render_prompt(template, category, question, steps)
    assert prompt == f"<{question}><{shown}><{category.replace('_', ' ')}>"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("Is {solution} right?", "none for question"),
        ("", "none for question, solution"),
        (b"{question} {solution} \xe9", "template in UTF-8, found the byte 0xe9"),
        (f"+++\nstep = 1\n{PLACES}", r"expected a second line \+\+\+ after the header"),
        (f"+++\nstep\n+++\n{PLACES}", "expected a header in TOML .* found .*line 2"),
        (f"+++\nstep = 1\n+++\n{PLACES}", "key step: expected a text, found 1"),
        (f'+++\nstep = "x"\n+++\n{PLACES}', r"key step: expected the placeholder \{step\}"),
        (f'+++\nbetwen = " "\n+++\n{PLACES}', "found betwen; did you mean between"),
        (f'+++\nstep = "{{step}}"\nstep = "{{step}}"\n+++\n{PLACES}', "expected a header in TOML"),
        (f"+++\ncategories = 3\n+++\n{PLACES}", "key categories: expected a text for each"),
        (f"+++\n[categories]\nlaw = 3\n+++\n{PLACES}", "key categories: expected a text for each"),
        (f"+++\nx = {'[' * 5000}\n+++\n{PLACES}", "too deeply nested"),
    ],
)
def test_invalid_templates_are_refused(tmp_path: Path, text: str | bytes, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint) as caught:
        load_template(written(tmp_path, text), Kind.GORM)
    assert "mine.txt" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_template(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load_template(tmp_path / "mine.txt", Kind.GORM)


def test_a_byte_order_mark_is_removed(tmp_path: Path) -> None:
    assert load_template(written(tmp_path, f"\ufeff{PLACES}"), Kind.GORM).text == PLACES
    path = written(tmp_path, f'\ufeff+++\nbetween = ""\n+++\n{PLACES}')
    assert load_template(path, Kind.GORM) == Template(PLACES, between="")
