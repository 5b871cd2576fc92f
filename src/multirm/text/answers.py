"""Answers as people and language models write them: which are the same, and which are letters, numbers or formulas.

Answers to a question are compared in the form of its reference answer, each by itself: an answer has one
spelling in that form, and two are the same if their spellings are. So what is the same as the same is the same,
and a vote counts what it should.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from multirm.text.answer_rules import AnswerFormat, AnswerRule
from multirm.text.expressions import spelled_formula
from multirm.text.quantities import PERCENT, Quantity, parse_quantity, spelled_number

# What is longer is compared as text, whatever it says.
_LONGEST = 1000

_CHARACTERS = str.maketrans(
    {
        **dict.fromkeys("−‐‑‒–—﹣", "-"),
        **dict.fromkeys("\u00a0\u2007\u2009\u202f\u3000\t\n\r", " "),
        "٬": ",",
        "٫": ".",
        "٪": "%",
        "⁄": "/",
        "\u200b": "",
        "\ufeff": "",
        "’": "'",
        # Letters, brackets and signs as wide as Chinese characters are.
        **{chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},
        "½": " 1/2",
        "⅓": " 1/3",
        "⅔": " 2/3",
        "¼": " 1/4",
        "¾": " 3/4",
    }
)
_LATEX = (
    (re.compile(r"\\[dtc]frac(?![a-z])"), r"\\frac"),
    (re.compile(r"\\(?:left|right|displaystyle|!)(?![a-z])"), ""),
    (re.compile(r"(?<=\d)(?:\{,\}|\\,)(?=\d{3})"), ","),
    (re.compile(r"\\[ ,;:]"), " "),
)
_COMMANDS = r"\\(?:boxed|fbox|text|textbf|textit|textrm|mathrm|mathbf|mathit|mbox|bm)\s*"
_AROUND = [
    *(("$$", "$$"), ("$", "$"), ("**", "**"), ("__", "__"), ("*", "*"), ("`", "`")),
    *(('"', '"'), ("'", "'"), ("“", "”"), (r"\(", r"\)"), (r"\[", r"\]")),
]
_SAID = re.compile(r"(?:the\s+)?(?:(?:final|correct)\s+)?answer(?:\s+is\s*:?|\s*:)\s*(?=\S)")
# Only at the beginning: what stands before another sign is a side of an equation.
_EQUALS = re.compile(r"\A(?:(?:[a-z]\s*)?=\s*(?=[^=\s])|(?:≈|\\approx)\s*(?=\S))")
_SIDES = re.compile(r"=|≈|\\approx(?![a-z])")

_OF_FORMULAS = re.compile(
    r"[\\^*+/=<>√π∞|!]|\d[a-z(]|[(\[].*,|\d,|[a-z]\s*-"
    r"|(?<![a-z])(?:sqrt|sin|cos|tan|ln|log|exp|pi)(?![a-z])"
)

_LETTER = re.compile(r"[(\[{<]?\s*([a-z])\s*[)\]}>]?[.:)]?")
_LETTER_AND_TEXT = re.compile(
    r"(?:option|choice)\s+[(\[]?([a-z])[)\].:]*|[(\[]?([a-z])[)\].:]\s+(\S.*)"
)
# Behind a letter: it is not the option's text, but speaks of the letter or of others.
_OF_LETTERS = re.compile(
    r"(?:and|or|nor|is|isn't|not)\b.*|.*[(\[]\s*[a-z]\s*[)\]].*|.*\b[a-z][):].*"
    r"|.*(?:,|\band|\bor)\s*[a-z]\.?"
)


@dataclass(frozen=True)
class AnswerForm:
    """How the reference answer of a question is written, and so how answers to it are read.

    Attributes:
        format: a letter, a number, a formula or a text.
        unit: of a number, "" if it has none; then that of an answer says nothing either.
        hundredths: of a number, whether 50% is 0.5 and not 50.
        above_one: of a percentage, whether it is of more than 1 %, so that 0.5 is 50 %.
    """

    format: AnswerFormat
    unit: str = ""
    hundredths: bool = False
    above_one: bool = False


@dataclass(frozen=True)
class Spelled:
    """An answer in the one spelling that those have that are the same.

    Attributes:
        text: the spelling.
        of_form: whether the answer is what its reference is: a letter, a number, a formula.
    """

    text: str
    of_form: bool = True


@lru_cache(maxsize=1 << 16)
def answer_form(answer: str) -> AnswerForm:
    """The form of a reference answer."""
    text = _bare(answer)
    if _letter(text):
        return AnswerForm(AnswerFormat.CHOICE)
    quantity = parse_quantity(text)
    if quantity:
        value, is_percent = quantity.value, quantity.unit == PERCENT
        return AnswerForm(
            AnswerFormat.NUMBER,
            quantity.unit,
            hundredths=not is_percent and abs(value) < 1 and value != 0,
            above_one=is_percent and abs(value) > 1,
        )
    if _formula(text):
        return AnswerForm(AnswerFormat.EXPRESSION)
    return AnswerForm(AnswerFormat.TEXT)


def spell(answer: str, form: AnswerForm) -> Spelled:
    """The spelling of an answer to a question whose reference answer has a form.

    A letter comes out as a capital, `(c)`, `**C**` and `$C$` as `C`. A number comes out exact and without
    markup, `$1,000.0` as `1000` and `\\frac12` as `0.5`. Its unit counts only if the reference has another. A
    percentage is its number where the reference is 1 or more, and a hundredth of it where that is a fraction.
    A formula comes out as its values. What is none of that is a text: spelled without regard to case and blanks.
    """
    return _spelled(_bare(answer), form)


def spelled_alike(
    parsed: str | None, answer: str, rule: AnswerRule = AnswerRule.MEANING
) -> tuple[str | None, str]:
    """A parsed and its reference answer in the spellings that tell by a rule whether they are the same."""
    if rule is AnswerRule.STRICT:
        return None if parsed is None else parsed.strip(), answer.strip()
    form = answer_form(answer)
    return None if parsed is None else spell(parsed, form).text, spell(answer, form).text


def outcome_label(parsed_answer: str | None, answer: str) -> int:
    """1 if the parsed answer means the reference answer, else 0; no parsed answer means nothing."""
    parsed, reference = spelled_alike(parsed_answer, answer)
    return int(parsed == reference)


@lru_cache(maxsize=1 << 16)
def _spelled(text: str, form: AnswerForm) -> Spelled:
    match form.format:
        case AnswerFormat.CHOICE:
            letter = _letter(text) or _letter_with_text(text)
            return Spelled(letter.upper()) if letter else Spelled(text, of_form=False)
        case AnswerFormat.NUMBER:
            said = _result(text)
            quantity = parse_quantity(said, form.unit) or _computed(said)
            return Spelled(_number(quantity, form)) if quantity else Spelled(text, of_form=False)
        case AnswerFormat.EXPRESSION:
            quantity, formula = parse_quantity(text), _formula(text)
            if quantity and not quantity.unit:
                return Spelled(spelled_number(quantity.value))
            return Spelled(formula) if formula else Spelled(text, of_form=False)
        case AnswerFormat.TEXT:
            return Spelled(text)


def _number(quantity: Quantity, form: AnswerForm) -> str:
    value, unit = quantity.value, quantity.unit
    if form.unit == PERCENT and not unit and form.above_one and abs(value) <= 1:
        value *= 100
    if form.unit != PERCENT and unit == PERCENT:
        value, unit = (value / 100 if form.hundredths else value), ""
    if not form.unit:
        return spelled_number(value)
    named = unit or form.unit
    return spelled_number(value) + ("%" if named == PERCENT else f" {named}")


def _bare(answer: str) -> str:
    """An answer in lower case without blanks, markup and punctuation around it, digits in ASCII."""
    text = answer.strip()
    if len(text) > _LONGEST:
        return " ".join(text.casefold().split())
    text = "".join(_ascii_digit(char) for char in text.translate(_CHARACTERS))
    before = None
    # Every round makes it shorter, but for letters that fold to several; these fold once.
    while text != before:
        before = text
        text = " ".join(text.casefold().split())
        for pattern, replacement in _LATEX:
            text = pattern.sub(replacement, text)
        text = _inside(_EQUALS.sub("", _SAID.sub("", text, count=1), count=1).strip())
    return text


def _ascii_digit(char: str) -> str:
    digit = unicodedata.decimal(char, None)
    return char if digit is None else str(digit)


def _inside(text: str) -> str:
    """What stands in a pair of marks, or between the braces of a command, and before a full stop."""
    for start, end in _AROUND:
        if len(text) > len(start + end) and text.startswith(start) and text.endswith(end):
            inner = text[len(start) : -len(end)]
            if start not in inner and end not in inner:
                return inner.strip()
    command = re.match(_COMMANDS + r"(?=\{)", text)
    if command and _closing(text, command.end()) == len(text) - 1:
        return text[command.end() + 1 : -1].strip()
    return text[:-1].rstrip() if text.endswith(".") and not text.endswith("..") else text


def _closing(text: str, start: int) -> int:
    """The place of the brace that closes the one at `start`, or -1."""
    depth = 0
    for place in range(start, len(text)):
        depth += (text[place] == "{") - (text[place] == "}")
        if depth == 0:
            return place
    return -1


def _letter(text: str) -> str | None:
    found = _LETTER.fullmatch(text)
    return found[1] if found else None


def _letter_with_text(text: str) -> str | None:
    found = _LETTER_AND_TEXT.fullmatch(text)
    if not found or (found[3] and _OF_LETTERS.fullmatch(found[3])):
        return None
    return found[1] or found[2]


def _formula(text: str) -> str | None:
    """The spelling of what looks like a formula at first sight; other texts are not to wait for a parser."""
    return spelled_formula(text) if _OF_FORMULAS.search(text) else None


def _result(text: str) -> str:
    """The last side of a calculation, `12` of `3 * 4 = 12`; all of the text where a side is no number."""
    *steps, last = _SIDES.split(text)
    values = [parse_quantity(step.strip()) or _computed(step.strip()) for step in steps]
    return last.strip() if all(values) else text


def _computed(text: str) -> Quantity | None:
    """A number that is written as a sum, a root or a power of some."""
    spelled = _formula(text) if not re.search(r"[,=<>]", text) else None
    return parse_quantity(spelled) if spelled else None
