"""Entry point `convert`: between our tables and Multi-RM's layout, without loss.

What one format has no field for is kept for the way back: in extra keys of rows (`multi_rm_rows`), or in the footer.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import TypeAdapter, ValidationError

from multirm.errors import InputError, shown
from multirm.formats import layouts
from multirm.formats.layouts import REWARD_SUFFIX, Category, Content, Layout
from multirm.formats.multi_rm_columns import rewards_table, solutions_table
from multirm.formats.multi_rm_rows import JSON, Form, form_of, reward_rows, solution_rows
from multirm.running.arguments import OutputFolder, Place, entry
from multirm.running.files import LONGEST_NAME, whole_files
from multirm.running.provenance import origin_of
from multirm.tables import parquet
from multirm.tables.rewards import REWARDS
from multirm.tables.schema import Schema
from multirm.tables.solutions import SOLUTIONS

logger = logging.getLogger(__name__)

_FORM = TypeAdapter(Form)

_SCHEMAS = {Content.SOLUTIONS: SOLUTIONS, Content.REWARDS: REWARDS}


@entry
def convert(
    input: Place,
    output: OutputFolder,
    to: Layout,
    table: Content | None = None,
    dataset: str | None = None,
    model: str | None = None,
) -> None:
    """Convert solutions or rewards between our tables and Multi-RM's layout, one file per category.

    Args:
        input: A table, a folder of tables, a folder in Multi-RM's layout or one of its files, or a hub name.
        output: The folder to write to. Other files in it are kept.
        to: `tables` for `{category}.parquet`; `published` for `{category}.json` and `{category}_reward.json`.
        table: `solutions` or `rewards`; needed only if the input has both, and for rewards on the hub.
        dataset: The dataset of JSON rows that do not name it; by default, the input's own name.
        model: The model whose rewards they are, needed for JSON rows that do not name it.

    Raises:
        InputError: the input is missing, broken or inconsistent, or already in that format; nothing is written.
    """
    wanted = [_SCHEMAS[name] for name in ([table] if table else Content)]
    files = layouts.table_files(input, *wanted)
    if bool(files) is (to is Layout.TABLES):
        other = "Multi-RM's layout"
        if not layouts.json_files(input):
            other = layouts.contents(Path(input)) if Path(input).exists() else "none"
        raise InputError(
            input,
            expected="Multi-RM's layout" if to is Layout.TABLES else "tables",
            found="tables" if files else other,
        )
    schema = _SCHEMAS[table or Content(_content(input, files))]
    if to is Layout.TABLES:
        _to_tables(input, output, schema, dataset, model)
    else:
        _to_json(files, output, schema)


def _to_tables(
    place: str, output: Path, schema: Schema, dataset: str | None, model: str | None
) -> None:
    name = dataset or layouts.dataset_name(place)
    with whole_files(output) as part:
        for found in layouts.categories(place, schema):
            _refuse_as_file_name(found.where, found.name)
            _refuse_other_table(output / f"{found.name}.parquet", schema)
            read = (found.values, found.where, found.name, name)
            table = rewards_table(*read, model) if schema is REWARDS else solutions_table(*read)
            form = form_of(found.values)
            _refuse_repeats(found.where, schema, table)
            parameters = {
                "hub": [] if found.file else [place],
                "category": found.name,
                "published": asdict(form),
            }
            origin = origin_of(__name__, parameters, [found.file] if found.file else [])
            parquet.write(part / f"{found.name}.parquet", schema, table, origin)
            rows = table.to_pylist()
            back = reward_rows(rows, form) if schema is REWARDS else solution_rows(rows, form)
            _warn_of_changes(found, list(back))
            logger.info("%s: %d rows of %s", found.where, table.num_rows, schema.name)


def _to_json(files: Sequence[Path], output: Path, schema: Schema) -> None:
    by_category: dict[str, list[JSON]] = {}
    for path in files:
        found = parquet.read(path, schema)
        form = _form_in_footer(path)
        for name in pc.unique(found["category"]).to_pylist():
            rows = found.filter(pc.equal(found["category"], name)).to_pylist()
            _refuse_as_file_name(path, name)
            by_category.setdefault(name, []).extend(
                reward_rows(rows, form) if schema is REWARDS else solution_rows(rows, form)
            )
    suffix = REWARD_SUFFIX if schema is REWARDS else ""
    with whole_files(output) as part:
        for name, values in by_category.items():
            lines = ",\n".join(json.dumps(value, ensure_ascii=False) for value in values)
            file = part / f"{name}{suffix}.json"
            file.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
            logger.info("%s: %d rows", output / file.name, len(values))


def _content(place: str, files: Sequence[Path]) -> Content:
    """What the input holds, judged by its tables' footers or its files' names."""
    if files:
        names = {_kind(file) for file in files}
    else:
        stems = [file.stem for file in layouts.json_files(place)]
        are_rewards = {stem.endswith(REWARD_SUFFIX) for stem in stems} or {False}
        names = {str(Content.REWARDS if are else Content.SOLUTIONS) for are in are_rewards}
    if len(names) == 1 and names <= set(Content):
        return Content(names.pop())
    raise InputError(
        place,
        expected="either solutions or rewards",
        found=" and ".join(sorted(names)),
        remedy="choose one with --table",
    )


def _kind(file: Path) -> str:
    """What a table holds, judged by its footer or, if multirm did not write it, by its columns."""
    others = [name for name in Content if parquet.has_columns(file, _SCHEMAS[name])]
    return layouts.kind_of(file) or " and ".join(others) or "neither"


def _warn_of_changes(category: Category, back: Sequence[JSON]) -> None:
    """Log how many JSON rows would come back from the tables changed."""
    nothing: JSON = {}
    places = [
        (number, key)
        for number, (row, again) in enumerate(
            zip_longest(category.values, back, fillvalue=nothing), 1
        )
        for key in [*row, *again]
        if key not in row or key not in again or row[key] != again[key]
    ]
    if places:
        number, key = places[0]
        logger.warning(
            "%s: %d of %d rows lose something: tables have stripped texts, null for NaN and no other keys;"
            " the first is row %d, key %s",
            category.where,
            len({number for number, _ in places}),
            len(category.values),
            number,
            key,
        )


def _form_in_footer(path: Path) -> Form:
    try:
        form = parquet.read_footer(path).parameters.get("published")
    except InputError:
        # A table that multirm did not write, so it has no footer.
        return Form()
    if form is None:
        return Form()
    try:
        return _FORM.validate_python(form)
    except ValidationError as error:
        # Footers are untrusted.
        raise InputError(
            path,
            expected="a footer that describes the form of the JSON file",
            found=shown(form),
            remedy="convert it without its footer",
        ) from error


def _refuse_other_table(path: Path, schema: Schema) -> None:
    """Refuse to overwrite another kind of table: solutions and rewards of a category have the same file name."""
    kind = layouts.kind_of(path) if path.exists() else schema.name
    if kind != schema.name:
        raise InputError(
            path,
            expected=f"a table of {schema.name} to replace, or none",
            found=f"one of {kind}" if kind else "something else",
            remedy="choose another --output",
        )


def _refuse_repeats(where: str, schema: Schema, table: pa.Table) -> None:
    counts = table.group_by(list(schema.key)).aggregate([([], "count_all")])
    repeated = counts.filter(pc.greater(counts["count_all"], 1)).select(list(schema.key))
    if repeated.num_rows:
        first = ["/".join(map(str, row.values())) for row in repeated.slice(0, 3).to_pylist()]
        raise InputError(
            where,
            expected="each solution once",
            found=f"{repeated.num_rows} repeated ({', '.join(first)}{', …' * (repeated.num_rows > 3)})",
        )


def _refuse_as_file_name(where: object, category: str) -> None:
    plain = Path(category).name == category != "" and "\0" not in category
    plain = (
        plain and len(f"{category}{REWARD_SUFFIX}.json".encode(errors="replace")) <= LONGEST_NAME
    )
    if not plain or category.startswith(".") or category.endswith((REWARD_SUFFIX, ".critiques")):
        raise InputError(
            where,
            expected="a category that can be a file name",
            found=shown(category),
        )
