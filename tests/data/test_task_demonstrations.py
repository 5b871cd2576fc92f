"""Demonstrated conversations ask for one task in the form of its command, and have a reply that the command reads."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from multirm.data.augment_steps import Asking, augmentation_rows, variant
from multirm.data.miniature.check import check, questions_of
from multirm.data.miniature.generate import generate_miniature
from multirm.data.miniature.questions import CATEGORIES
from multirm.data.task_demonstrations import demonstrate_task
from multirm.errors import InputError
from multirm.tables import parquet
from multirm.tables.augmentations import AugmentationKind
from multirm.tables.conversations import CONVERSATIONS, ChatTask
from multirm.tables.questions import Split
from multirm.tables.solutions import SOLUTIONS, Policy
from multirm.text.augmenting import (
    counterfactual_turn,
    load_augment_template,
    parse_counterfactual,
    rewrite_turn,
)
from multirm.text.judging import (
    judge_template_file,
    judge_turn,
    load_judge_template,
    parse_judgement,
)
from multirm.text.labels import first_incorrect, split_steps
from tests.origins import made_of


@pytest.fixture(scope="module")
def solutions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    made = "history", "d", Policy.JUNIOR, Split.PRETRAIN, 12, 3, 0.0, 1
    generate_miniature(*made, folder / "q.parquet", folder / "s.parquet")
    return folder / "s.parquet"


def demonstrated(
    solutions: Path, output: Path, shots: int = 2, task: ChatTask = ChatTask.SOLVE
) -> list[dict[str, Any]]:
    demonstrate_task(task, solutions, output, 1, shots)
    return parquet.read(output, CONVERSATIONS).to_pylist()


def test_each_solution_is_a_reply_after_exemplars(solutions: Path, tmp_path: Path) -> None:
    rows = parquet.read(solutions, SOLUTIONS).to_pylist()
    found = demonstrated(solutions, tmp_path / "c.parquet")
    assert len(found) == len(rows)
    correct = {"\n\n".join(row["steps"]) for row in rows if all(row["step_labels"])}
    for row, conversation in zip(rows, found, strict=True):
        assert {name: conversation[name] for name in SOLUTIONS.key}.items() <= row.items()
        assert conversation["task"] == "solve"
        *shown, asked = conversation["turns"]
        assert asked.endswith("[Question]\n" + row["question"])
        assert split_steps(conversation["reply"]) == row["steps"]
        assert len(shown) == 4
        assert set(shown[1::2]) <= correct
        assert len({shown[0], shown[2], asked}) == 3
    assert len({conversation["turns"][0] for conversation in found}) > 5


def test_conversations_do_not_depend_on_order(solutions: Path, tmp_path: Path) -> None:
    assert demonstrated(solutions, tmp_path / "a.parquet") == demonstrated(
        solutions, tmp_path / "b.parquet"
    )
    (bare, *_) = demonstrated(solutions, tmp_path / "c.parquet", shots=0)
    assert len(bare["turns"]) == 1


def test_solutions_without_answers_are_left_out_and_exemplars_may_lack(
    solutions: Path, tmp_path: Path
) -> None:
    rows = parquet.read(solutions, SOLUTIONS).to_pylist()
    table = tmp_path / "s.parquet"
    parquet.write(table, SOLUTIONS, [{**rows[0], "answer": None}, *rows[1:]], made_of())
    assert len(demonstrated(table, tmp_path / "c.parquet")) == len(rows) - 1
    with pytest.raises(InputError, match="13 correct solutions to different questions of history"):
        demonstrated(solutions, tmp_path / "c.parquet", shots=13)


def by_key(rows: list[dict[str, Any]]) -> dict[tuple[Any, ...], dict[str, Any]]:
    return {tuple(row[name] for name in SOLUTIONS.key): row for row in rows}


def with_rows(solutions: Path, output: Path, task: ChatTask) -> list[tuple[Any, Any]]:
    """Each solution that has a conversation, with it."""
    rows = by_key(parquet.read(solutions, SOLUTIONS).to_pylist())
    found = by_key(demonstrated(solutions, output, task=task))
    assert {row["task"] for row in found.values()} == {task}
    return [(rows[key], conversation) for key, conversation in found.items()]


def test_judges_name_the_known_first_bad_step(solutions: Path, tmp_path: Path) -> None:
    pairs = with_rows(solutions, tmp_path / "c.parquet", ChatTask.JUDGE)
    assert len(pairs) == 36
    template = load_judge_template(judge_template_file(reference=True), reference=True)
    for row, conversation in pairs:
        assert conversation["turns"] == [judge_turn(template, row)]
        error = first_incorrect(row["step_labels"])
        assert parse_judgement(conversation["reply"], template="") == (
            -1 if error is None else error
        )


@pytest.mark.parametrize("is_open", [False, True])
@pytest.mark.parametrize("category", CATEGORIES)
def test_mistakes_are_accepted_as_variants_and_known_to_be_bad(
    tmp_path: Path, category: str, is_open: bool
) -> None:
    table = tmp_path / "s.parquet"
    made = category, "d", Policy.SENIOR, Split.PRETRAIN, 60, 3, 0.0, 1
    generate_miniature(*made, tmp_path / "q.parquet", table, open_questions=is_open)
    template = load_augment_template(AugmentationKind.COUNTERFACTUAL)
    pairs = with_rows(table, tmp_path / "c.parquet", ChatTask.COUNTERFACTUAL)
    rows = parquet.read(table, SOLUTIONS).to_pylist()
    assert len(pairs) == sum(all(row["step_labels"]) for row in rows) > 30
    questions = questions_of(table, rows, 1)
    types = Counter()
    for row, conversation in pairs:
        new = parse_counterfactual(conversation["reply"])
        assert new.error_type is not None
        assert conversation["turns"] == [counterfactual_turn(template, row, new.error_type)]
        types[new.error_type] += 1
        asked = Asking(row, 0, error_type=new.error_type)
        [reply] = augmentation_rows(
            AugmentationKind.COUNTERFACTUAL, "new", 1, [asked], [replied_with(conversation)]
        )
        assert reply["reason"] is None
        steps = variant(row, reply)["steps"]
        known = check(category, questions[category, row["question_id"]], steps)
        assert known == [1] * (len(steps) - 1) + [0], steps
    assert len(types) >= 6
    # The type is drawn first.
    assert max(types.values()) < 3 * sum(types.values()) / len(types)


@pytest.mark.parametrize("category", CATEGORIES)
def test_rewrites_are_accepted_as_variants_and_keep_their_known_label(
    tmp_path: Path, category: str
) -> None:
    table = tmp_path / "s.parquet"
    made = category, "d", Policy.JUNIOR, Split.PRETRAIN, 20, 3, 0.0, 1
    generate_miniature(*made, tmp_path / "q.parquet", table)
    rows = parquet.read(table, SOLUTIONS).to_pylist()
    questions = questions_of(table, rows, 1)
    template = load_augment_template(AugmentationKind.REWRITE)
    pairs = with_rows(table, tmp_path / "c.parquet", ChatTask.REWRITE)
    assert len(pairs) == len(rows)
    labels = Counter()
    for row, conversation in pairs:
        step = next(
            k
            for k in range(len(row["steps"]))
            if conversation["turns"] == [rewrite_turn(template, row, k)]
        )
        [reply] = augmentation_rows(
            AugmentationKind.REWRITE,
            "new",
            1,
            [Asking(row, 0, step=step)],
            [replied_with(conversation)],
        )
        assert reply["reason"] is None
        made_of_it = variant(row, reply)
        known = check(category, questions[category, row["question_id"]], made_of_it["steps"])
        assert known == made_of_it["step_labels"] == row["step_labels"][: step + 1]
        labels[known[-1]] += 1
    assert min(labels[0], labels[1]) > 5


def replied_with(conversation: dict[str, Any]) -> dict[str, Any]:
    tokens = {"n_tokens_read": 1, "n_tokens_generated": 1}
    return {"text": conversation["reply"], "truncated": False, "given_up": False, **tokens}


@pytest.mark.parametrize("task", [ChatTask.JUDGE, ChatTask.COUNTERFACTUAL, ChatTask.REWRITE])
def test_replies_do_not_depend_on_the_order_of_solutions(
    solutions: Path, tmp_path: Path, task: ChatTask
) -> None:
    rows = parquet.read(solutions, SOLUTIONS).to_pylist()
    turned = tmp_path / "s.parquet"
    parquet.write(turned, SOLUTIONS, rows[::-1], made_of())
    assert by_key(demonstrated(solutions, tmp_path / "a.parquet", task=task)) == by_key(
        demonstrated(turned, tmp_path / "b.parquet", task=task)
    )


def test_drills_have_no_questions_to_judge_or_to_get_wrong(tmp_path: Path) -> None:
    table = tmp_path / "s.parquet"
    made = "history", "d", Policy.TUTOR, Split.PRETRAIN, 4, 2, 0.0, 1
    generate_miniature(*made, tmp_path / "q.parquet", table)
    for task in (ChatTask.SOLVE, ChatTask.JUDGE, ChatTask.COUNTERFACTUAL):
        assert demonstrated(table, tmp_path / "c.parquet", task=task) == []
    assert len(demonstrated(table, tmp_path / "c.parquet", task=ChatTask.REWRITE)) == 8
