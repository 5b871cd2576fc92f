"""Compare answers as people and language models write them: letters, numbers, formulas or text.

Each answer to a question gets one canonical spelling, in the form of the question's reference answer; two answers are
equal if their spellings are. So equality is transitive, and votes can be counted by spelling.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from multirm.text.answer_rules import AnswerFormat, AnswerRule
from multirm.text.expressions import spelled_formula
from multirm.text.quantities import PERCENT, Quantity, parse_quantity, spelled_number

# Longer answers are compared as text.
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
        # Full-width letters, brackets and signs.
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
# Only at the start: anything before a later sign is a side of an equation.
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
# After a letter: not the option's text, but words about this letter or others.
_OF_LETTERS = re.compile(
    r"(?:and|or|nor|is|isn't|not)\b.*|.*[(\[]\s*[a-z]\s*[)\]].*|.*\b[a-z][):].*"
    r"|.*(?:,|\band|\bor)\s*[a-z]\.?"
)


@dataclass(frozen=True)
class AnswerForm:
    """The form of a question's reference answer, in which answers to the question are read.

    Attributes:
        format: a letter, a number, a formula or a text.
        unit: a number's unit, "" if it has none; then the units of answers are ignored.
        hundredths: for a number, whether 50% means 0.5 rather than 50.
        above_one: for a percentage, whether it is over 1 %, so that 0.5 means 50 %.
    """

    format: AnswerFormat
    unit: str = ""
    hundredths: bool = False
    above_one: bool = False


@dataclass(frozen=True)
class Spelled:
    """An answer in its canonical spelling, which equal answers share.

    Attributes:
        text: the spelling.
        of_form: whether the answer has the format of its reference: a letter, a number, a formula.
    """

    text: str
    of_form: bool = True


@lru_cache(maxsize=1 << 16)
def answer_form(answer: str) -> AnswerForm:
    """The form of a reference answer."""
    text = _bare(answer)
    if len(text) > _LONGEST:
        return AnswerForm(AnswerFormat.TEXT)
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
    """The canonical spelling of an answer, given the form of the reference answer.

    Letters become capitals: `(c)`, `**C**` and `$C$` become `C`. Numbers become exact and lose markup:
    `$1,000.0` becomes `1000`, `\\frac12` becomes `0.5`. A unit counts only if the reference has another. A
    percentage becomes its number if the reference is 1 or more, and a hundredth of it if the reference is a fraction.
    Formulas are spelled by their values. Anything else is text, without regard to case and whitespace.
    """
    return _spelled(_bare(answer), form)


def spelled_alike(
    parsed: str | None, answer: str, rule: AnswerRule = AnswerRule.MEANING
) -> tuple[str | None, str]:
    """A parsed answer and its reference answer in spellings that are equal if the answers are equal by `rule`."""
    if rule is AnswerRule.STRICT:
        return None if parsed is None else parsed.strip(), answer.strip()
    form = answer_form(answer)
    return None if parsed is None else spell(parsed, form).text, spell(answer, form).text


def outcome_label(parsed_answer: str | None, answer: str) -> int:
    """1 if the parsed answer means the same as the reference answer, else 0; also 0 without a parsed answer."""
    parsed, reference = spelled_alike(parsed_answer, answer)
    return int(parsed == reference)


@lru_cache(maxsize=1 << 16)
def _spelled(text: str, form: AnswerForm) -> Spelled:
    if len(text) > _LONGEST:
        return Spelled(text, of_form=form.format is AnswerFormat.TEXT)
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
    """An answer in lower case and ASCII digits, without surrounding whitespace, markup and punctuation."""
    text = answer.strip()
    if len(text) > _LONGEST:
        return " ".join(text.casefold().split())
    text = "".join(_ascii_digit(char) for char in text.translate(_CHARACTERS))
    before = None
    # Terminates: each round shortens the text, except for letters that fold to several, which fold once.
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
    """Remove a surrounding pair of marks, a LaTeX command and its braces, or a final full stop."""
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
    """The index of the brace that closes the one at `start`, or -1."""
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
    """The spelling of a formula; a cheap check spares other texts the parser."""
    return spelled_formula(text) if _OF_FORMULAS.search(text) else None


def _result(text: str) -> str:
    """The last side of a calculation, `12` of `3 * 4 = 12`; the whole text if another side is not a number."""
    *steps, last = _SIDES.split(text)
    values = [parse_quantity(step.strip()) or _computed(step.strip()) for step in steps]
    return last.strip() if all(values) else text


def _computed(text: str) -> Quantity | None:
    """The value of a number that is written as a sum, a root or a power."""
    spelled = _formula(text) if not re.search(r"[,=<>]", text) else None
    return parse_quantity(spelled) if spelled else None
