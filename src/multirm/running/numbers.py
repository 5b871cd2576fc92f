"""The kinds of number that settings are: what a study refuses, the command line refuses, too.

pydantic holds both to these types: a study's sections are its models, and cyclopts hands it each
parameter of an entry function.
"""

from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter, Token
from pydantic import BeforeValidator, Field


def _as_written(type_: type[int], tokens: Sequence[Token]) -> int:
    """cyclopts rounds 2.5 to 2; it is refused here."""
    return int(tokens[0].value)


def _no_switch(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("yes and no are not numbers")
    return value


_WHOLE, _NO_SWITCH = Parameter(converter=_as_written), BeforeValidator(_no_switch)
# Beyond these, what holds numbers overflows: tables have 64 bits, seeds of torch and numpy 32.
_MOST, _LARGEST_SEED = 10**12, 2**32 - 1

Count = Annotated[int, Field(ge=1, le=_MOST), _NO_SWITCH, _WHOLE]
CountOrZero = Annotated[int, Field(ge=0, le=_MOST), _NO_SWITCH, _WHOLE]
Seed = Annotated[int, Field(ge=0, le=_LARGEST_SEED), _NO_SWITCH, _WHOLE]
Width = Annotated[int, Field(ge=32, le=_MOST, multiple_of=32), _NO_SWITCH, _WHOLE]
"""Of hidden states: attention heads have 32 columns."""
Vocabulary = Annotated[int, Field(ge=300, le=_MOST), _NO_SWITCH, _WHOLE]
"""Of a tokenizer that is trained: any byte, special tokens and verdicts have one each."""
Runs = Annotated[int, Field(ge=2, le=_MOST), _NO_SWITCH, _WHOLE]
"""Repetitions that a spread is estimated from."""

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False), _NO_SWITCH]
PositiveOrZero = Annotated[float, Field(ge=0, allow_inf_nan=False), _NO_SWITCH]
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), _NO_SWITCH]
FractionBelowOne = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False), _NO_SWITCH]
FractionAboveZero = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False), _NO_SWITCH]
