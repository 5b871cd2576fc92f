"""The miniature's checker: it knows the simulated policies' labels, and does not guess."""

from pathlib import Path
from typing import Any

import pytest

from multirm.data.miniature.chains import walk
from multirm.data.miniature.check import check, check_steps
from multirm.data.miniature.generate import generate_miniature
from multirm.data.miniature.questions import CATEGORIES, draw_questions
from multirm.data.miniature.wording import as_told, reworded
from multirm.errors import InputError
from multirm.tables import parquet
from multirm.tables.labels import LABELS, LabelReason
from multirm.tables.questions import Split
from multirm.tables.solutions import SOLUTIONS, Policy
from multirm.text.labels import up_to_first_error
from tests.origins import made_of


def generated(folder: Path, category: str, policy: Policy, open_questions: bool = False) -> Path:
    path = folder / "solutions.parquet"
    questions = folder / "questions.parquet"
    generate_miniature(
        category,
        "d",
        policy,
        Split.TRAIN,
        30,
        8,
        0.0,
        7,
        questions,
        path,
        open_questions=open_questions,
    )
    return path


@pytest.mark.parametrize("category", CATEGORIES)
@pytest.mark.parametrize("policy", [Policy.JUNIOR, Policy.SENIOR])
@pytest.mark.parametrize("open_questions", [False, True])
def test_labels_are_those_of_the_simulated_policies(
    tmp_path: Path, category: str, policy: Policy, open_questions: bool
) -> None:
    solutions = generated(tmp_path, category, policy, open_questions)
    output = tmp_path / "labels.parquet"
    check_steps(solutions, output, 7)
    found: dict[tuple[str, int], list[int]] = {}
    for row in parquet.read(output, LABELS).to_pylist():
        found.setdefault((row["question_id"], row["solution_id"]), []).append(row["label"])
    true = {
        (row["question_id"], row["solution_id"]): row["step_labels"]
        for row in parquet.read(solutions, SOLUTIONS).to_pylist()
    }
    assert {key: up_to_first_error(labels) for key, labels in found.items()} == {
        key: up_to_first_error(labels) for key, labels in true.items()
    }
    assert {len(found[key]) - len(labels) for key, labels in true.items()} == {0}


def test_sentences_beside_the_question_are_bad_and_others_unknown() -> None:
    [first, second] = draw_questions("history", Split.TRAIN, 2, 7)
    own, other = walk(first.chain).sentences, walk(second.chain).sentences
    beside = next(sentence for sentence in other if sentence not in own)
    last = f"The answer is ({first.answer})."
    assert check("history", first, [*own, last]) == [1] * (len(own) + 1)
    assert check("history", first, [beside, *own, last])[0] == 0
    assert check("history", first, [last]) == [0], "a guess"
    assert check("history", first, [*own[:-1], last])[-1] == 0, "the value was not found"
    assert check("history", first, ["So it must be this one.", own[0]]) == [None, 1]
    assert check("history", first, [f"No, wait. {own[0]}", f"  {own[1]} "]) == [1, 1]


@pytest.mark.parametrize("category", CATEGORIES)
def test_sentences_in_the_other_wording_are_the_same(category: str) -> None:
    for question in draw_questions(category, Split.TRAIN, 20, 7):
        own = walk(question.chain).sentences
        other = [reworded(sentence) or "" for sentence in own]
        assert not set(own) & set(other)
        assert [as_told(sentence) for sentence in other] == own
        assert [as_told(sentence) for sentence in own] == own
        assert check(category, question, other) == [1] * len(own)


def test_steps_in_another_form_have_a_reason(tmp_path: Path) -> None:
    solutions = generated(tmp_path, "business", Policy.JUNIOR)
    [row, *_] = parquet.read(solutions, SOLUTIONS).to_pylist()
    parquet.write(solutions, SOLUTIONS, [{**row, "steps": ["Hm."], "step_labels": None}], made_of())
    check_steps(solutions, tmp_path / "labels.parquet", 7)
    [label] = parquet.read(tmp_path / "labels.parquet", LABELS).to_pylist()
    assert (label["label"], label["reason"]) == (None, LabelReason.UNKNOWN_FORM)


@pytest.mark.parametrize(
    ("change", "seed", "expected"),
    [
        ({}, 8, "with the seed 8"),
        ({"question": "Who?"}, 7, "question train-0000 of business"),
        ({"question_id": "q1"}, 7, "ids such as train-0007"),
    ],
)
def test_other_questions_are_refused(
    tmp_path: Path, change: dict[str, Any], seed: int, expected: str
) -> None:
    solutions = generated(tmp_path, "business", Policy.JUNIOR)
    [row, *_] = parquet.read(solutions, SOLUTIONS).to_pylist()
    parquet.write(solutions, SOLUTIONS, [{**row, **change}], made_of())
    with pytest.raises(InputError, match=expected):
        check_steps(solutions, tmp_path / "labels.parquet", seed)
