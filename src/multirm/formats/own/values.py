"""Values of somebody else's columns as texts, numbers, truths and lists, whatever type the columns have."""

import ast
import json
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from multirm.formats.own.columns import StepRule

NO_TEXT = "(no text)"
"""The one step of a solution whose text is empty or not given: a solution has at least one step."""

_NO_NUMBER = {"", "nan", "none", "null", "na", "n/a", "<na>", "-"}
_TRUTHS = {
    **dict.fromkeys(("true", "t", "1", "1.0", "yes", "y", "correct", "right"), True),
    **dict.fromkeys(("false", "f", "0", "0.0", "no", "n", "incorrect", "wrong"), False),
}
# Before it, a text is divided; no text has this control character.
_MARK = "\x1e"
_STEP_LINES = r"(?m)^([ \t]*(?:[*#_]+[ \t]*)?[Ss](?:tep|TEP)[ \t]+\d+)"


class UnfitError(Exception):
    """Some values of a column are not what is needed.

    Attributes:
        expected: what is needed.
        values: the first few that are something else.
        rows: their positions, all of them.
    """

    def __init__(self, expected: str, rows: Sequence[int], values: Sequence[Any]) -> None:
        self.expected, self.rows, self.values = expected, rows, values
        super().__init__(expected)


def plain_array(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """A column as one array, without dictionaries, and with texts and lists of the usual width."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.nulls(0)
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    usual = _usual(array.type)
    return array if array.type == usual else array.cast(usual)


def _usual(found: pa.DataType) -> pa.DataType:
    if pa.types.is_large_string(found) or pa.types.is_string_view(found):
        return pa.string()
    if is_list(found):
        return pa.list_(_usual(found.value_type))
    return found


def is_list(found: pa.DataType) -> bool:
    """Whether a type is a list of any width."""
    return (
        pa.types.is_list(found)
        or pa.types.is_large_list(found)
        or pa.types.is_fixed_size_list(found)
        or pa.types.is_list_view(found)
        or pa.types.is_large_list_view(found)
    )


def texts(array: pa.Array) -> pa.Array:
    """Texts without white space around them; numbers as texts; null for what is missing or blank.

    Raises:
        UnfitError: the values are lists or objects.
    """
    kind = array.type
    if pa.types.is_null(kind):
        return pa.nulls(len(array), pa.string())
    if pa.types.is_floating(kind):
        array = _whole_if_it_is(array)
    elif pa.types.is_nested(kind) or pa.types.is_binary(kind):
        raise UnfitError("texts or numbers", *_first(array))
    trimmed = pc.utf8_trim_whitespace(array.cast(pa.string()))
    return pc.if_else(pc.equal(pc.utf8_length(trimmed), 0), None, trimmed)


def _whole_if_it_is(array: pa.Array) -> pa.Array:
    """Numbers as whole ones if all are: pandas stores whole numbers beside missing ones with a decimal point."""
    wide = array.cast(pa.float64())
    missing = pc.is_nan(wide)
    present = wide.filter(pc.invert(missing)).drop_null().to_numpy()
    if (np.abs(present) < 2**53).all() and (present == np.floor(present)).all():
        return pc.if_else(missing, None, wide).cast(pa.int64())
    # Not the wide ones, in which 0.1 of half the width is 0.10000000149011612.
    return pc.if_else(missing, None, array)


def truths(array: pa.Array) -> np.ndarray:
    """Whether each value is true: booleans, 0 and 1, or words such as `true` and `no`; bool [rows].

    Raises:
        UnfitError: a value is missing or something else.
    """
    if pa.types.is_boolean(array.type) and not array.null_count:
        return np.asarray(array.to_numpy(zero_copy_only=False), dtype=bool)
    words = texts(array).to_pylist()
    found = [None if word is None else _TRUTHS.get(word.casefold()) for word in words]
    _refuse("true or false, or 1 or 0, for every solution", found, array)
    return np.asarray(found, dtype=bool)


def numbers(array: pa.Array) -> pa.Array:
    """Numbers as float64; null for what is missing, also for NaN and for words such as `nan`.

    Raises:
        UnfitError: a value is infinite, or no number.
    """
    kind = array.type
    if pa.types.is_null(kind):
        return pa.nulls(len(array), pa.float64())
    if pa.types.is_string(kind):
        parsed = [_number(word) for word in array.to_pylist()]
        wrong = [row for row, value in enumerate(parsed) if value is False]
        if wrong:
            raise UnfitError("numbers", wrong, [array[row].as_py() for row in wrong[:3]])
        found = pa.array(parsed, pa.float64())
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        found = array.cast(pa.float64(), safe=False)
    else:
        raise UnfitError("numbers", *_first(array))
    found = pc.if_else(pc.is_nan(found), None, found)
    infinite = pc.fill_null(pc.is_inf(found), False).to_numpy(zero_copy_only=False)
    if infinite.any():
        rows = np.flatnonzero(infinite).tolist()
        raise UnfitError("finite numbers", rows, [found[row].as_py() for row in rows[:3]])
    return found


def _number(word: str | None) -> float | bool | None:
    """A number; None if it is missing, False if it is something else."""
    if word is None or word.strip().casefold() in _NO_NUMBER:
        return None
    try:
        value = float(word)
    except ValueError:
        return False
    return None if math.isnan(value) else value


def read_lists(array: pa.Array) -> pa.Array | None:
    """The lists that texts spell, as JSON or as Python prints them; None if not every text is one.

    A column of lists is returned as it is. Missing values remain null.
    """
    if is_list(array.type):
        return array
    if not pa.types.is_string(array.type) or array.null_count == len(array):
        return None
    found = []
    for text in array.to_pylist():
        value = None if text is None or not text.strip() else _read_list(text.strip())
        if value is False:
            return None
        found.append(value)
    if all(value is None for value in found):
        return None
    try:
        return pa.array(found, from_pandas=True)
    except pa.ArrowException:
        # Words and numbers in one list.
        try:
            return pa.array([value and list(map(_word, value)) for value in found])
        except pa.ArrowException:
            return None


def _word(value: Any) -> str | None:
    is_missing = value is None or (isinstance(value, float) and math.isnan(value))
    return None if is_missing else str(value)


def _read_list(text: str) -> Any:
    """The list that a text spells, or False."""
    if not (text.startswith("[") and text.endswith("]")):
        return False
    readings: tuple[Callable[[str], Any], ...] = (
        json.loads,
        ast.literal_eval,
        lambda text: ast.literal_eval(re.sub(r"\bnan\b", "None", text)),
    )
    for read in readings:
        try:
            value = read(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        return value if isinstance(value, list) else False
    return False


def steps_of(array: pa.Array, rule: StepRule) -> tuple[pa.Array, int]:
    """The steps of solutions, and how many solutions have no text: their one step is `NO_TEXT`.

    Args:
        array: texts, or lists of steps, which no rule divides further.

    Returns:
        lists of texts without white space around them, none of them empty.

    Raises:
        UnfitError: a value is neither.
    """
    lists = array if is_list(array.type) else _divided(texts(array), rule)
    if not pa.types.is_string(lists.type.value_type):
        if pa.types.is_nested(lists.type.value_type):
            raise UnfitError("a text or a list of steps", *_first(array))
        lists = lists.cast(pa.list_(pa.string()))
    parts = pc.utf8_trim_whitespace(pc.list_flatten(lists))
    kept = pc.fill_null(pc.greater(pc.utf8_length(parts), 0), False)
    owners = pc.list_parent_indices(lists).filter(kept).to_numpy()
    parts = parts.filter(kept)
    counts = np.bincount(owners, minlength=len(lists))
    without = np.flatnonzero(counts == 0)
    if len(without):
        parts = pa.concat_arrays([parts, pa.array([NO_TEXT] * len(without), pa.string())])
        owners = np.concatenate([owners, without])
        parts = parts.take(pa.array(np.argsort(owners, kind="stable")))
        counts = np.maximum(counts, 1)
    return lists_from(parts, counts), len(without)


def _divided(array: pa.Array, rule: StepRule) -> pa.Array:
    match rule:
        case StepRule.WHOLE:
            return lists_from(array, np.ones(len(array), dtype=np.int64))
        case StepRule.BLANK_LINES:
            return pc.split_pattern_regex(array, r"\n\s*\n")
        case StepRule.LINES:
            return pc.split_pattern(array, "\n")
        case StepRule.STEP_MARKERS:
            marked = pc.replace_substring_regex(array, _STEP_LINES, _MARK + r"\1")
            return pc.split_pattern(marked, _MARK)


def lists_from(values: pa.Array, counts: np.ndarray) -> pa.Array:
    """Lists of so many consecutive values each."""
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values)


def sizes_of(array: pa.Array) -> np.ndarray:
    """The lengths of lists, 0 for null ones; int [rows]."""
    lengths = pc.fill_null(pc.list_value_length(array), 0)
    return np.asarray(lengths.to_numpy(zero_copy_only=False))


def _first(array: pa.Array) -> tuple[list[int], list[Any]]:
    """The position and value of the first value that is not null, as those of all of them."""
    rows = np.flatnonzero(pc.is_valid(array).to_numpy(zero_copy_only=False)).tolist()
    return rows, [array[row].as_py() for row in rows[:1]]


def _refuse(expected: str, found: Sequence[object], array: pa.Array) -> None:
    wrong = [row for row, value in enumerate(found) if value is None]
    if wrong:
        raise UnfitError(expected, wrong, [array[row].as_py() for row in wrong[:3]])
