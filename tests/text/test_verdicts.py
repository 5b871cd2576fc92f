r"""Critiques as language models write them, and how they are parsed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multirm.tables.critiques import Deviation
from multirm.tables.reward_models import Kind
from multirm.text.prompts import END_OF_THINKING, VERDICT_MARKS
from multirm.text.verdicts import conclude, find_verdict, read_critique

GENERATIVE = [Kind.GORM, Kind.GPRM]
MARK = VERDICT_MARKS[Kind.GORM]
QUESTION = VERDICT_MARKS[Kind.GPRM]


@pytest.mark.parametrize("kind", GENERATIVE)
@pytest.mark.parametrize(
    ("text", "verdict", "deviations"),
    [
        ("</think>\nMARK Yes", 1, []),
        ("</think>\nMARK No", 0, []),
        ("MARK No </think>\nMARK Yes", 1, ["verdict_twice"]),
        ("</think>MARK Yes, or\nMARK No", 0, ["verdict_twice"]),
        ("</think>MARK No.\nThat is all. 完", 0, ["verdict_spelling", "text_after"]),
        ("</think>MARK yes", 1, ["verdict_spelling"]),
        ("</think>MARK NO", 0, ["verdict_spelling"]),
        ("</think>\n**MARK** Yes", 1, ["verdict_spelling"]),
        ("</think>\n**MARK Yes**", 1, ["verdict_spelling"]),
        ("</think>\nMARK **Yes**", 1, ["verdict_spelling"]),
        ("</think>\nMARK\nNo", 0, ["verdict_spelling"]),
        ("</think>\nMARK: [Yes]", 1, ["verdict_spelling"]),
        ("</think>\nMARK (No)", 0, ["verdict_spelling"]),
        ("</think>\nMARK (Yes/No)", None, []),
        ("</think>\nMARK $\\boxed{No}$", 0, ["verdict_spelling"]),
        ("</think>\nMARK \\boxed{\\text{Yes}}", 1, ["verdict_spelling"]),
        ("</think>MARK Yes</think>", 1, ["text_after"]),
        ("Hm. </think> Wait. </think>MARK Yes", 1, []),
        # Missing parts give nothing.
        ("MARK Yes", None, []),
        ("MARK Yes </think> So it is.", None, []),
        ("</think>MARK Yesterday", None, []),
        ("</think>MARK Not sure", None, []),
        ("</think>MARK None", None, []),
        ("</think>MARK Yes/No", None, []),
        ("</think>MARK Yes or No", None, []),
        ("</think>MARK X", None, []),
        ("</think>MARK", None, []),
        ("</think>Yes", None, []),
    ],
)
def test_verdicts(kind: Kind, text: str, verdict: int | None, deviations: list[str]) -> None:
    reading = read_critique(kind, text.replace("MARK", VERDICT_MARKS[kind]))
    assert reading.verdict == verdict
    assert list(reading.deviations) == deviations


def test_the_words_before_a_verdict_may_be_bold() -> None:
    text = "</think>\n**Verification:** Is the answer correct (Yes/No)? Yes"
    reading = read_critique(Kind.GORM, text)
    assert reading.verdict == 1
    assert reading.deviations == (Deviation.VERDICT_SPELLING,)
    assert conclude(Kind.GORM, text, reading) == f"</think>\n{MARK} Yes"


BOX = {1: "\\boxed{correct}", 0: "\\boxed{incorrect}"}
# Each form with its deviation, for step number k and verdict v.
FORMS = {
    "Step {k}: The step is {v}": [],
    "**Step {k}:** The step is {v}": ["step_spelling"],
    "**Step {k}**: The step is **{v}**.": ["step_spelling"],
    "- Step {k}: The step is {v}": ["step_spelling"],
    "{k}. **Step {k}**: The step is {v}": ["step_spelling"],
    "`Step #{k}` It follows.\nThe step is {v}": ["step_spelling"],
    "### Step {k}\nIt follows.\nThe step is {v}": ["step_spelling"],
    "### Step {k}: Adding\nIt follows. The step is {v}.": ["step_spelling"],
    "Step {k}: It follows from what was said.\n\nThe step is {v}": ["step_spelling"],
    "Step {k}: It follows, so {v}": ["step_spelling"],
    "Step {k}: The step is ${v}$": ["step_spelling"],
    "Step {k}: The step is \\({v}\\).": ["step_spelling"],
    "STEP {k}: the step is {v}": ["step_spelling"],
    "The step is {v}": ["step_spelling", "unnumbered"],
    "It follows.\nThis step is {v}": ["step_spelling", "unnumbered"],
}
VERDICTS = st.one_of(
    st.integers(1, 12).map(lambda n: [1] * n), st.integers(0, 11).map(lambda n: [1] * n + [0])
)


def stepwise(form: str, verdicts: list[int], first: int = 1) -> str:
    return "\n".join(
        form.replace("{k}", str(k)).replace("{v}", BOX[v]) for k, v in enumerate(verdicts, first)
    )


def final(verdicts: list[int]) -> str:
    return f"{QUESTION} {'Yes' if all(verdicts) else 'No'}"


@pytest.mark.parametrize("form", FORMS)
@settings(deadline=None, max_examples=20)
@given(VERDICTS)
def test_every_form_of_a_step_in_both_places(form: str, verdicts: list[int]) -> None:
    steps = stepwise(form, verdicts)
    for text in (f"{steps}\n</think>\n{final(verdicts)}", f"</think>\n{steps}\n{final(verdicts)}"):
        reading = read_critique(Kind.GPRM, text)
        assert reading.step_verdicts == verdicts
        assert reading.verdict == int(all(verdicts))
        assert list(reading.deviations) == FORMS[form]
    twice = f"{steps}\n</think>\n{steps}\n{final(verdicts)}"
    assert read_critique(Kind.GPRM, twice).step_verdicts == verdicts
    assert Deviation.STEPS_TWICE in read_critique(Kind.GPRM, twice).deviations


@pytest.mark.parametrize(
    "box", ["\\boxed{Correct}", "\\boxed{ CORRECT }", "\\boxed{\\text{correct}}"]
)
def test_boxes(box: str) -> None:
    reading = read_critique(Kind.GPRM, f"</think>\nStep 1: The step is {box}\n{QUESTION} Yes")
    assert reading.step_verdicts == [1]
    assert reading.deviations == (Deviation.STEP_SPELLING,)


@given(VERDICTS)
def test_steps_may_be_numbered_from_zero_and_from_nothing_else(verdicts: list[int]) -> None:
    form = next(iter(FORMS))
    reading = read_critique(Kind.GPRM, f"</think>\n{stepwise(form, verdicts, first=0)}")
    assert reading.step_verdicts == verdicts
    assert Deviation.FROM_ZERO in reading.deviations
    reading = read_critique(Kind.GPRM, f"</think>\n{stepwise(form, verdicts, first=2)}")
    assert (reading.step_verdicts, reading.judges_steps) == (None, True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # The conclusion counts, not the thinking.
        ("Step 1: The step is V1\nStep 2: The step is V1\n</think>\nStep 1: The step is V0", [0]),
        # Steps missing in the conclusion are taken from the thinking.
        ("Step 1: The step is V1\nStep 2: The step is V1\n</think>\nStep 2: The step is V0", [1, 0]),
        # The last verdict on a step counts, and a heading holds until the next one.
        ("</think>\nStep 1: The step is V0. No: it is V1\nStep 2: The step is V0", [0, 0]),
        ("</think>\n### Step 1\nThe step is V0\nBut then, the step is V1\n### Step 2\nThe step is V0", [1, 0]),
        ("</think>\nStep 1: it may be V0, it is V1\nStep 2: V0", [1, 0]),
        ("</think>\nStep 1: The step is V1\nThe step is V1\nStep 3: The step is V0", [1, 1, 0]),
        ("</think>\nStep 1: Fine. The step is V1. Step 2: No, see Step 1: The step is V0.", [1, 0]),
        # Other boxes are not step verdicts.
        ("</think>\nStep 1: The step is V1\nSo the solution is V0", [1]),
        ("</think>\nStep 1: The step is V1\nStep 3: The step is V1", None),
        ("</think>\nStep 1: fine. \\boxed{maybe}", None),
        ("</think>\nStep 1: The step is \\boxed{correct/incorrect}", None),
        ("</think>\nThe step is not V1", None),
    ],
)  # fmt: skip
def test_which_steps_count(text: str, expected: list[int] | None) -> None:
    text = text.replace("V1", BOX[1]).replace("V0", BOX[0])
    assert read_critique(Kind.GPRM, text).step_verdicts == expected


def test_a_critique_without_a_verdict_line() -> None:
    for verdicts in ([1, 1], [1, 0]):
        steps = stepwise("Step {k}: The step is {v}", verdicts)
        text = f" Hm.\n</think>\n{steps}"
        reading = read_critique(Kind.GPRM, f"{text}\n\nThat is all.")
        assert reading.verdict == int(all(verdicts))
        assert reading.deviations == (Deviation.VERDICT_IMPLIED,)
        asked = f"{text}\n{final(verdicts)}"
        assert conclude(Kind.GPRM, f"{text}\n\nThat is all.", reading) == asked
        assert read_critique(Kind.GPRM, asked).deviations == ()
        evasive = read_critique(Kind.GPRM, f"{text}\n{QUESTION} Perhaps")
        assert (evasive.verdict, evasive.deviations) == (reading.verdict, reading.deviations)
    # Not from its thinking.
    assert read_critique(Kind.GPRM, f"{steps}\n</think>\nSo it is.").verdict is None


def test_text_after_the_verdict_is_removed_and_text_before_it_kept() -> None:
    text = f" Hm.\n</think>\nFine, I think.\n\n**{MARK}** yes\n\n完 and so on"
    reading = read_critique(Kind.GORM, text)
    assert conclude(Kind.GORM, text, reading) == f" Hm.\n</think>\nFine, I think.\n{MARK} Yes"


PIECES = st.sampled_from(
    [
        END_OF_THINKING,
        MARK,
        QUESTION,
        " Yes",
        "no",
        "**",
        "\n",
        "Step 1: ",
        "Step 2",
        "The step is ",
    ]
    + [*BOX.values(), "\\boxed{Correct}", "</", "Verification:", "$", "  ", "Hm.", "Yes/No"]
)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(GENERATIVE), st.lists(PIECES, max_size=25).map("".join))
def test_properties(kind: Kind, text: str) -> None:
    reading = read_critique(kind, text)
    line = find_verdict(kind, text)
    assert (reading.thought_end < 0) == (END_OF_THINKING not in text)
    if line is not None:
        assert reading.verdict == int(line[1].casefold() == "yes")
    if reading.verdict is not None:
        learned = conclude(kind, text, reading)
        again = read_critique(kind, learned)
        assert (again.verdict, again.step_verdicts) == (reading.verdict, reading.step_verdicts)
        assert conclude(kind, learned, again) == learned
        assert not {Deviation.VERDICT_IMPLIED, Deviation.TEXT_AFTER} & set(again.deviations)


@pytest.mark.parametrize("kind", GENERATIVE)
@pytest.mark.parametrize(
    "piece",
    ["*", " ", "\n", "Step 1 ", "\nStep 1", MARK, QUESTION, f"{MARK} **", "\\boxed{correct}", "_"]
    + [
        "The step is \\boxed{correct}",
        "Step 1: \\boxed{",
        "Verification:",
        "\\boxed{\\text{",
        "$ ",
    ],
)
def test_long_hostile_texts_are_parsed(kind: Kind, piece: str) -> None:
    """In linear time: quadratic time would not finish."""
    text = piece * 100_000 + END_OF_THINKING + piece * 100_000
    assert read_critique(kind, text).thought_end == len(piece) * 100_000
