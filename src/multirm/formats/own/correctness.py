"""Which solutions are correct: by the user's own grading, or by comparing answers."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from multirm.errors import shown
from multirm.formats.own.columns import Field, grading_column
from multirm.formats.own.keys import Keys, codes_of
from multirm.formats.own.reading import Reading
from multirm.text.answers import outcome_label

EXAMPLES = 5


def read_outcomes(
    reading: Reading,
    keys: Keys,
    parsed: pa.Array | None,
    answers: pa.Array | None,
    grades: np.ndarray | None,
) -> np.ndarray | None:
    """Which solutions are correct, bool [solutions]; None if that cannot be told, or none is."""
    compared = None
    if parsed is not None and answers is not None:
        compared = _compared(parsed, answers)
    right = compared if reading.mapping.correct is None else grades
    if right is None:
        return None
    if not right.any():
        _refuse_nothing_right(reading, parsed, answers)
        return None
    if right.all():
        reading.notes.append("all solutions are correct: there is nothing to select")
    if grades is not None:
        _note_grades(reading, keys, parsed, compared, grades)
    return right


def _compared(parsed: pa.Array, answers: pa.Array) -> np.ndarray:
    """Whether each parsed answer means the same as its reference answer; a pair is compared once."""
    answers = pc.fill_null(answers, "")
    said = pc.fill_null(parsed, "")
    codes = codes_of(said, answers)
    _, first, owner = np.unique(codes, return_index=True, return_inverse=True)
    at = pa.array(first)
    labels = [
        bool(one and other and outcome_label(one, other))
        for one, other in zip(said.take(at).to_pylist(), answers.take(at).to_pylist(), strict=True)
    ]
    return np.asarray(labels, dtype=bool)[owner]


def _refuse_nothing_right(
    reading: Reading, parsed: pa.Array | None, answers: pa.Array | None
) -> None:
    n = len(reading.rows)
    if reading.mapping.correct is not None:
        place = f"{reading.where}, column {reading.mapping.correct}"
        reading.wrong(place, "a correct solution", f"none of {n}: every grade is false")
        return
    said = pa.nulls(n, pa.string()) if parsed is None else parsed
    pairs = list(dict.fromkeys(zip(said.to_pylist(), (answers or said).to_pylist(), strict=True)))
    shown_pairs = "; ".join(f"{shown(one)} and {shown(other)}" for one, other in pairs[:EXAMPLES])
    grading = grading_column(reading.arrays) or "COLUMN"
    columns = reading.taken.columns
    reading.wrong(
        reading.where,
        "a correct solution",
        f"none of {n}: {columns.get(Field.PARSED_ANSWER)} and {columns.get(Field.ANSWER)} are never"
        f" the same ({shown_pairs})",
        f"name other columns, or your own grading: {reading.spoken.word('correct', grading)}",
    )


def _note_grades(
    reading: Reading,
    keys: Keys,
    parsed: pa.Array | None,
    compared: np.ndarray | None,
    grades: np.ndarray,
) -> None:
    """Say where grades disagree with the answers, or with each other."""
    if compared is not None and (other := np.flatnonzero(compared != grades)).size:
        reading.notes.append(
            f"{len(other)} grades differ from a comparison of the answers"
            f" (first: row {reading.rows[other[0]] + 1}); the grades count"
        )
    if parsed is None:
        reading.notes.append("no parsed answers: in a vote, each solution is an answer of its own")
        return
    groups = codes_of(pa.array(keys.questions), pc.fill_null(parsed, ""))
    _, owner = np.unique(groups, return_inverse=True)
    n_right = np.bincount(owner, grades)
    n_all = np.bincount(owner)
    answered = np.bincount(owner, pc.is_valid(parsed).to_numpy(zero_copy_only=False)) > 0
    mixed = np.flatnonzero(answered & (n_right > 0) & (n_right < n_all))
    if mixed.size:
        at = int(np.flatnonzero(owner == mixed[0])[0])
        reading.notes.append(
            f"{len(mixed)} answers are graded both correct and incorrect, such as {shown(parsed[at].as_py())}"
            f" to question {shown(keys.question_id[at].as_py())}: in a vote, each counts as two answers"
        )
