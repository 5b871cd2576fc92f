"""Give each solution a row where a row has the lists of all solutions to a question, and each value a column."""

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from multirm.formats.own.columns import Field
from multirm.formats.own.reading import Reading
from multirm.formats.own.values import is_list, lists_from, plain_array, read_lists, sizes_of


def flattened(table: pa.Table) -> pa.Table:
    """The table with a column for each value within objects: `problem.gold`, and `generations.text` within a list."""
    parts = [
        part
        for name, column in zip(table.column_names, table.columns, strict=True)
        for part in _values_in(name, column)
    ]
    return pa.Table.from_arrays([values for _, values in parts], [name for name, _ in parts])


def _values_in(
    name: str, column: pa.ChunkedArray | pa.Array
) -> Iterator[tuple[str, pa.ChunkedArray | pa.Array]]:
    if not _has_objects(column.type):
        yield name, column
    elif pa.types.is_struct(column.type):
        for place, inner in enumerate(column.type):
            values = pc.struct_field(column, [place])
            yield from _values_in(f"{name}.{inner.name}", values)
    else:
        array = plain_array(column)
        for inner_name, values in _values_in(name, pc.list_flatten(array)):
            yield inner_name, lists_from(plain_array(values), sizes_of(array))


def _has_objects(kind: pa.DataType) -> bool:
    if is_list(kind):
        return _has_objects(kind.value_type)
    return bool(pa.types.is_struct(kind)) and kind.num_fields > 0


def one_row_per_solution(reading: Reading) -> None:
    """Read lists that texts spell, and divide rows of a question into rows of a solution.

    A row is a question if its parsed answers, or its grades, are lists. Each column of solutions then has a list of
    values, one per solution; a solution's steps or rewards may be lists within it.
    """
    steps = reading.taken.columns.get(Field.STEPS)
    rewards = list(reading.mapping.rewards.values())
    decisive = [reading.taken.columns.get(Field.PARSED_ANSWER), reading.mapping.correct]
    deciding = [name for name in decisive if name is not None and name in reading.arrays]
    others = [steps, reading.taken.columns.get(Field.SOLUTION_ID), *rewards]
    lists = {
        name: read_lists(reading.arrays[name])
        for name in dict.fromkeys([*deciding, *others])
        if name is not None and name in reading.arrays
    }
    if not _is_of_questions(reading, deciding, lists, steps):
        reading.arrays |= {
            name: array
            for name, array in lists.items()
            if array is not None and (name in rewards or (name == steps and _has_texts(array)))
        }
        return
    first = next(name for name in deciding if lists[name] is not None)
    sizes = sizes_of(lists[first])
    flat = {
        name: pc.list_flatten(array)
        for name, array in lists.items()
        if _has_sizes(reading, name, array, sizes, first)
    }
    for name in [steps, *rewards]:
        inner = read_lists(flat[name]) if name in flat else None
        if name is not None and inner is not None:
            flat[name] = inner
    owners = np.repeat(np.arange(len(sizes)), sizes)
    shared = {name: array for name, array in reading.arrays.items() if name not in lists}
    reading.arrays = {name: array.take(pa.array(owners)) for name, array in shared.items()} | flat
    reading.rows = owners
    reading.of_questions = True
    reading.notes.append(f"a row is a question with lists of solutions: {len(sizes)} rows")
    n_empty = int((sizes == 0).sum())
    if n_empty:
        reading.notes.append(f"{n_empty} questions have no solutions, and are left out")


def _is_of_questions(
    reading: Reading,
    deciding: list[str],
    lists: Mapping[str, pa.Array | None],
    steps: str | None,
) -> bool:
    if any(is_list(reading.arrays[name].type) for name in deciding):
        return True
    # A parsed answer may look like a list, such as `[0, 1]`; then the solutions are still texts.
    has_texts = steps is not None and steps in lists and lists[steps] is None
    return bool(deciding) and not has_texts and all(lists[name] is not None for name in deciding)


def _has_texts(array: pa.Array) -> bool:
    return bool(pa.types.is_string(array.type.value_type))


def _has_sizes(
    reading: Reading, name: str, array: pa.Array | None, sizes: np.ndarray, first: str
) -> bool:
    """Whether a column has as many values in each row as the first one; if not, it becomes a problem."""
    if array is None:
        reading.wrong(
            f"{reading.where}, column {name}",
            f"a list for each question, as in {first}",
            f"{reading.arrays[name].type}",
        )
        return False
    own = sizes_of(array)
    other = np.flatnonzero(own != sizes)
    if not other.size:
        return True
    at = int(other[0])
    more = f", and likewise in {len(other) - 1} more rows" * (len(other) > 1)
    reading.wrong(
        f"{reading.place(at)}, column {name}",
        f"as many values as in {first}, which has {sizes[at]}",
        f"{own[at]}{more}",
        "give each solution to a question one value, or null",
    )
    return False
