"""Demonstrated conversations show correct exemplars, ask one question, and reply with its solution."""

from pathlib import Path
from typing import Any

import pytest

from multirm.data.miniature.generate import generate_miniature
from multirm.data.task_demonstrations import demonstrate_task
from multirm.errors import InputError
from multirm.tables import parquet
from multirm.tables.conversations import CONVERSATIONS, ChatTask
from multirm.tables.questions import Split
from multirm.tables.solutions import SOLUTIONS, Policy
from multirm.text.labels import split_steps
from tests.origins import made_of


@pytest.fixture(scope="module")
def solutions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    made = "history", "d", Policy.JUNIOR, Split.PRETRAIN, 12, 3, 0.0, 1
    generate_miniature(*made, folder / "q.parquet", folder / "s.parquet")
    return folder / "s.parquet"


def demonstrated(solutions: Path, output: Path, shots: int = 2) -> list[dict[str, Any]]:
    demonstrate_task(ChatTask.SOLVE, solutions, output, 1, shots)
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
