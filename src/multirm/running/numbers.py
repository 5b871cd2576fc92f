"""Types of numeric settings, with the same ranges in a study and on the command line.

pydantic checks both: a study's sections are pydantic models, and cyclopts validates each parameter of an
entry function with it.
"""

from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter, Token
from pydantic import BeforeValidator, Field


def _as_written(type_: type[int], tokens: Sequence[Token]) -> int:
    """Refuse 2.5, which cyclopts would round to 2."""
    return int(tokens[0].value)


def _no_switch(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("yes and no are not numbers")
    return value


_WHOLE, _NO_SWITCH = Parameter(converter=_as_written), BeforeValidator(_no_switch)
# To avoid overflow: tables have 64-bit integers, seeds of torch and numpy 32 bits.
_MOST, _LARGEST_SEED = 10**12, 2**32 - 1

Count = Annotated[int, Field(ge=1, le=_MOST), _NO_SWITCH, _WHOLE]
CountOrZero = Annotated[int, Field(ge=0, le=_MOST), _NO_SWITCH, _WHOLE]
Seed = Annotated[int, Field(ge=0, le=_LARGEST_SEED), _NO_SWITCH, _WHOLE]
Width = Annotated[int, Field(ge=32, le=_MOST, multiple_of=32), _NO_SWITCH, _WHOLE]
"""A hidden size: attention heads have 32 dimensions."""
Vocabulary = Annotated[int, Field(ge=300, le=_MOST), _NO_SWITCH, _WHOLE]
"""A vocabulary size: a token for each byte, special token and verdict."""
Runs = Annotated[int, Field(ge=2, le=_MOST), _NO_SWITCH, _WHOLE]
"""A number of repetitions, from which a spread is estimated."""

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False), _NO_SWITCH]
PositiveOrZero = Annotated[float, Field(ge=0, allow_inf_nan=False), _NO_SWITCH]
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), _NO_SWITCH]
FractionBelowOne = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False), _NO_SWITCH]
FractionAboveZero = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False), _NO_SWITCH]
