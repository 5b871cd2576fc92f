"""Join the shards of a table of rewards, or of the critiques behind them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from multirm.errors import InputError, one_of, shown
from multirm.running.arguments import OutputFile, entry
from multirm.running.code import code_digest
from multirm.running.files import digest
from multirm.tables import parquet
from multirm.tables.rewards import REWARDS, SCORED_CRITIQUES
from multirm.tables.solutions import SOLUTIONS

Row = Mapping[str, Any]

JOINED = {schema.name: schema for schema in (REWARDS, SCORED_CRITIQUES)}


@entry
def join_shards(solutions: Path, shards: list[Path], output: OutputFile) -> None:
    """Join the shards of a table, in the order of the solutions; none may be missing.

    Args:
        solutions: table of the scored solutions.
        shards: tables of rewards, or of their critiques, of one model.
        output: the joined table.
    """
    footer = _footer_of_all(solutions, shards)
    schema = JOINED[footer.schema]
    scored = parquet.read(solutions, SOLUTIONS).select(list(SOLUTIONS.key))
    # With more shards than pools, some are empty.
    part = replace(schema, at_least_one="")
    parts = [parquet.read(path, part) for path in shards]
    together = pa.concat_tables(parts, promote_options="permissive")
    by_solution: dict[tuple[Any, ...], list[Row]] = {}
    for row in together.to_pylist():
        by_solution.setdefault(tuple(row[name] for name in scored.column_names), []).append(row)
    rows = []
    for key in (tuple(row.values()) for row in scored.to_pylist()):
        if key not in by_solution:
            raise InputError(
                output,
                expected=f"{schema.name} of every solution in {solutions}",
                found=f"none of {shown('/'.join(map(str, key)), 120)} in {len(shards)} shards",
                remedy="score the shard that is missing, with the same number of shards",
            )
        rows += by_solution.pop(key)
    if by_solution:
        key = next(iter(by_solution))
        raise InputError(
            output,
            expected=f"{schema.name} of the solutions in {solutions} alone",
            found=f"some of {shown('/'.join(map(str, key)), 120)}",
            remedy="delete the shards, which are of other solutions, and score again",
        )
    parameters = {name: value for name, value in footer.parameters.items() if name != "shard"}
    # Shards are deleted after joining; their inputs stay, and are the same for all.
    origin = replace(
        footer,
        parameters={**parameters, "shards": len(shards)},
        code={**footer.code, __name__: code_digest(__name__)},
    )
    parquet.write(output, schema, rows, origin)


def _footer_of_all(solutions: Path, shards: Sequence[Path]) -> parquet.Footer:
    """The footer that all shards share, apart from their numbers, which must be complete.

    Raises:
        InputError: shards were made differently or of other solutions, or some are missing.
    """
    if not shards:
        raise InputError("--shards", expected="at least one table", found="none")
    footers = [parquet.read_footer(path) for path in shards]
    first, scored = footers[0], digest(solutions)
    if first.schema not in JOINED:
        raise InputError(
            shards[0],
            expected=f"a table of {one_of(list(JOINED))}",
            found=f"one of {shown(first.schema)}",
        )
    for path, footer in zip(shards, footers, strict=True):
        alike = replace(
            footer, parameters={**footer.parameters, "shard": first.parameters.get("shard")}
        )
        if alike != first or scored not in footer.inputs.values():
            raise InputError(
                path,
                expected=f"a shard of {solutions}, made as {shards[0]} was",
                found="one that was not",
                remedy="delete it, and score it again",
            )
    found = sorted(str(footer.parameters.get("shard")) for footer in footers)
    if found != sorted(f"{number}/{len(shards)}" for number in range(1, len(shards) + 1)):
        raise InputError(
            "--shards",
            expected=f"each of {len(shards)} shards once",
            found=", ".join(found),
            remedy="score the shard that is missing, with the same number of shards",
        )
    return first
