"""Judging steps: how votes become labels, and which replies are asked for again."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.data.judge_steps import JudgeOptions, judge_steps, read_judgement, vote
from multirm.engines.name import EngineName
from multirm.errors import InputError
from multirm.tables import parquet
from multirm.tables.judgements import JUDGEMENTS, JudgementReason
from multirm.tables.labels import LABELS, LabelReason
from multirm.tables.solutions import SOLUTIONS
from tests.data.conftest import solution
from tests.origins import made_of

OPTIONS = JudgeOptions(engine=EngineName.TRANSFORMERS, max_tokens=6, temperature=1.0)


def reply(text: str, truncated: bool = False, given_up: bool = False) -> dict[str, Any]:
    tokens = {"n_tokens_read": 3, "n_tokens_generated": 2}
    return {"text": text, "truncated": truncated, "given_up": given_up, **tokens}


@pytest.mark.parametrize(
    ("given_reply", "first_bad", "reason"),
    [
        (reply(r"\boxed{2}"), 2, None),
        (reply(r"\boxed{-1}"), -1, None),
        (reply(r"\boxed{3}"), None, JudgementReason.OUT_OF_RANGE),
        (reply(r"\boxed{-2}"), None, JudgementReason.OUT_OF_RANGE),
        (reply("All good."), None, JudgementReason.NO_BOX),
        (reply(" \n"), None, JudgementReason.EMPTY),
        (reply(r"\boxed{1} and", truncated=True), None, JudgementReason.CUT_OFF),
        (reply("", truncated=True, given_up=True), None, JudgementReason.GIVEN_UP),
    ],
)
def test_a_reply_counts_if_it_names_a_step_that_exists_or_none(
    given_reply: dict[str, Any], first_bad: int | None, reason: JudgementReason | None
) -> None:
    found = read(given_reply, n_steps=3)
    assert (found["first_bad"], found["reason"]) == (first_bad, reason)
    assert found["reply"] == given_reply["text"]


def read(one: dict[str, Any], n_steps: int) -> dict[str, Any]:
    return read_judgement(one, n_steps, template="")


def judged(*named: int) -> list[dict[str, Any]]:
    return [read(reply(rf"\boxed{{{each}}}"), 4) for each in named]


@given(st.lists(st.integers(-1, 3), min_size=1, max_size=6))
def test_most_votes_decide(named: list[int]) -> None:
    columns = vote(judged(*named), 4)
    most = max(named.count(each) for each in named)
    winners = {each for each in named if named.count(each) == most}
    good = [[first == -1 or step < first for first in named] for step in range(4)]
    assert [each["value"] for each in columns] == [sum(of) / len(named) for of in good]
    assert {each["n_votes"] for each in columns} == {len(named)}
    if len(winners) > 1:
        assert {(each["label"], each["reason"]) for each in columns} == {(None, LabelReason.TIED)}
        return
    [first] = winners
    labels = [int(first == -1 or step < first) for step in range(4)]
    assert [each["label"] for each in columns] == labels
    for step, each in enumerate(columns):
        assert each["n_agreeing"] == sum(int(one) == labels[step] for one in good[step])


def test_replies_that_do_not_count_are_no_votes() -> None:
    columns = vote([*judged(2), read(reply("?"), 4), *judged(9)], 4)
    assert [each["label"] for each in columns] == [1, 1, 0, 0]
    assert columns[0]["n_votes"] == 1
    assert vote(judged(9), 4)[0]["reason"] == LabelReason.OUT_OF_RANGE
    unreadable = vote([*judged(9), read(reply("?"), 4)], 4)
    assert {each["reason"] for each in unreadable} == {LabelReason.UNPARSABLE}


def judge(
    folder: Path, model: Path, rows: list[dict[str, Any]], **settings: Any
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows of both tables."""
    options = replace(OPTIONS, **settings.pop("options", {}))
    parquet.write(folder / "s.parquet", SOLUTIONS, rows, made_of())
    outputs = folder / "labels.parquet", folder / "judgements.parquet"
    judge_steps([folder / "s.parquet"], str(model), *outputs, options, **settings)
    return (
        parquet.read(outputs[0], LABELS).to_pylist(),
        parquet.read(outputs[1], JUDGEMENTS).to_pylist(),
    )


def test_failed_votes_are_asked_for_again_with_new_seeds(tmp_path: Path, tiny_model: Path) -> None:
    rows = [solution(question, number) for question in range(2) for number in range(2)]
    labels, replies = judge(tmp_path, tiny_model, rows, votes=2, attempts=3)
    # A random model never gives a box.
    assert len(labels) == 4 * 3
    assert {each["reason"] for each in labels} == {LabelReason.UNPARSABLE}
    assert Counter((each["vote"], each["attempt"]) for each in replies) == {
        (number, attempt): 4 for number in range(2) for attempt in range(3)
    }
    assert {each["reason"] for each in replies} <= {JudgementReason.CUT_OFF, JudgementReason.NO_BOX}
    texts = {each["reply"] for each in replies if each["question_id"] == "q0"}
    assert len(texts) == 2 * 2 * 3
    some, _ = judge(tmp_path, tiny_model, rows[3:0:-1], votes=2, attempts=3)
    assert all(each in labels for each in some)
    _, fewer = judge(tmp_path, tiny_model, rows, votes=2, attempts=1)
    assert fewer == [each for each in replies if each["attempt"] == 0]


def test_a_greedy_judge_is_asked_again_at_a_temperature(tmp_path: Path, tiny_model: Path) -> None:
    options = {"temperature": 0.0}
    _, replies = judge(tmp_path, tiny_model, [solution(0, 0)], votes=1, options=options)
    first, *again = [each["reply"] for each in replies]
    assert len({first, *again}) == 3
    _, same = judge(tmp_path, tiny_model, [solution(0, 0)], votes=2, attempts=1, options=options)
    assert [each["reply"] for each in same] == [first, first]


def test_a_judge_that_should_see_the_answer_needs_one(tmp_path: Path, tiny_model: Path) -> None:
    rows = [solution(0, 0), {**solution(0, 1), "answer": None}]
    with pytest.raises(InputError, match=r"none for 1 solutions \(first: d/law/q0/1\)"):
        judge(tmp_path, tiny_model, rows)
    labels, _ = judge(tmp_path, tiny_model, rows, reference=False, attempts=1)
    assert len(labels) == 6


def test_the_definition_of_bad_is_in_the_footer(tmp_path: Path, tiny_model: Path) -> None:
    judge(tmp_path, tiny_model, [solution(0, 0)], attempts=1)
    parameters = parquet.read_footer(tmp_path / "labels.parquet").parameters
    assert "A step is bad if it is wrong" in parameters["template"]
    assert parameters["reference"] is True
