"""Formulas are equal if their values are, compared with sympy."""

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from multirm.text.expressions import spelled_formula

SIMPLE = st.sampled_from(["x", "y", "2", "3", "\\sqrt{2}", "\\pi"])
FORMULAS = st.recursive(
    SIMPLE,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]}+{pair[1]})"),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]}-{pair[1]})"),
        st.tuples(inner, inner).map(lambda pair: f"{pair[0]} \\cdot {pair[1]}"),
        inner.map(lambda one: f"({one})^2"),
    ),
    max_leaves=4,
)


def as_sympy(text: str) -> sympy.Expr:
    """The same formula in Python's syntax, with brackets around everything."""
    for latex, python in (("\\sqrt{2}", "sqrt(2)"), ("\\pi", "pi"), ("\\cdot", "*"), ("^", "**")):
        text = text.replace(latex, python)
    return sympy.sympify(text)


@settings(deadline=None, max_examples=60)
@given(FORMULAS, FORMULAS)
def test_formulas_are_equal_if_their_difference_is_zero(one: str, other: str) -> None:
    alike = sympy.expand(as_sympy(one) - as_sympy(other)) == 0
    # A letter by itself is not a formula.
    spelled = spelled_formula(f"1+{one}")
    assert spelled is not None
    assert (spelled == spelled_formula(f"1+{other}")) == alike
    expanded = str(sympy.latex(sympy.expand(1 + as_sympy(one)))).lower()
    # Longer ones are refused.
    if len(expanded) <= 100 and expanded.count("^") <= 6:
        assert spelled == spelled_formula(expanded)


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("2^{10}", "1024"),
        ("\\sqrt{16}", "4"),
        ("\\frac{2^3}{3}", "8/3"),
        ("\\log_{2} 8", "3"),
        ("5!", "120"),
        ("\\sin \\pi", "0"),
        ("-\\infty", "-infinity"),
        ("(1,2)", "() of 1 & 2"),
        ("[1,\\infty)", "[) of 1 & infinity"),
        ("2,1,1", "list of 1 & 2"),
        ("x=\\frac12", "0.5"),
        ("1+x-x", "1"),
        ("\\frac{2x}{x}", "2"),
        ("x \\geq 2", "most of 2 & values"),
    ],
)
def test_spellings_of_formulas(text: str, spelled: str) -> None:
    found = spelled_formula(text)
    assert found is not None
    assert found.startswith(spelled)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "paris",
        "1 or 2",
        "2020-01-01",
        "3-4",
        "1.2.3",
        "\\int x",
        "(1",
        "1)",
        "x=",
        "1/0",
        "0^{-1}",
    ]
    + ["e^{e^{e^{e^e}}}", "9^{9^{9^9}}", "200!", "x" * 101, "((((((1))))))", "x_1_2_3", "\\sum x"],
)
def test_texts_that_are_not_formulas(text: str) -> None:
    assert spelled_formula(text) is None
