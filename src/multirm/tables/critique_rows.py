"""Rows of critiques: their kind and stage, and their solutions."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from multirm.errors import InputError
from multirm.tables import parquet
from multirm.tables.critiques import CRITIQUES, CritiqueStage
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
    """Refuse a table of critiques unless they are of `kind` and at one of `stages`.

    The rows alone do not tell: they look alike.

    Raises:
        InputError: other critiques, or a table whose footer has no kind or stage.
    """
    made_by = parquet.read_footer(path).parameters
    found_kind, found_stage = made_by.get("kind"), made_by.get("stage")
    if found_kind != kind or found_stage not in stages:
        raise InputError(
            path,
            expected=f"{kind} critiques, {' or '.join(stages)}",
            found=f"{found_kind or 'an unknown kind'}, {found_stage or 'an unknown stage'}",
            remedy="critiques are generated, filtered and shortened for one kind, in this order",
        )


def read_counted(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """The rows of tables of critiques; `n_tokens` says how many tokens each one has.

    Versions 1 and 2 counted the tokens of prompt and critique together. Version 1 counted nothing else, so this sum
    cannot be split into the columns of later versions.

    Raises:
        InputError: as for `parquet.read_all`.
    """
    rows = parquet.read_all(paths, CRITIQUES).to_pylist()
    together = [count for path in paths for count in parquet.read_extra(path, "n_tokens")]
    return [{**row, "n_tokens": count} for row, count in zip(rows, together, strict=True)]


def n_tokens(critique: Mapping[str, Any]) -> int | None:
    """The tokens of prompt and critique together, as the critique was written; None if they were not counted."""
    n_read, n_generated = critique["n_tokens_read"], critique["n_tokens_generated"]
    if n_read is None or n_generated is None:
        together: int | None = critique.get("n_tokens")
        return together
    return int(n_read + n_generated)


def solution_key(row: Mapping[str, Any]) -> dict[str, Any]:
    """The key columns of a solution, from a row of any table that has them."""
    return {column: row[column] for column in SOLUTIONS.key}


def with_solutions(
    critiques: Iterable[Mapping[str, Any]],
    solutions: Iterable[Mapping[str, Any]],
    where: Path | str,
) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Pair each row of a table of critiques or conversations with the row of its solution.

    Args:
        where: the table, for the message.

    Raises:
        InputError: a row's solution is not among `solutions`.
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
                expected="a row about one of the given solutions",
                found=", ".join(f"{name} {value!r}" for name, value in key.items()),
                remedy="give the solutions that it was made from",
            )
        pairs.append((critique, solution))
    return pairs
