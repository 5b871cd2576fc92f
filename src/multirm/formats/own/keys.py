"""Which question and which solution a row is: ids as given, or numbers in order."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from multirm.formats.own.columns import (
    Field,
)
from multirm.formats.own.problems import keys_shown
from multirm.formats.own.reading import Reading
from multirm.tables.accuracy import OVERALL

DEFAULT_CATEGORY = "all"


@dataclass(frozen=True)
class Keys:
    """What tells solutions apart, a value per solution.

    Attributes:
        questions: numbers from 0, equal for solutions to one question.
        given: the solution's id as it was given, or its place in its question.
    """

    dataset: pa.Array
    category: pa.Array
    question_id: pa.Array
    solution_id: pa.Array
    questions: np.ndarray
    given: pa.Array


def read_keys(reading: Reading, dataset: str) -> Keys | None:
    """The ids of solutions; None if they cannot be told."""
    n = len(reading.rows)
    datasets = _named(reading, Field.DATASET, reading.mapping.dataset or dataset)
    categories = _named(reading, Field.CATEGORY, reading.mapping.category or DEFAULT_CATEGORY)
    ids = reading.texts(Field.QUESTION_ID)
    if reading.of(Field.QUESTION_ID) is None:
        ids = _ids_of_questions(reading)
    elif ids is not None and ids.null_count:
        missing = np.flatnonzero(pc.is_null(ids).to_numpy(zero_copy_only=False))
        column = reading.taken.columns[Field.QUESTION_ID]
        place = f"{reading.place(int(missing[0]))}, column {column}"
        more = f" and in {len(missing) - 1} more rows" * (len(missing) > 1)
        reading.wrong(place, "the question's id in every row", f"none here{more}", "fill it in")
        return None
    if ids is None or datasets is None or categories is None:
        return None
    questions = codes_of(datasets, categories, ids)
    places = _places_within(questions)
    given = reading.texts(Field.SOLUTION_ID)
    if given is None or given.null_count:
        if given is not None:
            reading.wrong(
                f"{reading.where}, column {reading.taken.columns[Field.SOLUTION_ID]}",
                "the solution's id in every row",
                f"none in {given.null_count} rows",
                "fill them in, or remove the column: solutions are then numbered in their order",
            )
            return None
        given = pa.array(places).cast(pa.string())
        numbered = pa.array(places, pa.int32())
    else:
        numbered = _small(given)
        if numbered is None:
            numbered = pa.array(places, pa.int32())
            reading.notes.append("solutions are numbered from 0, as their ids are no small numbers")
    keys = Keys(datasets, categories, ids, numbered, questions, given)
    _refuse_repeats(reading, keys)
    return keys if len(numbered) == n else None


def _named(reading: Reading, held: Field, default: str) -> pa.Array | None:
    """Names of datasets or categories, which become names of folders and files."""
    said = reading.mapping.dataset if held is Field.DATASET else reading.mapping.category
    if said is not None or reading.of(held) is None:
        if held in reading.taken.columns and said is None:
            return None
        _refuse_name(reading, held, [default])
        return pa.array([default] * len(reading.rows))
    found = reading.texts(held)
    if found is None:
        return None
    if found.null_count:
        missing = np.flatnonzero(pc.is_null(found).to_numpy(zero_copy_only=False))
        reading.wrong(
            f"{reading.place(int(missing[0]))}, column {reading.taken.columns[held]}",
            f"a {held} in every row",
            f"none in {len(missing)} rows",
            f"fill it in, or add {reading.spoken.word(held, default)} for all rows",
        )
        return None
    _refuse_name(reading, held, pc.unique(found).to_pylist())
    return found


def _refuse_name(reading: Reading, held: Field, names: Sequence[str]) -> None:
    wrong = [name for name in names if not is_file_name(name) or name == OVERALL]
    if wrong:
        reading.wrong(
            f"{reading.where}, {held}",
            f"names that can be a file's, and not {OVERALL}, which is the mean of all",
            keys_shown(wrong[:3], len(wrong)),
        )


def is_file_name(name: str) -> bool:
    return (
        bool(name)
        and "/" not in name
        and "\0" not in name
        and not name.startswith(".")
        and (len(name.encode(errors="replace")) <= 200)
    )


def _ids_of_questions(reading: Reading) -> pa.Array | None:
    """Ids from the questions' texts, or from the rows where a row is a question."""
    asked = reading.texts(Field.QUESTION)
    if asked is not None and not asked.null_count:
        encoded = asked.dictionary_encode()
        numbered = pc.add(encoded.indices.cast(pa.int64()), 1)
        reading.notes.append(
            f"question_id: the {len(encoded.dictionary)} different questions are numbered from 1"
        )
        return numbered.cast(pa.string())
    if reading.of_questions:
        reading.notes.append("question_id: rows are numbered from 1")
        return pa.array(reading.rows + 1).cast(pa.string())
    if asked is not None:
        reading.wrong(
            f"{reading.where}, column {reading.taken.columns[Field.QUESTION]}",
            "the question's text in every row, as there is no question_id",
            f"none in {asked.null_count} rows",
        )
    return None


def _small(given: pa.Array) -> pa.Array | None:
    """Ids as 32-bit numbers; None if they are not."""
    try:
        found = given.cast(pa.int32())
    except pa.ArrowException:
        return None
    # `07` and `7` are two ids.
    return found if found.cast(pa.string()).equals(given) else None


def codes_of(*arrays: pa.Array) -> np.ndarray:
    """Numbers from 0 that are equal where all values are; int64 [rows]."""
    codes = np.zeros(len(arrays[0]), dtype=np.int64)
    for array in arrays:
        values = array.dictionary_encode("encode").indices.to_numpy(zero_copy_only=False)
        _, codes = np.unique(codes * (values.max(initial=0) + 1) + values, return_inverse=True)
    return codes


def _places_within(groups: np.ndarray) -> np.ndarray:
    """For each row, how many earlier ones are of its group."""
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    sizes = np.diff(np.append(starts, len(groups)))
    places = np.empty(len(groups), dtype=np.int64)
    places[order] = np.arange(len(groups)) - np.repeat(starts, sizes)
    return places


def _refuse_repeats(reading: Reading, keys: Keys) -> None:
    pairs = codes_of(pa.array(keys.questions), keys.given)
    again = np.flatnonzero(_places_within(pairs) > 0)
    if again.size:
        first = int(again[0])
        more = f", and {len(again) - 1} more such rows" * (len(again) > 1)
        key = f"{keys.question_id[first]}, {keys.given[first]}"
        column = reading.taken.columns.get(Field.SOLUTION_ID)
        reading.wrong(
            reading.place(first),
            "each solution once",
            f"question and solution {key} again{more}",
            f"if {column} does not tell a question's solutions apart, leave it out of the file",
        )
