"""Solutions and rewards from wherever somebody has them: tables, the published layout, the hub.

The published layout is a folder with `{category}.json` for solutions and `{category}_reward.json` for rewards,
which may lie in the same folder, or a hub data set with a split per category.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from multirm import published, tables
from multirm.errors import InputError
from multirm.json_source import read_values
from multirm.published_columns import rewards_table, solutions_table
from multirm.schemas import REWARDS, SOLUTIONS, Schema

REWARD_SUFFIX = "_reward"


@dataclass(frozen=True)
class Category:
    """The rows of one category in the published layout.

    Attributes:
        name: of the category.
        where: what the rows stand in, for errors: a file, or a split.
        values: the rows, as JSON.
        file: the file that they stand in; none for a split.
    """

    name: str
    where: str
    values: list[Any]
    file: Path | None


def read_solutions(place: str, dataset: str | None = None) -> pa.Table:
    """All solutions at a place.

    Args:
        place: a table, a folder of tables, a folder in the published layout or one of its files, or a hub name.
        dataset: the name of the dataset in published rows that do not name theirs; unless given, that
            of the folder or the hub data set.

    Returns:
        the columns of `SOLUTIONS`, categories sorted by name, those of a hub data set in its order;
        solutions in the order of their file.

    Raises:
        InputError: nothing there, no solutions, or not as they must be.
    """
    if files := table_files(place):
        return _read_tables(files, SOLUTIONS)
    parts = [
        solutions_table(found.values, found.where, found.name, dataset or dataset_name(place))
        for found in categories(place, SOLUTIONS)
    ]
    return pa.concat_tables(parts)


def read_rewards(place: str, model: str | None = None, dataset: str | None = None) -> pa.Table:
    """All rewards at a place.

    Args:
        place: as in `read_solutions`.
        model: the name of the model in the rows returned; unless given, as the rows say.
        dataset: as in `read_solutions`.

    Returns:
        the columns of `REWARDS`, in the order of `read_solutions`; the rewards are float64 where
        float32 would lose digits.

    Raises:
        InputError: nothing there, no rewards, or not as they must be.
    """
    if files := table_files(place):
        table = _read_tables(files, REWARDS)
        if model is None:
            return table
        named = pa.repeat(pa.scalar(model, pa.string()), table.num_rows)
        index = table.column_names.index("model")
        return table.set_column(index, table.schema.field(index), named)
    parts = [
        rewards_table(found.values, found.where, found.name, dataset or dataset_name(place), model)
        for found in categories(place, REWARDS)
    ]
    return pa.concat_tables(parts, promote_options="permissive")


def table_files(place: str) -> list[Path]:
    """The tables that `place` is or holds, sorted by name, without those of critiques beside rewards.

    Raises:
        InputError: `place` is a table by its name, and is not there.
    """
    path = Path(place)
    if path.suffix == ".parquet":
        if not path.is_file():
            raise InputError(path, expected="a Parquet table", found="no such file")
        return [path]
    return [file for file in _visible(path, "*.parquet") if ".critiques" not in file.suffixes]


def dataset_name(place: str) -> str:
    """What a folder, the folder of a file, or a hub data set is called."""
    path = Path(place)
    if path.exists():
        path = path.absolute()
        return path.parent.name if path.is_file() else path.name
    return place.rpartition("/")[2]


def categories(place: str, schema: Schema) -> Iterator[Category]:
    """The categories of a place in the published layout, one after the other.

    Args:
        schema: `SOLUTIONS` or `REWARDS`.

    Raises:
        InputError: nothing there, none of this kind, not JSON, or no rows.
    """
    path = Path(place)
    if files := published_files(place):
        for file in _of_kind(path, files, schema):
            name = file.stem.removesuffix(REWARD_SUFFIX if schema is REWARDS else "")
            yield Category(name, str(file), read_values(file), file)
    elif not path.exists() and not published.HUB_NAME.fullmatch(place):
        raise InputError(
            place,
            expected="a folder of tables, a folder in the published layout, or a hub name",
            found="nothing of that name",
        )
    else:
        for name, rows in published.splits(place).items():
            where = f"{place}, split {name}"
            if not rows:
                raise InputError(where, expected="at least one row", found="none")
            yield Category(name, where, rows, None)


def published_files(place: str) -> list[Path]:
    """The JSON files that `place` is or holds, sorted by name.

    Raises:
        InputError: `place` is a JSON file by its name, and is not there.
    """
    path = Path(place)
    if path.suffix == ".json" and not path.is_dir():
        if not path.is_file():
            raise InputError(path, expected="a JSON file", found="no such file")
        return [path]
    return _visible(path, "*.json")


def _of_kind(path: Path, every: list[Path], schema: Schema) -> list[Path]:
    """The files of solutions or those of rewards, which lie in one folder and are told apart by their names."""
    wanted = [file for file in every if file.stem.endswith(REWARD_SUFFIX) is (schema is REWARDS)]
    if not wanted:
        form = "{category}_reward.json" if schema is REWARDS else "{category}.json"
        raise InputError(
            path,
            expected=f"{schema.name}, as {form}",
            found=f"only {', '.join(file.name for file in every[:3])}{', …' * (len(every) > 3)}",
        )
    return wanted


def _visible(folder: Path, pattern: str) -> list[Path]:
    return sorted(file for file in folder.glob(pattern) if not file.name.startswith("."))


def _read_tables(files: list[Path], schema: Schema) -> pa.Table:
    found = [tables.read(file, schema) for file in files]
    return pa.concat_tables(found, promote_options="permissive")
