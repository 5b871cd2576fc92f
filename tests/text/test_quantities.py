"""Numbers with units, exact."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multirm.text.quantities import Quantity, parse_quantity, spelled_number


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("1,234.50", Fraction("1234.5"), ""),
        ("-.5", Fraction(-1, 2), ""),
        ("3 1/4", Fraction(13, 4), ""),
        ("2\\frac{1}{3}", Fraction(7, 3), ""),
        ("1.5e-3", Fraction("0.0015"), ""),
        ("6.02 \\times 10^{3}", Fraction(6020), ""),
        ("2 million", Fraction(2_000_000), ""),
        ("50 percent", Fraction(50), "%"),
        ("$18", Fraction(18), "dollar"),
        ("-$18 dollars", Fraction(-18), "dollar"),
        ("18€", Fraction(18), "euro"),
        ("90^{\\circ}", Fraction(90), "degree"),
        ("20 °c", Fraction(20), "°c"),
        ("5 km/h", Fraction(5), "km/h"),
        ("5 miles per hour", Fraction(5), "mile per hour"),
        ("3\\text{ cm}^2", Fraction(3), "cm^2"),
        ("12 eggs", Fraction(12), "egg"),
    ],
)
def test_numbers_with_their_units(text: str, value: Fraction, unit: str) -> None:
    assert parse_quantity(text) == Quantity(value, unit)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "$",
        "five",
        "5x",
        "5m",
        "5 or 6",
        "5 to 6",
        "1,00",
        "1/0",
        "5 half",
        "12:30",
        "1.2.3",
    ]
    + [
        "5 dozen",
        "70 k",
        "70k",
        "$5 euros",
        "1e401",
        "1" * 1001,
        "--5",
        "5 + 6",
        "5!",
        "3.5/2",
        "1 2",
        "1/2/3",
    ],
)
def test_texts_that_are_not_numbers(text: str) -> None:
    assert parse_quantity(text) is None


def test_a_letter_right_after_a_number_is_the_expected_unit() -> None:
    assert parse_quantity("5m", unit="m") == Quantity(Fraction(5), "m")


@settings(deadline=None)
@given(st.fractions(max_denominator=10**6))
def test_a_canonical_number_is_parsed_back(value: Fraction) -> None:
    spelled = spelled_number(value)
    assert parse_quantity(spelled) == Quantity(value)
    assert Fraction(spelled) == value


@pytest.mark.parametrize(
    ("value", "spelled"),
    [("1000", "1000"), ("-0.50", "-0.5"), ("1/3", "1/3"), ("7/14", "0.5"), ("0", "0")],
)
def test_spellings_of_numbers(value: str, spelled: str) -> None:
    assert spelled_number(Fraction(value)) == spelled
