"""Evaluation options about reward models."""

import re

import pytest

from multirm.errors import InputError
from multirm.evaluation.arguments import parse_aggregations


@pytest.mark.parametrize("name", ["MV", "majority vote", "Pass@N", "Overall", "longer", "a=b"])
def test_reserved_names_are_refused(name: str) -> None:
    with pytest.raises(
        InputError, match="expected a model's name without =, and none of MV, majority"
    ):
        parse_aggregations([f"{name}=min"])


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (["dPRM"], "MODEL=AGGREGATION"),
        (["=min"], "MODEL=AGGREGATION"),
        (["dPRM=median"], "found 'median'"),
        (["dPRM=min,"], "found ''"),
        (["dPRM=min", "dPRM=min"], "expected each once, found min again"),
    ],
)
def test_bad_aggregations(pairs: list[str], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        parse_aggregations(pairs)
