"""The meaning of answers, and the properties that votes and outcome labels rely on."""

import subprocess
import sys
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multirm.text.answer_rules import AnswerFormat, AnswerRule
from multirm.text.answers import answer_form, outcome_label, spell, spelled_alike

CHOICE, NUMBER, TEXT = AnswerFormat.CHOICE, AnswerFormat.NUMBER, AnswerFormat.TEXT
EXPRESSION = AnswerFormat.EXPRESSION
NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**40), max_value=10**40)

# Reference answer, then other spellings of it.
SAME = {
    "C": "c (C) (c). C. [C] {C} **C** $C$ `C` \\boxed{C} \\text{C} $\\boxed{\\text{C}}$ Ｃ",
    "K": "k (K) **k**",
    "1000": "1,000 1000.0 $1,000.00 1000. +1000 1000% 1{,}000 1\\,000 1e3 10^3 ١٠٠٠ ١٬٠٠٠ １０００ 2000/2",
    "29": "$29.00 \\$29 29$ USD29 29.",
    "-5": "-$5 −5 $-5 −$5 -\\$5 –5 -5.0",
    "5": "$5$ \\boxed{5} **5** $\\boxed{5}$ \\(5\\) \\[5\\] \\sqrt{25} =5 x=5 5\\text{cm} 5cm 5km/h",
    "10": "10\\% 10% $10\\%$ \\boxed{10\\%}",
    "70000": "€70,000 70,000€ £70000 70000\\text{dollars} 7\\times10^4 7\\cdot10^{4}",
    "0.5": "1/2 \\frac{1}{2} \\frac12 \\dfrac{1}{2} \\tfrac12 50% 50\\% .5 0.50 ½ 2/4 $\\frac{1}{2}$",
    "1.5": "1½ 3/2 1\\frac{1}{2} 150e-2",
    "-0.5": "-1/2 -\\frac{1}{2} \\frac{-1}{2} -50%",
    "\\frac{1}{2}": "\\frac12 0.5 1/2",
    "1/3": "\\frac13 2/6",
    "50%": "50 0.5 1/2 50\\%",
    "90": "90^\\circ 90° 90^{\\circ}",
    "90^\\circ": "90 90°",
    "\\frac{\\sqrt{3}}{2}": "\\sqrt{3}/2 \\frac{\\sqrt3}{2} \\frac{3}{2\\sqrt{3}} √3/2 sqrt(3)/2",
    "x+1": "1+x $1+x$ x+1.0",
    "x^2+2x+1": "(x+1)^2 (1+x)(x+1) x**2+2*x+1",
    "2\\pi": "2π 2*\\pi 2\\cdot\\pi 2pi",
    "(1,2)": "(1.0,2) \\left(1,2\\right) (1,\\frac{4}{2})",
    "\\{1,2\\}": "\\{2,1\\} 1,2",
    "[0,1)": "[0,1.0)",
    "x<5": "5>x",
}
SAME_WITH_BLANKS = [
    ("C", " ( C ) "),
    ("C", "the answer is (C)."),
    ("C", "Option C"),
    ("C", "C. Paris"),
    ("1000", " 1 000 "),
    ("18", "18 dollars"),
    ("18 dollars", "18"),
    ("18 dollars", "$18"),
    ("60", "60 miles per hour"),
    ("20", "20 years old"),
    ("1200000", "1.2 million"),
    ("1.5", "1 1/2"),
    ("(1,2)", "(1, 2)"),
    ("Paris", " **paris.** "),
    ("New  York", "new york"),
    ("\\text{Paris}", "Paris"),
    ("12", "3 * 4 = 12"),
    ("5", "10/2 = 5"),
    ("3.33", "10/3 ≈ 3.33"),
    ("1/2", "\\frac{1}{2} = 0.5"),
    ("3", "x = y = 3"),
    ("x^2+y^2=25", "y^2+x^2=25"),
    ("\\sqrt{3}", "sqrt(3)"),
    ("sqrt(3)", "√3"),
    ("pi", "\\pi"),
    ("\\log 2", "log(2)"),
    ("2", "sqrt(4)"),
    ("D", "d. None of the above"),
    ("C", "(C) vitamin B deficiency"),
    ("C", "c. water, e.g. rain"),
]
OTHER = [
    ("210", "2x = 10"),
    ("10", "2x = 10"),
    ("5", "x = 5 or x = 6"),
    ("x+y=10", "x+10"),
    ("2x+3y=6", "2x+36"),
    ("A", "(A) and (C)"),
    ("A", "A. or B."),
    ("A", "(A) is wrong; (B)"),
    ("A", "A: no, B"),
    ("A", "a) True b) False"),
    ("B", "[B] or [C]"),
    ("brown", "tan"),
    ("1000", "1,00"),
    ("C", "D"),
    ("C", "CD"),
    ("5", "five"),
    ("5", "5 or 6"),
    ("5", "5x"),
    ("5x", "5"),
    ("5", "-5"),
    ("5", "5 dozen"),
    ("5", "5 million"),
    ("5", "(5,6)"),
    ("7", "7/2"),
    ("3", "3 halves"),
    ("12", "12:30"),
    ("1", "1/0"),
    ("0.5", "50"),
    ("0.3", "30"),
    ("1", "0.01"),
    ("18 dollars", "18 cents"),
    ("5 m", "5 km"),
    ("$5", "€5"),
    ("x+1", "x-1"),
    ("(1,2)", "(2,1)"),
    ("(0,1]", "(0,1)"),
    ("2020-01-02", "2019-01-01"),
    ("3-4", "5-6"),
    ("1/2/2020", "2/1/2020"),
    ("Paris", "London"),
]


@pytest.mark.parametrize(
    ("answer", "parsed"),
    [
        *((answer, parsed) for answer, texts in SAME.items() for parsed in texts.split()),
        *SAME_WITH_BLANKS,
    ],
)
def test_spellings_of_one_answer(answer: str, parsed: str) -> None:
    assert outcome_label(parsed, answer) == 1
    # A canonical spelling is spelled as itself.
    assert outcome_label(*spelled_alike(parsed, answer)) == 1


@pytest.mark.parametrize(("answer", "parsed"), OTHER)
def test_answers_that_differ(answer: str, parsed: str) -> None:
    assert outcome_label(parsed, answer) == 0
    assert outcome_label(*spelled_alike(parsed, answer)) == 0


@pytest.mark.parametrize(
    ("answer", "format"),
    [("B", CHOICE), ("(k)", CHOICE), ("1,000", NUMBER), ("-3.5", NUMBER), ("18 dollars", NUMBER)]
    + [("2\\pi", EXPRESSION), ("x+1", EXPRESSION), ("Paris", TEXT), ("1,00", EXPRESSION)]
    + [("", TEXT), ("$", TEXT), ("-", TEXT), ("NaN", TEXT), ("2020-01-02", TEXT)],
)
def test_the_form_of_an_answer(answer: str, format: AnswerFormat) -> None:
    assert answer_form(answer).format is format


@pytest.mark.parametrize(
    ("answer", "parsed", "of_form"),
    [("C", "c", True), ("C", "Paris", False), ("5", "6 m", True), ("5", "none", False)]
    + [("x+1", "7", True), ("x+1", "a line", False), ("Paris", "5", True)],
)
def test_whether_an_answer_is_what_its_reference_is(
    answer: str, parsed: str, of_form: bool
) -> None:
    assert spell(parsed, answer_form(answer)).of_form is of_form


@settings(deadline=None)
@given(NUMBERS)
def test_a_number_keeps_its_value(value: Decimal) -> None:
    spelled = spell(f"{value:f}", answer_form("7")).text
    assert Decimal(spelled) == value
    assert spell(f"{value:,f}", answer_form("7")).text == spelled


@settings(deadline=None)
@given(st.integers(-(10**9), 10**9), st.integers(1, 10**6), st.integers(1, 50))
def test_fractions_are_exact(numerator: int, denominator: int, by: int) -> None:
    spelled = {
        spell(text, answer_form("7")).text
        for text in (
            f"{numerator}/{denominator}",
            f"\\frac{{{numerator * by}}}{{{denominator * by}}}",
        )
    }
    (one,) = spelled
    assert Fraction(one) == Fraction(numerator, denominator)


@settings(deadline=None)
@given(st.integers(), st.integers())
def test_different_numbers_stay_different(a: int, b: int) -> None:
    assert outcome_label(str(a), str(b)) == int(a == b)


REFERENCES = ["C", "7", "0.5", "50%", "18 dollars", "x+1", "\\frac{\\sqrt3}{2}", "Paris"]
PIECES = st.lists(
    st.sampled_from([*"0123456789abcxC .,-+*/^$%()[]{}\\_=<>!€°½", "\\frac", "\\boxed{", "}", "**"])
    | st.characters(max_codepoint=0x24F),
    max_size=12,
).map("".join)


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(REFERENCES), PIECES)
def test_spelling_is_idempotent(answer: str, text: str) -> None:
    form = answer_form(answer)
    spelled = spell(text, form).text
    assert spell(spelled, form).text == spelled


@settings(deadline=None, max_examples=100)
@given(PIECES)
def test_an_answer_equals_itself_as_a_reference(text: str) -> None:
    assert outcome_label(text, text) == 1


HOSTILE = [
    "9**9**9",
    "9^{9^{9^9}}",
    "x^" * 60 + "x",
    "|x" * 50,
    "1|" * 40,
    "(" * 400 + ")" * 400,
    "(" * 50 + "x" + ")" * 50,
    "{" * 999 + "}" * 999,
    "\\boxed{" * 200 + "5" + "}" * 200,
    "\\frac" * 150,
    "9" * 1000 + "!",
    "9!!!!!!",
    "1e999999999",
    "10^{999999}",
    "e^{e^{e^{e^e}}}",
    "1" * 100_000,
    "$" * 100_000,
    "answer: " * 10_000,
    "1/" * 200 + "1",
    "__import__('os').system('true')",
    "\\input{/etc/passwd}",
    "\ud800 5",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_answers_quickly_become_text(text: str) -> None:
    """In a process with limits on time and memory, as a reference and as an answer to others."""
    script = (
        "import resource, sys\n"
        "from multirm.text.answers import spelled_alike\n"
        "resource.setrlimit(resource.RLIMIT_CPU, (8, 8))\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n"
        "text = sys.stdin.buffer.read().decode('utf-8', 'surrogatepass')\n"
        "for answer in (text, '5', 'x+1', 'C'):\n"
        "    said, reference = spelled_alike(text, answer)\n"
        "    assert (said == reference) == (answer == text), answer\n"
    )
    given_text = text.encode("utf-8", "surrogatepass")
    subprocess.run([sys.executable, "-c", script], input=given_text, check=True)


def test_the_strict_rule_compares_only_the_text() -> None:
    for parsed, answer in ((" C", "C "), ("1,000", "1,000")):
        said, reference = spelled_alike(parsed, answer, AnswerRule.STRICT)
        assert said == reference
    for parsed, answer in (("c", "C"), ("(C)", "C"), ("1000", "1,000"), ("0.50", "0.5")):
        said, reference = spelled_alike(parsed, answer, AnswerRule.STRICT)
        assert said != reference
    assert spelled_alike(None, " C ", AnswerRule.STRICT) == (None, "C")


def test_no_parsed_answer_is_wrong() -> None:
    assert outcome_label(None, "") == 0


def test_letters_and_plain_numbers_do_not_wait_for_sympy() -> None:
    script = (
        "import sys\n"
        "from multirm.text.answers import spelled_alike\n"
        "for answer, said in (('C', '(d)'), ('5', '$6.50'), ('1/2', '50%'), ('Paris', 'Rome'), ('5', 'no idea')):\n"
        "    spelled_alike(said, answer)\n"
        "assert 'sympy' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("reference", ["A", "12", "x^2", "a word", "12 kg"])
def test_long_answers_are_texts_whatever_they_begin_with(reference: str) -> None:
    """A reply may repeat itself thousands of times; a formula takes more than linear time to read."""
    long = "2 " + "+ 2 " * 500
    assert answer_form(long).format is AnswerFormat.TEXT
    is_text = answer_form(reference).format is AnswerFormat.TEXT
    assert spell(long, answer_form(reference)).of_form is is_text
    brackets = "(" * 200_000
    assert outcome_label(brackets, reference) == 0
    assert outcome_label(brackets, brackets) == 1
