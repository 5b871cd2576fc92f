"""The range of each type of number."""

import math
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from multirm.running import numbers

NEVER = [math.nan, math.inf, -math.inf, -1, -0.5, True, False, None, "many", 10**400]


@pytest.mark.parametrize(
    ("kind", "admitted", "refused"),
    [
        (numbers.Count, [1, 10**12], [0, 1.5, 10**12 + 1]),
        (numbers.CountOrZero, [0, 1], [0.5]),
        (numbers.Seed, [0, 2**32 - 1], [2**32]),
        (numbers.Width, [32, 4096], [0, 7, 48]),
        (numbers.Vocabulary, [300, 2048], [0, 299]),
        (numbers.Runs, [2, 100], [0, 1]),
        (numbers.Positive, [5e-324, 1e-4, 7], [0]),
        (numbers.PositiveOrZero, [0, 7.5], []),
        (numbers.Fraction, [0, 0.5, 1], [1.001]),
        (numbers.FractionBelowOne, [0, 0.999], [1]),
        (numbers.FractionAboveZero, [0.001, 1], [0]),
    ],
)
def test_a_type_of_number_accepts_its_range(
    kind: Any, admitted: list[float], refused: list[float]
) -> None:
    adapter = TypeAdapter(kind)
    assert [adapter.validate_python(value) for value in admitted] == admitted
    for value in [*refused, *NEVER]:
        with pytest.raises(ValidationError):
            adapter.validate_python(value)
