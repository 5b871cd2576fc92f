"""Read solutions and rewards from any layout: our tables, Multi-RM's layout, the hub.

Multi-RM's layout is a folder with `{category}.json` for solutions and `{category}_reward.json` for rewards,
possibly in the same folder, or a hub dataset with a split per category.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import pyarrow as pa

from multirm.errors import InputError
from multirm.formats import multi_rm
from multirm.formats.json_source import read_values
from multirm.formats.multi_rm_columns import rewards_table, solutions_table
from multirm.formats.sources import is_hub_name
from multirm.tables import parquet
from multirm.tables.rewards import REWARDS
from multirm.tables.schema import Schema
from multirm.tables.solutions import SOLUTIONS


class Layout(StrEnum):
    """How solutions and rewards are stored: our own tables, or Multi-RM's JSON."""

    TABLES = "tables"
    PUBLISHED = "published"


class Content(StrEnum):
    """The tables that both layouts can hold."""

    SOLUTIONS = "solutions"
    REWARDS = "rewards"


REWARD_SUFFIX = "_reward"

_EXPECTED = "a folder of tables, a folder in Multi-RM's layout, or a hub name"


@dataclass(frozen=True)
class Category:
    """The rows of one category in Multi-RM's layout.

    Attributes:
        name: name of the category.
        where: the file or split that the rows are in, for errors.
        values: the rows, as JSON.
        file: the file that they are in; None for a split.
    """

    name: str
    where: str
    values: list[Any]
    file: Path | None


def read_solutions(place: str, dataset: str | None = None) -> pa.Table:
    """Read all solutions at a place.

    Args:
        place: a table, a folder of tables, a folder in Multi-RM's layout or one of its files, or a hub name.
        dataset: the dataset of JSON rows that do not name it; by default, the name of the folder or the
            hub dataset.

    Returns:
        the columns of `SOLUTIONS`; categories sorted by name, or in the hub dataset's order; solutions in the
        order of their file.

    Raises:
        InputError: nothing is there, there are no solutions, or they are invalid.
    """
    if files := table_files(place, SOLUTIONS):
        return _read_tables(files, SOLUTIONS)
    return pa.concat_tables([part for _, part in solution_parts(place, dataset)])


def read_rewards(place: str, model: str | None = None, dataset: str | None = None) -> pa.Table:
    """Read all rewards at a place.

    Args:
        place: as in `read_solutions`.
        model: the model that the returned rows name; by default, the one in the rows.
        dataset: as in `read_solutions`.

    Returns:
        the columns of `REWARDS`, in the order of `read_solutions`; the rewards are float64 if float32 would
        lose digits.

    Raises:
        InputError: nothing is there, there are no rewards, or they are invalid.
    """
    if files := table_files(place, REWARDS):
        table = _read_tables(files, REWARDS)
        if model is None:
            return table
        named = pa.repeat(pa.scalar(model, pa.string()), table.num_rows)
        index = table.column_names.index("model")
        return table.set_column(index, table.schema.field(index), named)
    parts = [part for _, part in reward_parts(place, model, dataset)]
    return pa.concat_tables(parts, promote_options="permissive")


def solution_parts(
    place: str, dataset: str | None = None, judged: bool = True
) -> Iterator[tuple[str, pa.Table]]:
    """The categories of `read_solutions` in Multi-RM's layout, each with the file or split that it is in.

    Args:
        judged: as in `multi_rm.solutions`.
    """
    for found in categories(place, SOLUTIONS):
        name = dataset or dataset_name(place)
        yield (
            found.where,
            solutions_table(found.values, found.where, found.name, name, judged),
        )


def reward_parts(
    place: str, model: str | None = None, dataset: str | None = None
) -> Iterator[tuple[str, pa.Table]]:
    """The categories of `read_rewards` in Multi-RM's layout, each with the file or split that it is in."""
    for found in categories(place, REWARDS):
        name = dataset or dataset_name(place)
        yield found.where, rewards_table(found.values, found.where, found.name, name, model)


def table_files(place: str, *schemas: Schema) -> list[Path]:
    """The tables of some schemas in a folder, sorted by name; or `place` itself, if it is a table.

    Tables whose footers name another schema are left out; tables without a footer of ours are included.

    Raises:
        InputError: `place` has the name of a table, and does not exist.
    """
    path = Path(place)
    if path.suffix == ".parquet" and not path.is_dir():
        if not path.is_file():
            raise InputError(path, expected="a Parquet table", found="no such file")
        return [path]
    wanted = {None, *(schema.name for schema in schemas)}
    return [
        file
        for file in _visible(path, "*.parquet")
        if ".critiques" not in file.suffixes and kind_of(file) in wanted
    ]


def kind_of(file: Path) -> str | None:
    """The name of the schema in a table's footer; None if it has no footer of ours."""
    try:
        return parquet.read_footer(file).schema
    except InputError:
        return None


def files_read(place: str, schema: Schema) -> list[Path]:
    """The local files that solutions or rewards at `place` are read from; none for a hub name."""
    if files := table_files(place, schema):
        return files
    if files := json_files(place):
        return _of_kind(Path(place), files, schema)
    return [Path(place)] if Path(place).exists() else []


def dataset_name(place: str) -> str:
    """The name of a folder, of a file's folder, or of a hub dataset."""
    path = Path(place)
    if path.exists():
        path = path.absolute()
        return path.parent.name if path.is_file() else path.name
    return place.rpartition("/")[2]


def categories(place: str, schema: Schema) -> Iterator[Category]:
    """The categories of a place in Multi-RM's layout, one after the other.

    Args:
        schema: `SOLUTIONS` or `REWARDS`.

    Raises:
        InputError: nothing is there, none are of this kind, it is not JSON, or there are no rows.
    """
    path = Path(place)
    if files := json_files(place):
        for file in _of_kind(path, files, schema):
            name = file.stem.removesuffix(REWARD_SUFFIX if schema is REWARDS else "")
            yield Category(name, str(file), read_values(file), file)
    elif not path.exists() and not is_hub_name(place):
        raise multi_rm.missing(place, _EXPECTED)
    elif path.exists() and not _is_hub_copy(path):
        raise InputError(path, expected=_expected(schema), found=contents(path))
    else:
        for name, rows in multi_rm.splits(place, _EXPECTED).items():
            where = f"{place}, split {name}"
            if not rows:
                raise InputError(where, expected="at least one row", found="none")
            yield Category(name, where, rows, None)


def json_files(place: str) -> list[Path]:
    """The JSON files in a folder, sorted by name; or `place` itself, if it is one.

    Raises:
        InputError: `place` has the name of a JSON file, and does not exist.
    """
    path = Path(place)
    if path.suffix == ".json" and not path.is_dir():
        if not path.is_file():
            raise InputError(path, expected="a JSON file", found="no such file")
        return [path]
    return _visible(path, "*.json")


def _is_hub_copy(folder: Path) -> bool:
    """Whether a folder is a copy of a hub dataset, whose files are named after their splits."""
    return any(folder.glob("data/*-of-*"))


def _expected(schema: Schema) -> str:
    return f"{schema.name}, as tables or as {_form(schema)}"


def _form(schema: Schema) -> str:
    return "{category}_reward.json" if schema is REWARDS else "{category}.json"


def contents(path: Path) -> str:
    """Describe a path that has neither layout, for errors."""
    if not path.is_dir():
        return f"a file named {path.name}"
    kinds = sorted({kind for file in _visible(path, "*.parquet") if (kind := kind_of(file))})
    if kinds:
        return f"only tables of {', '.join(kinds)}"
    names = [file.name for file in _visible(path, "*")]
    return f"only {', '.join(names[:3])}{', …' * (len(names) > 3)}" if names else "an empty folder"


def _of_kind(path: Path, every: list[Path], schema: Schema) -> list[Path]:
    """The files of solutions, or those of rewards, among files told apart by their names."""
    wanted = [file for file in every if file.stem.endswith(REWARD_SUFFIX) is (schema is REWARDS)]
    if not wanted:
        raise InputError(
            path,
            expected=f"{schema.name}, as {_form(schema)}",
            found=f"only {', '.join(file.name for file in every[:3])}{', …' * (len(every) > 3)}",
        )
    return wanted


def _visible(folder: Path, pattern: str) -> list[Path]:
    return sorted(file for file in folder.glob(pattern) if not file.name.startswith("."))


def _read_tables(files: list[Path], schema: Schema) -> pa.Table:
    found = [parquet.read(file, schema) for file in files]
    return pa.concat_tables(found, promote_options="permissive")
