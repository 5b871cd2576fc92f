"""A model's record of training questions is kept with it, and used in scoring and evaluation."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from multirm.evaluation.accuracy import evaluate
from multirm.evaluation.options import SelectionOptions
from multirm.models.learned_from import FILE, count_learned, learned_by, write_learned
from multirm.scoring.discriminative import score_discriminative
from multirm.tables import parquet
from multirm.tables.reward_models import Kind
from multirm.tables.solutions import SOLUTIONS
from multirm.training.discriminative import DiscriminativeRecipe, train_discriminative
from multirm.training.merge import merge_adapter
from tests.origins import made_of


def solutions(path: Path, *questions: str) -> Path:
    rows: list[dict[str, Any]] = [
        {
            "dataset": "toy",
            "category": "law",
            "question_id": str(number),
            "solution_id": k,
            "question": question,
            "answer": "A",
            "steps": ["It is so."],
            "parsed_answer": "AB"[k],
            "outcome": 1 - k,
            "step_labels": [1 - k],
        }
        for number, question in enumerate(questions)
        for k in (0, 1)
    ]
    parquet.write(path, SOLUTIONS, rows, made_of())
    return path


@pytest.fixture
def adapter(tiny_model: Path, tmp_path: Path) -> Path:
    """A model that was trained on `Is it lawful?` and `Who pays?`."""
    train_discriminative(
        kind=Kind.DORM,
        name="toy",
        backbone=str(tiny_model),
        solutions=[solutions(tmp_path / "train.parquet", "Is it lawful?", "Who pays?")],
        output=tmp_path / "adapter",
        curve=tmp_path / "curve.parquet",
        examples=tmp_path / "examples.parquet",
        recipe=DiscriminativeRecipe(batch_size=4),
    )
    return tmp_path / "adapter"


def test_whitespace_and_case_do_not_matter(adapter: Path) -> None:
    asked = ["IS it\nlawful? ", "is it lawful?", "Who  pays?", "Who paid?"]
    assert count_learned("toy", str(adapter), asked) == 2
    assert "Is it lawful" not in (adapter / FILE).read_text()


def test_a_model_without_a_record_is_unknown(
    tiny_model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert count_learned("toy", str(tiny_model), ["Who pays?"]) is None
    assert caplog.text == ""


def test_a_merged_model_has_the_records_of_its_parts(
    adapter: Path, tiny_model: Path, tmp_path: Path
) -> None:
    merge_adapter(str(tiny_model), adapter, tmp_path / "merged")
    assert learned_by(str(tmp_path / "merged")) == learned_by(str(adapter))
    assert len(learned_by(str(adapter)) or ()) == 2
    (tmp_path / "made").mkdir()
    write_learned(tmp_path / "made", (), str(tiny_model))
    assert not (tmp_path / "made" / FILE).exists()
    write_learned(tmp_path / "made", ["What now?"], str(adapter), str(tiny_model))
    assert len(learned_by(str(tmp_path / "made")) or ()) == 3


@pytest.mark.parametrize(
    ("questions", "n_learned"), [(("Who pays?", "Who paid?"), 1), (("Who paid?",), 0)]
)
def test_scoring_and_evaluation_count_training_questions(
    adapter: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    questions: tuple[str, ...],
    n_learned: int,
) -> None:
    asked = solutions(tmp_path / "test.parquet", *questions)
    rewards = tmp_path / "rewards.parquet"
    with caplog.at_level(logging.WARNING):
        score_discriminative([f"toy={adapter}"], asked, [rewards])
        options = SelectionOptions(
            solutions=[str(asked)], rewards=[f"toy={rewards}"], aggregation=["toy=last"], n=[1, 2]
        )
        evaluate(options, tmp_path / "out")
    assert ("was trained on 1 of these 2 questions" in caplog.text) == bool(n_learned)
    assert ("trained on 1 of the questions that it is evaluated on" in caplog.text) == bool(
        n_learned
    )
    for table in (rewards, tmp_path / "out" / "accuracy.parquet"):
        counted = parquet.read_footer(table).parameters["learned_questions"]
        assert json.dumps(counted) in (str(n_learned), f'{{"toy": {n_learned}}}')
