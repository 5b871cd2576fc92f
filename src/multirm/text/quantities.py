"""Parse numbers with units as people and language models write them: text → exact value and unit."""

import re
from dataclasses import dataclass
from fractions import Fraction

PERCENT = "%"

# Beyond these limits, a text is not treated as a number.
_LONGEST = 1000
_LARGEST_EXPONENT = 400

_DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d{1,3}(?: \d{3})+(?!\d)|\d+)"
_PLAIN = rf"(?:{_DIGITS}(?:\.\d*)?|\.\d+)"
_FRACTION = re.compile(
    r"(?:(?P<whole>\d+)\s*(?=[\\ ]))?\s*"
    r"(?:\\frac\s*(?:\{\s*(?P<a>-?\d+)\s*\}|(?P<b>\d))\s*(?:\{\s*(?P<c>\d+)\s*\}|(?P<d>\d))"
    r"|(?P<e>\d+)\s*/\s*(?P<f>\d+)(?![\d.]))"
)
_DECIMAL = re.compile(
    rf"(?P<number>{_PLAIN})"
    r"(?:e(?P<e>[-+]?\d+)|\s*(?:\\times|\\cdot|x|\*|×|·)\s*10\s*(?:\^|\*\*)\s*"
    r"(?:\{\s*(?P<power>[-+]?\d+)\s*\}|(?P<digits>[-+]?\d+)))?"
)
_SCALES = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_SCALE = re.compile(rf"\s*({'|'.join(_SCALES)})\b")

_CURRENCIES = {"us$": "dollar", "$": "dollar", "usd": "dollar", "€": "euro", "eur": "euro"}
_CURRENCIES |= {"£": "pound", "gbp": "pound", "¥": "yen", "₹": "rupee"}
_CURRENCY = "|".join(map(re.escape, _CURRENCIES))
_BEFORE = re.compile(rf"\s*([-+]?)\s*(?:\\?({_CURRENCY}))?\s*([-+]?)\s*(.*)", re.DOTALL)

_NAMES = {
    **dict.fromkeys(("%", "percent", "per cent", "pct"), PERCENT),
    **dict.fromkeys(("°", "degrees", "deg"), "degree"),
    **_CURRENCIES,
}
# Units that may be written without a space, or have one letter; others need a space and three letters.
_SHORT = frozenset(
    "m s g h l j n w v cm mm km nm kg mg lb oz hr min ms ml ft in yd mi mph kph hz khz mhz kw kj kv pa kpa mol"
    " lbs hrs mins sec secs kwh ev °c °f am pm".split()
)
_WORD = r"[^\W\d_]+(?:\^\{?-?\d\}?|[²³])?\.?"
_WORDS = re.compile(rf"(?:°[cf]|{_WORD})(?:(?: |/|\*|·|-| per ){_WORD}){{0,4}}")
# Words that are not units: with them, the text means another number.
_NO_UNITS = frozenset(
    "or and to not plus minus times divided over than by is if but mod modulo base choose pi sqrt squared cubed"
    " dozen hundred hundreds half halves third thirds quarter quarters fourth fourths fifth fifths sixth sixths"
    " seventh sevenths eighth eighths ninth ninths tenth tenths hundredth hundredths factorial infinity".split()
)


@dataclass(frozen=True)
class Quantity:
    """A number and its unit, in the singular and lower case; "" if there is none."""

    value: Fraction
    unit: str = ""


def parse_quantity(text: str, unit: str = "") -> Quantity | None:
    """Parse a text that is a number, with or without a unit; None if it is something else.

    Args:
        text: in lower case and ASCII digits, without surrounding markup.
        unit: a unit that is always recognized, even right after the number.
    """
    if len(text) > _LONGEST:
        return None
    sign, currency, second, rest = _BEFORE.fullmatch(text).groups()  # type: ignore[union-attr]
    found = _fraction(rest) or _decimal(rest)
    if found is None or (sign and second):
        return None
    value, rest = found
    after = _unit(rest, unit)
    named = _CURRENCIES.get(currency, "")
    if after is None or (named and after not in ("", named)):
        return None
    return Quantity(-value if "-" in (sign, second) else value, after or named)


def spelled_number(value: Fraction) -> str:
    """The canonical spelling of a number: a decimal if it terminates, else a fraction in lowest terms."""
    denominator, exponents = value.denominator, [0, 0]
    for place, prime in enumerate((2, 5)):
        while denominator % prime == 0:
            denominator //= prime
            exponents[place] += 1
    if denominator > 1:
        return f"{value.numerator}/{value.denominator}"
    digits = max(exponents)
    whole, fraction = divmod(abs(value.numerator) * 10**digits // value.denominator, 10**digits)
    sign = "-" if value < 0 else ""
    return f"{sign}{whole}" + (f".{fraction:0{digits}d}" if digits else "")


def _fraction(text: str) -> tuple[Fraction, str] | None:
    found = _FRACTION.match(text)
    if not found:
        return None
    numerator = found["a"] or found["b"] or found["e"]
    denominator = int(found["c"] or found["d"] or found["f"])
    if not denominator or (found["whole"] and numerator.startswith("-")):
        return None
    whole = int(found["whole"] or 0)
    return whole + Fraction(int(numerator), denominator), text[found.end() :]


def _decimal(text: str) -> tuple[Fraction, str] | None:
    found = _DECIMAL.match(text)
    if not found:
        return None
    value = Fraction(re.sub("[ ,]", "", found["number"]).rstrip(".") or "0")
    exponent = found["e"] or found["power"] or found["digits"] or "0"
    if len(exponent) > 4 or abs(int(exponent)) > _LARGEST_EXPONENT:
        return None
    value, rest = value * Fraction(10) ** int(exponent), text[found.end() :]
    scale = _SCALE.match(rest)
    return (value * 10 ** _SCALES[scale[1]], rest[scale.end() :]) if scale else (value, rest)


def _unit(text: str, known: str) -> str | None:
    """The unit that follows a number; "" if nothing does, None if it is not a unit."""
    apart = not text or not text[0].isalpha()
    bare = re.sub(r"\\(?:text|mathrm)\s*\{([^{}]*)\}", r"\1", text)
    apart = apart or bare != text
    bare = re.sub(r"\^\s*\{?\s*\\circ\s*\}?|\\degree|\\circ", "°", bare)
    bare = re.sub(r"\\([%$])", r"\1", re.sub(r"\\[,;!: ]|~", " ", bare)).strip(" .")
    bare = " ".join(bare.split())
    if bare in ("", *_NAMES):
        return _NAMES.get(bare, "")
    singular = _singular(bare)
    if singular == known:
        return known
    if not _WORDS.fullmatch(bare):
        return None
    words = re.findall(r"°?[^\W\d_]+", bare)
    first = words[0]
    short = first in _SHORT and (apart or len(first) > 1)
    if (not short and not (apart and len(first) >= 3)) or not _NO_UNITS.isdisjoint(words):
        return None
    return _NAMES.get(singular, singular)


def _singular(unit: str) -> str:
    return re.sub(r"(?<=[^\W\d_]{2}[^\Ws])s\b", "", unit)
