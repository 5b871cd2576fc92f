"""Formulas in answers: the same spelling for formulas with the same values.

latex2sympy2_extended parses expressions; nothing is simplified. An expression is spelled by its values at fixed points,
to 25 digits, so that `\\frac{\\sqrt 3}{2}` and `\\sqrt{3}/2`, or `(x+1)^2` and `x^2+2x+1`, are spelled alike. Lists,
intervals and equations are spelled by their parts. Anything too long, too deep or unknown is not a formula, and
numbers are limited to some thousand digits, so that no answer can exhaust time or memory.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import cache
from typing import Any

from multirm.text.quantities import parse_quantity, spelled_number

# The parser takes exponential time on many nested powers, bars or brackets.
_LONGEST = 100
_DEEPEST = 5
_MOST = {"^": 6, "|": 2, "_": 2, "!": 2, r"\sqrt": 6, r"\frac": 6, "/": 6}

_N_POINTS = 3
_DIGITS = 25
_PRECISION = 60
_LARGEST_LOGARITHM = 4000
_LARGEST_DENOMINATOR = 1000

_FUNCTIONS = ("sqrt", "sin", "cos", "tan", "ln", "log", "exp")
_COMMANDS = frozenset(
    "frac cdot times div pi infty cup leq geq le ge lt gt alpha beta gamma delta theta lambda mu phi { }".split()
) | frozenset(_FUNCTIONS)
_TOKEN = re.compile(r"\\([a-z]+|[{}])|\d+|[a-z]|[-+*/^_=<>|()\[\]{}.,! ]")
_SPELLINGS = (
    (re.compile("≤"), r"\\leq "),
    (re.compile("≥"), r"\\geq "),
    (re.compile("∞"), r"\\infty "),
    (re.compile(r"\*\*"), "^"),
    (re.compile("√"), r"\\sqrt "),
    (re.compile("π"), r"\\pi "),
    (re.compile(r"(?<![\\a-z])infinity(?![a-z])"), r"\\infty "),
    (re.compile(rf"(?<![\\a-z])({'|'.join((*_FUNCTIONS, 'pi'))})(?![a-z])"), r"\\\1 "),
    (re.compile(r"\\sqrt\s*\(([^()]*)\)"), r"\\sqrt{\1}"),
)
_RELATIONS = {"=": "equal", "<": "less", r"\lt": "less", r"\leq": "most", r"\le": "most"}
_REVERSED = {">": "less", r"\gt": "less", r"\geq": "most", r"\ge": "most"}
# Dates, scores and ranges, which look like sums but are not meant as such.
_NO_SUMS = re.compile(r"\s*\d+\s*-\s*\d+(?:\s*-\s*\d+)*\s*|.*\d+/\d+/\d+.*|.*\d\.\d+\.\d.*")


def spelled_formula(text: str) -> str | None:
    """The spelling of a lower-case text; None if it is not a formula.

    A formula whose value is a number is spelled by `quantities.spelled_number`, if the denominator has at most
    three digits.
    """
    if len(text) > _LONGEST:
        return None
    for pattern, replacement in _SPELLINGS:
        text = pattern.sub(replacement, text)
    return _spelled(text.strip()) if _looks_like_formula(text) else None


def _looks_like_formula(text: str) -> bool:
    """Whether a text consists only of what formulas are made of, within the limits above."""
    words = re.sub(r"\\[a-z]+", " ", text)
    if re.search("[a-z]{3}", words) or not re.search(r"[\d\\]|[a-z]\s*[-+*/^=<>]", text):
        return False
    if any(text.count(token) > most for token, most in _MOST.items()) or _NO_SUMS.fullmatch(text):
        return False
    place = depth = 0
    while place < len(text):
        token = _TOKEN.match(text, place)
        if not token or (token[1] and token[1] not in _COMMANDS):
            return False
        depth += (token[0] in "([{") - (token[0] in ")]}") if not token[1] else 0
        if not 0 <= depth <= _DEEPEST:
            return False
        place = token.end()
    return depth == 0


def _spelled(text: str) -> str | None:
    """The spelling of a formula by its parts, or of an expression by its values."""
    for separator, name in ((r"\cup", "union"), (",", "list")):
        parts = _split(text, separator)
        if len(parts) > 1:
            return _joined(name, parts, in_order=False)
    found = re.fullmatch(r"\\\{(.*)\\\}", text)
    if found:
        return _joined("list", _split(found[1], ","), in_order=False)
    found = re.fullmatch(r"([(\[])(.*)([)\]])", text)
    if found and len(parts := _split(found[2], ",")) > 1:
        return _joined(f"{found[1]}{found[3]}", parts, in_order=True)
    for sign, name in (_RELATIONS | _REVERSED).items():
        sides = _split(text, sign)
        if len(sides) == 2:
            if sign == "=" and re.fullmatch(r"[a-z]", sides[0]):
                return _spelled(sides[1])
            sides = sides[::-1] if sign in _REVERSED else sides
            return _joined(name, sides, in_order=sign != "=")
    quantity = parse_quantity(text)
    if quantity and not quantity.unit:
        return spelled_number(quantity.value)
    return _by_values(text)


def _split(text: str, separator: str) -> list[str]:
    """Split a text at the separators outside brackets."""
    parts, depth, start, place = [], 0, 0, 0
    while place < len(text):
        token = _TOKEN.match(text, place)
        end = token.end() if token else place + 1
        symbol = text[place:end]
        depth += (symbol in ("(", "[", "{", r"\{")) - (symbol in (")", "]", "}", r"\}"))
        if depth == 0 and symbol == separator:
            parts.append(text[start:place].strip())
            start = end
        place = end
    return [*parts, text[start:].strip()]


def _joined(name: str, parts: list[str], in_order: bool) -> str | None:
    spelled = [_spelled(part) for part in parts]
    known = [each for each in spelled if each is not None]
    if len(known) < len(spelled):
        return None
    return f"{name} of {' & '.join(known if in_order else sorted(set(known)))}"


class _NoValueError(ValueError):
    """The expression has no value, or one that is too large."""


def _by_values(text: str) -> str | None:
    """The spelling of an expression by its values; None if it cannot be parsed or has no value."""
    if text.lstrip("+-").strip() == r"\infty":
        return "-infinity" if text.startswith("-") else "infinity"
    # Imported late: sympy is slow to import, and letters and plain numbers do not need it.
    from latex2sympy2_extended import NormalizationConfig, latex2sympy

    form = NormalizationConfig(basic_latex=True, malformed_operators=True, nits=True)
    try:
        expression = latex2sympy(
            text, is_real=True, convert_degrees=False, normalization_config=form
        )
        return _values(expression)
    except Exception:
        # The parser raises all kinds of errors: what it cannot read is not a formula.
        return None


def _values(expression: Any) -> str:
    context = _context()
    names = sorted(symbol.name for symbol in expression.free_symbols)
    values = [
        _evaluate(expression, {name: _place(name, point, context) for name in names}, context)
        for point in range(_N_POINTS if names else 1)
    ]
    shown = [_shown(value, context) for value in values]
    if len(set(shown)) > 1:
        return f"values {'; '.join(shown)}"
    # A constant, even if the expression has variables.
    number = _rational(values[0], context)
    return f"value {shown[0]}" if number is None else spelled_number(number)


@cache
def _context() -> Any:
    """A context of our own, whose precision no other code changes."""
    from mpmath.ctx_mp import MPContext

    context = MPContext()
    context.dps = _PRECISION
    return context


def _place(name: str, point: int, context: Any) -> Any:
    """A variable's value at a point, pseudo-random between -2 and 2, the same on every machine."""
    drawn = hashlib.sha256(f"{point} {name}".encode()).digest()
    return context.mpf(int.from_bytes(drawn[:8], "big")) / 2**62 - 2


def _evaluate(node: Any, at: Mapping[str, Any], context: Any) -> Any:
    """The value of a sympy expression, within the limits on size."""
    kind = type(node).__name__
    if node.is_Symbol:
        return at[node.name]
    if node.is_Rational:
        return context.mpf(int(node.p)) / int(node.q)
    if node.is_Float:
        return context.mpf(str(node))
    if kind in _CONSTANTS:
        return _CONSTANTS[kind](context)
    if kind not in _OPERATIONS:
        raise _NoValueError
    value = _OPERATIONS[kind](context, *(_evaluate(part, at, context) for part in node.args))
    if not context.isfinite(value):
        raise _NoValueError
    return value


def _power(context: Any, base: Any, exponent: Any) -> Any:
    if base == 0:
        if context.re(exponent) <= 0:
            raise _NoValueError
        return context.mpf(0)
    if abs(exponent * context.log(base)) > _LARGEST_LOGARITHM:
        raise _NoValueError
    return context.power(base, exponent)


def _exp(context: Any, value: Any) -> Any:
    if abs(value) > _LARGEST_LOGARITHM:
        raise _NoValueError
    return context.exp(value)


def _log(context: Any, value: Any, base: Any = None) -> Any:
    return context.log(value) if base is None else context.log(value) / context.log(base)


def _factorial(context: Any, value: Any) -> Any:
    if not 0 <= value <= 100 or value != int(value):
        raise _NoValueError
    return context.factorial(value)


def _periodic(name: str) -> Callable[..., Any]:
    def operation(context: Any, value: Any) -> Any:
        if abs(value) > 10**9:
            raise _NoValueError
        return getattr(context, name)(value)

    return operation


_OPERATIONS: dict[str, Callable[..., Any]] = {
    "Add": lambda context, *parts: context.fsum(parts),
    "Mul": lambda context, *parts: context.fprod(parts),
    "Pow": _power,
    "exp": _exp,
    "log": _log,
    "Abs": lambda context, value: abs(value),
    "factorial": _factorial,
    **{name: _periodic(name) for name in ("sin", "cos", "tan")},
}
_CONSTANTS: dict[str, Callable[[Any], Any]] = {
    "Pi": lambda context: +context.pi,
    "Exp1": lambda context: +context.e,
    "ImaginaryUnit": lambda context: context.mpc(0, 1),
}


def _rational(value: Any, context: Any) -> Fraction | None:
    """The fraction with a small denominator that equals a value, or None."""
    if context.im(value):
        return None
    for denominator in range(1, _LARGEST_DENOMINATOR + 1):
        multiple = context.re(value) * denominator
        nearest = context.nint(multiple)
        if abs(multiple - nearest) <= max(1, abs(multiple)) * context.mpf(10) ** -40:
            return Fraction(int(nearest), denominator)
    return None


def _shown(value: Any, context: Any) -> str:
    """A value to 25 digits; rounding errors around 0 become 0."""
    if context.im(value):
        return f"{_shown(context.re(value), context)} and {_shown(context.im(value), context)} i"
    value = context.re(value)
    if abs(value) < context.mpf(10) ** -40:
        return "0"
    return str(context.nstr(value, _DIGITS, min_fixed=0, max_fixed=0))
