"""Rows of our tables → rows of Multi-RM's layout, which `multi_rm` reads back as the same rows.

What the layout has no field for goes into keys of our own (`multi_rm.OUR_KEYS`), only where needed. What our tables
have no field for (for example, whether an id was a number) is in the `Form` of a file.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from multirm.errors import InputError
from multirm.formats import multi_rm
from multirm.formats.json_source import Record
from multirm.tables.rewards import COST_COLUMNS
from multirm.tables.schema import Row
from multirm.text.labels import split_steps

JSON = dict[str, Any]

_SHARED = ("question_id", "question", "answer")


@dataclass(frozen=True)
class Form:
    """The variant of Multi-RM's layout that a file uses.

    Attributes:
        training: rows hold one solution, not a pool.
        number_ids: question ids are numbers, not texts.
        joined: a solution is one text with blank lines, not a list of steps.
        single: a solution has one reward, not a list.
        named: which of `dataset` and `model` the rows give themselves.
    """

    training: bool = False
    number_ids: bool = False
    joined: bool = False
    single: bool = False
    named: tuple[str, ...] = ("dataset", "model")


def solution_rows(rows: Sequence[Row], form: Form) -> Iterator[JSON]:
    """Rows of a solutions table, of one category → JSON rows, which `multi_rm` reads back as the same rows.

    Consecutive solutions share a pool if they have the same question and answer.
    """
    for (dataset, question_id, question, answer), group in groupby(
        rows, lambda row: tuple(row[name] for name in ("dataset", *_SHARED))
    ):
        shared = {"q_id": _id(question_id, form), "question": question}
        names = {"dataset": dataset} if "dataset" in form.named else {}
        pool = list(group)
        if form.training:
            for row in pool:
                yield _faithful({**shared, **_attempt(row, form), **names}, [row])
        else:
            yield _faithful({**shared, "answer": answer, **_pool(pool, form), **names}, pool)


def reward_rows(rows: Sequence[Row], form: Form) -> Iterator[JSON]:
    """Rows of a rewards table, of one category → JSON rows, which `multi_rm` reads back as the same rows."""
    for (question_id, dataset, model, _, _), group in groupby(
        rows,
        lambda row: (row["question_id"], row["dataset"], row["model"], row["unit"], row["scale"]),
    ):
        pool = list(group)
        value: JSON = {
            "q_id": _id(question_id, form),
            "cot_ids": [row["solution_id"] for row in pool],
            "rewards": [row["rewards"][0] if form.single else row["rewards"] for row in pool],
        }
        for name in (*COST_COLUMNS, "truncated"):
            if any(row[name] is not None for row in pool):
                value[name] = [row[name] for row in pool]
        value |= {name: pool[0][name] for name in ("unit", "scale") if pool[0][name] is not None}
        names = {"dataset": dataset, "model": model}
        value |= {name: names[name] for name in form.named}
        if not question_id.strip():
            value["verbatim"] = True
        yield value


def form_of(rows: Sequence[JSON]) -> Form:
    """The form of rows that have been read without errors; a property that only some rows have is left out."""
    cots = [cot for row in rows for cot in row.get("cots", [row.get("cot")])]
    rewards = [reward for row in rows for reward in row.get("rewards", [])]
    return Form(
        training=all("cot" in row for row in rows),
        number_ids=all(type(row["q_id"]) is int for row in rows),
        joined=all(isinstance(cot, str) and cot == _joined(split_steps(cot)) for cot in cots),
        single=not any(isinstance(reward, list) for reward in rewards) and rewards != [],
        named=tuple(name for name in ("dataset", "model") if all(name in row for row in rows)),
    )


def _attempt(row: Row, form: Form) -> JSON:
    """The part of a training row that is specific to the solution."""
    return {
        "cot_id": row["solution_id"],
        "cot": _chain(row, form),
        "parsed_answer": row["parsed_answer"],
        "answer": row["answer"],
        "labels": _ratings(row),
    }


def _pool(rows: Sequence[Row], form: Form) -> JSON:
    """The part of a test row that is specific to its solutions."""
    pool: JSON = {
        "cot_ids": [row["solution_id"] for row in rows],
        "cots": [_chain(row, form) for row in rows],
        "parsed_answers": [row["parsed_answer"] for row in rows],
    }
    if any(row["step_labels"] is not None for row in rows):
        pool["labels"] = [_ratings(row) for row in rows]
    return pool


def _chain(row: Row, form: Form) -> str | list[str]:
    return _joined(row["steps"]) if form.joined else row["steps"]


def _joined(steps: Sequence[str]) -> str:
    return "\n\n".join(steps)


def _ratings(row: Row) -> list[int] | None:
    labels = row["step_labels"]
    return None if labels is None else [1 if label else -1 for label in labels]


def _id(question_id: str, form: Form) -> str | int:
    return int(question_id) if form.number_ids else question_id


def _faithful(value: JSON, rows: Sequence[Row]) -> JSON:
    """A JSON row with the fewest keys of our own with which the reader returns the same rows."""
    outcomes = [row["outcome"] for row in rows]
    own = {"outcomes": outcomes} if "cots" in value else {"outcome": outcomes[0]}
    *fewer, most = ({}, own, {"verbatim": True}, {**own, "verbatim": True})
    wanted = [{name: row[name] for name in row if name != "dataset"} for row in rows]
    for extra in fewer:
        record = Record("", {**value, **extra})
        try:
            found = [row for _, row in multi_rm.solutions([record], rows[0]["category"])]
        except InputError:
            continue
        if found == wanted:
            return {**value, **extra}
    return {**value, **most}
