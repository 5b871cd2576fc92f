"""Requests for new steps, and replies to them: what is shown, and what is read from which form."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.tables.augmentations import AugmentationKind, AugmentationReason, ErrorType
from multirm.text.augmenting import (
    DEFINITIONS,
    GENERAL_TYPES,
    MATHEMATICAL_TYPES,
    NewStep,
    counterfactual_turn,
    in_words,
    load_augment_template,
    numbers_in,
    parse_counterfactual,
    parse_rewrite,
    rewritable_steps,
    rewrite_turn,
    well_formed_counterfactual,
    without_label,
)

ROW: dict[str, Any] = {
    "question": "What is {type}?\nA. 1\nB. 2",
    "answer": "B",
    "steps": ["One {solution}.", "Two.", " The answer is (B). "],
    "step_labels": [1, 1, 1],
}


@pytest.mark.parametrize("error_type", ErrorType)
def test_a_request_names_and_defines_one_type(error_type: ErrorType) -> None:
    template = load_augment_template(AugmentationKind.COUNTERFACTUAL)
    shown = counterfactual_turn(template, ROW, error_type)
    assert f'of the type "{in_words(error_type)}". {DEFINITIONS[error_type]}' in shown
    assert [each for each in ErrorType if DEFINITIONS[each] in shown] == [error_type]
    assert "[Question]\nWhat is {type}?\nA. 1\nB. 2\n" in shown
    assert shown.endswith("<step_2>\nThe answer is (B).\n</step_2>")
    assert "<step_0>\nOne {solution}.\n</step_0>" in shown


def test_types_are_those_of_the_closed_set() -> None:
    assert set(MATHEMATICAL_TYPES) == set(ErrorType) == set(DEFINITIONS)
    assert set(MATHEMATICAL_TYPES) - set(GENERAL_TYPES) == {
        *(ErrorType.CALCULATION, ErrorType.WRONG_EQUATION)
    }


def test_a_rewrite_shows_nothing_after_the_step() -> None:
    shown = rewrite_turn(load_augment_template(AugmentationKind.REWRITE), ROW, 1)
    assert shown.endswith("<step_1>\nTwo.\n</step_1>")
    assert "The answer is (B)" not in shown


@pytest.mark.parametrize(
    ("labels", "steps"),
    [
        ([1, 1, 1], [0, 1]),
        ([1, 0, 0], [0, 1]),
        ([0, 0, 0], [0]),
        ([1, 1, 0], [0, 1]),
        ([1], []),
        ([0], []),
        (None, []),
    ],
)
def test_steps_with_a_label_of_their_own_can_be_rewritten_except_the_last(
    labels: list[int] | None, steps: list[int]
) -> None:
    assert list(rewritable_steps({"step_labels": labels})) == steps


def reply(
    number: str = " 2",
    error_type: str = " factual",
    step: str = " It is 7.",
    explanation: str = "\nExplanation: It is 8.",
) -> str:
    return f"Step number:{number}\nError type:{error_type}\nWrong step:{step}{explanation}"


FACTUAL = NewStep(2, ErrorType.FACTUAL, "It is 7.", "It is 8.")


@pytest.mark.parametrize(
    "text",
    [
        reply(),
        reply("\n2", "\nfactual", "\nIt is 7.", "\nExplanation:\nIt is 8."),
        # VersaPRM's headings.
        "STEP_SUMMARY:\nFirst, 5.\nINCORRECT_STEP_GEN:\nTake step 2.\nERROR_TYPE:\nFactual\nSTEP_NUM:\n2\n"
        "INCORRECT_STEP:\n{It is 7.}\nERROR_EXPLANATION:\nIt is 8.",
        reply().replace("Step number:", "STEP_NUM:"),
        "**Step number:** 2\n**Error type:** factual\n**Wrong step:** It is 7.\n**Explanation:** It is 8.",
        "**Step number**: **2**\n**Error type**: *Factual*\n**Wrong step**: It is 7.\n\n**Explanation**: It is 8.",
        "### Step Number\n2\n### Error Type\nFactual\n### Wrong Step\nIt is 7.\n### Explanation\nIt is 8.",
        "1. Step number: 2\n2. Error type: factual\n3. Wrong step: It is 7.\n4. Explanation: It is 8.",
        "[Step number]: 2\n[Error type]: factual\n[Wrong step]: It is 7.\n[Explanation]: It is 8.",
        reply().replace("\n", "\r\n"),
        f"I should take step 1.\nStep number: 1\n</think>\n{reply()}",
        f"Here it is:\n\n{reply()}",
        reply(" Step 2"),
        reply(" <step_2>"),
        reply(" #2."),
        reply(" $\\boxed{2}$"),
        reply(" 2 (the third step)"),
        reply(" Step 2: It is 8."),
        reply(error_type=" Factual error"),
        reply(error_type=" factual: something is not true, by a false assumption"),
        reply(error_type=" false definition"),
        reply(step=' "It is 7."'),
        reply(step="\n```\nIt is 7.\n```"),
        reply(step="\n<step_2>\nIt is 7.\n</step_2>"),
        reply(step=" **{It is 7.}**"),
    ],
)
def test_the_same_is_read_from_many_forms(text: str) -> None:
    assert parse_counterfactual(text) == FACTUAL


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *((" 0", 0), (" -1", -1), (" −1", -1), (" **-2**", -2), (" 12", 12), (" step-3", 3)),
        *(("", None), (" two", None), (" 1.5", None), (" 1 or 2", None), (" 1-2", None)),
        *((" 1, 2", None), (" Steps", None), (" none", None), (" 1 and step 2", None)),
    ],
)
def test_a_number_is_read_if_it_is_the_only_one(text: str, number: int | None) -> None:
    found = parse_counterfactual(reply(text))
    assert found.step == number
    assert found.reason == (AugmentationReason.NO_NUMBER if number is None else None)


@pytest.mark.parametrize(
    ("text", "error_type"),
    [
        *((f" {in_words(each).title()}", each) for each in ErrorType),
        *((f" {each}", each) for each in ErrorType),
        (" Non-sequitur", ErrorType.NON_SEQUITUR),
        (" incorrect equation", ErrorType.WRONG_EQUATION),
        (" unit conversion", ErrorType.WRONG_EQUATION),
        (" arithmetic error", ErrorType.CALCULATION),
        (" overgeneralization", ErrorType.FALSE_ASSUMPTION),
        (" Contradiction", ErrorType.CONFLICTING_STEPS),
        (" red herring", ErrorType.NON_SEQUITUR),
        (" contextual (factual on its own)", ErrorType.CONTEXTUAL),
        (" factual or contextual", None),
        (" artefactual", None),
        (" spelling", None),
        ("", None),
    ],
)
def test_a_type_is_read_if_it_is_the_only_one(text: str, error_type: ErrorType | None) -> None:
    found = parse_counterfactual(reply(error_type=text))
    assert found.error_type == error_type
    assert found.reason == (None if error_type else AugmentationReason.UNKNOWN_TYPE)


@pytest.mark.parametrize(
    ("text", "new"),
    [
        (reply(explanation=""), "It is 7."),
        (reply(step=" {It is 7.}\n\nThat is wrong.", explanation=""), "It is 7."),
        (reply(step=" {a} + {b} = 7"), "{a} + {b} = 7"),
        (reply(step=" {\\frac{a}{b} = 7}"), "\\frac{a}{b} = 7"),
        (reply(step="\nSo 1 + 1 = 3,\nand 3 > 2."), "So 1 + 1 = 3,\nand 3 > 2."),
        (reply(step=' He said "7" and "8"'), 'He said "7" and "8"'),
        (reply(step=" Step 5 says: 7."), "Step 5 says: 7."),
    ],
)
def test_a_new_step_ends_where_it_is_clear(text: str, new: str) -> None:
    found = parse_counterfactual(text)
    assert (found.text, found.reason) == (new, None)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", AugmentationReason.EMPTY),
        (" \n", AugmentationReason.EMPTY),
        ("Hm.</think>\n", AugmentationReason.EMPTY),
        ("I cannot do that.", AugmentationReason.NO_NUMBER),
        (reply() + "\n\n" + reply(" 1"), AugmentationReason.REPEATED_SECTION),
        (reply() + "\nWrong step: It is 9.", AugmentationReason.REPEATED_SECTION),
        (reply(step=" \n"), AugmentationReason.NO_STEP),
        ("Step number: 1\nError type: factual", AugmentationReason.NO_STEP),
        (reply(step=" It is 7.\nThat is wrong.", explanation=""), AugmentationReason.NO_END),
        ("Error type: factual\nWrong step: It is 7.", AugmentationReason.NO_NUMBER),
        ("Step number: 1\nWrong step: It is 7.", AugmentationReason.UNKNOWN_TYPE),
    ],
)
def test_replies_in_another_form_are_rejected_with_a_reason(
    text: str, reason: AugmentationReason
) -> None:
    assert parse_counterfactual(text).reason == reason


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("It is 8.", "It is 8."),
        ("Hm.\n</think>\n\n It is 8. ", "It is 8."),
        ('"It is 8."', "It is 8."),
        ("<step_1>\nIt is 8.\n</step_1>", "It is 8."),
        (" ", None),
        ("Hm.</think>", None),
    ],
)
def test_a_rewrite_is_the_reply(text: str, step: str | None) -> None:
    found = parse_rewrite(text)
    assert found.text == step
    assert found.reason == (None if step else AugmentationReason.EMPTY)


def test_labels_of_steps_are_left_out_unless_the_old_step_has_one() -> None:
    assert without_label("Step 2: It is 7.", "It is 8.") == "It is 7."
    assert without_label("Rewritten step: It is 7.", "It is 8.") == "It is 7."
    assert without_label("Step 2: It is 7.", "Step 2: It is 8.") == "Step 2: It is 7."
    assert without_label("Steps matter: 7.", "It is 8.") == "Steps matter: 7."


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("Then 11 + 2 = 13.", {11, 2, 13}),
        ("It is 2, that is 2.0.", {2}),
        ("1,000,000 and 1000,2", {1_000_000, 1000, 2}),
        ("From 1,2 to 3.5.", {1, 2, 3.5}),
        ("None.", set()),
    ],
)
def test_numbers_are_read_by_their_values(text: str, numbers: set[float]) -> None:
    assert numbers_in(text) == numbers


LINES = st.text(st.characters(categories=("L", "N")), min_size=1).map(lambda text: f"It is {text}.")


@given(st.integers(0, 30), st.sampled_from(ErrorType), LINES, LINES)
def test_well_formed_replies_are_read_as_they_are_meant(
    step: int, error_type: ErrorType, text: str, explanation: str
) -> None:
    found = parse_counterfactual(well_formed_counterfactual(step, error_type, text, explanation))
    assert found == NewStep(step, error_type, text, explanation)


@given(st.text(), st.sampled_from(["", "Step number: ", "Error type: ", "Wrong step: {", "```"]))
def test_any_text_can_be_read(text: str, before: str) -> None:
    for reply in (before, f"Step number: 1\nError type: factual\nWrong step: {before}"):
        found = parse_counterfactual(reply + text)
        is_whole = None not in (found.step, found.error_type) and bool(found.text)
        assert is_whole or found.reason is not None
    rewritten = parse_rewrite(before + text)
    assert bool(rewritten.text) == (rewritten.reason is None)
    assert bool(numbers_in(text)) <= any(letter.isdecimal() for letter in text)


def test_only_the_outer_layers_around_a_step_go() -> None:
    """A reply may open thousands of braces, of which each layer takes time linear in the text."""
    assert parse_rewrite("{{{It is 7.}}}").text == "It is 7."
    n = 20_000
    text = parse_rewrite("{" * n + "It is 7." + "}" * n).text
    assert text is not None
    assert n - 10 < text.count("{") == text.count("}") < n
    spaced = f"It is{' ' * n * 10}7. <step_2>"
    assert parse_rewrite(spaced).text == spaced
