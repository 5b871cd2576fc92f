"""The solutions of a table, with everything about them checked."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from multirm.errors import shown
from multirm.formats.own.columns import Field
from multirm.formats.own.correctness import read_outcomes
from multirm.formats.own.keys import Keys, codes_of
from multirm.formats.own.reading import Reading
from multirm.formats.own.values import NO_TEXT, lists_from, steps_of, truths
from multirm.tables.solutions import SOLUTIONS


def read_solutions(reading: Reading, keys: Keys | None) -> pa.Table | None:
    """The solutions, with everything about them checked; None if something is wrong."""
    n = len(reading.rows)
    parsed = reading.texts(Field.PARSED_ANSWER)
    answers = reading.texts(Field.ANSWER)
    questions = reading.texts(Field.QUESTION)
    steps = None
    if reading.of(Field.STEPS) is not None:
        made = reading.converted(
            reading.taken.columns[Field.STEPS],
            lambda array: steps_of(array, reading.mapping.split),
        )
        if made is not None:
            steps, n_empty = made
            if n_empty:
                reading.notes.append(
                    f"{n_empty} solutions have no text: they are kept, as the step {NO_TEXT!r}"
                )
    elif Field.STEPS not in reading.taken.columns:
        steps = lists_from(pa.array([NO_TEXT] * n), np.ones(n, dtype=int))
        reading.notes.append(
            "no texts of solutions: enough to evaluate, not to score or look at them"
        )
    correct = reading.mapping.correct
    grades = None
    if correct in reading.arrays:
        grades = reading.converted(
            correct, truths, "write true or false; leave out solutions without a grade"
        )
    if keys is None:
        return None
    if parsed is not None:
        none = pc.equal(pc.utf8_lower(parsed), "n/a")
        parsed = pc.if_else(pc.fill_null(none, False), None, parsed)
    one_per_question = ((Field.ANSWER, answers), (Field.QUESTION, questions))
    for held, values in one_per_question:
        if values is not None and not (
            held is Field.QUESTION and Field.QUESTION_ID not in reading.taken.columns
        ):
            _refuse_several(reading, keys, held, values)
    if answers is not None and answers.null_count and correct is None:
        without = np.flatnonzero(pc.is_null(answers).to_numpy(zero_copy_only=False))
        reading.wrong(
            f"{reading.place(int(without[0]))}, column {reading.taken.columns[Field.ANSWER]}",
            "a reference answer in every row",
            f"none in {len(without)} row{'s' * (len(without) > 1)}",
            "fill it in, or leave these questions out",
        )
        return None
    nothing = pa.nulls(n, pa.string())
    outcome = read_outcomes(reading, keys, parsed, answers, grades)
    if steps is None or outcome is None:
        return None
    empty = pa.array([""] * n)
    columns = {
        "dataset": keys.dataset,
        "category": keys.category,
        "question_id": keys.question_id,
        "solution_id": keys.solution_id,
        "question": empty if questions is None else pc.fill_null(questions, ""),
        "answer": nothing if answers is None else answers,
        "steps": steps,
        "parsed_answer": nothing if parsed is None else parsed,
        "outcome": pa.array(outcome.astype(np.int8)),
        "step_labels": pa.nulls(n, SOLUTIONS.columns.field("step_labels").type),
    }
    return pa.table({name: columns[name] for name in SOLUTIONS.columns.names}).cast(
        SOLUTIONS.columns
    )


def _refuse_several(reading: Reading, keys: Keys, held: Field, values: pa.Array) -> None:
    """Refuse questions of which some rows have another reference answer or text than the first."""
    codes = codes_of(pc.fill_null(values, ""))
    _, first, owner = np.unique(keys.questions, return_index=True, return_inverse=True)
    is_there = pc.is_valid(values).to_numpy(zero_copy_only=False)
    other = np.flatnonzero((codes[first][owner] != codes) & is_there & is_there[first][owner])
    if other.size:
        at = int(other[0])
        before = values[int(first[owner[at]])].as_py()
        column = reading.taken.columns[held]
        others = {keys.question_id[int(row)].as_py() for row in other[:1000]}
        reading.wrong(
            f"{reading.place(at)}, column {column}",
            f"one {held} for question {keys.question_id[at]}",
            f"{shown(before)} and {shown(values[at].as_py())}"
            f"{f', and likewise in {len(others) - 1} more questions' * (len(others) > 1)}",
            "if ids begin anew in each category, name its column: "
            f"{reading.spoken.pairs('columns', {'category': 'COLUMN'})}"
            if Field.CATEGORY not in reading.taken.columns
            else "give each question an id of its own",
        )
