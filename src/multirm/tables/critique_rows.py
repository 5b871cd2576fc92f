"""Rows of critiques: the kind and stage they are of, and the solutions they are about."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from multirm.errors import InputError
from multirm.tables import parquet
from multirm.tables.critiques import CritiqueStage
from multirm.tables.reward_models import Kind
from multirm.tables.solutions import SOLUTIONS

Key = tuple[str | int, ...]


def require_generative(kind: Kind) -> None:
    """Refuse the kinds that write no critiques.

    Raises:
        InputError: `kind` is discriminative.
    """
    if not kind.is_generative:
        raise InputError("kind", expected=f"{Kind.GORM} or {Kind.GPRM}", found=kind)


def require_critiques(path: Path, kind: Kind, *stages: CritiqueStage) -> None:
    """Refuse a table of critiques that are not of `kind` and have not come to one of `stages`.

    Its rows would not show it: they look alike whatever they are for.

    Raises:
        InputError: other critiques, or a table whose footer does not say which.
    """
    made_by = parquet.read_footer(path).parameters
    found_kind, found_stage = made_by.get("kind"), made_by.get("stage")
    if found_kind != kind or found_stage not in stages:
        raise InputError(
            path,
            expected=f"{kind} critiques, {' or '.join(stages)}",
            found=f"{found_kind or 'some of no known kind'}, {found_stage or 'of no known stage'}",
            remedy="critiques are generated, filtered and shortened for one kind, in this order",
        )


def solution_key(row: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that name a solution, of a row of any table that has them."""
    return {column: row[column] for column in SOLUTIONS.key}


def with_solutions(
    critiques: Iterable[Mapping[str, Any]],
    solutions: Iterable[Mapping[str, Any]],
    where: Path | str,
) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Each row of a critiques table with the row of the solution that it is about.

    Args:
        where: the table of critiques, for the message.

    Raises:
        InputError: a critique is about none of `solutions`.
    """
    by_key: dict[Key, Mapping[str, Any]] = {
        tuple(solution_key(row).values()): row for row in solutions
    }
    pairs = []
    for number, critique in enumerate(critiques, start=1):
        key = solution_key(critique)
        solution = by_key.get(tuple(key.values()))
        if solution is None:
            raise InputError(
                f"{where}, row {number}",
                expected="a critique of one of the given solutions",
                found=", ".join(f"{name} {value!r}" for name, value in key.items()),
                remedy="give the solutions that the critiques were made from",
            )
        pairs.append((critique, solution))
    return pairs
