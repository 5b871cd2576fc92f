"""What prompts are made from, and what a policy is shown before a question."""

from pathlib import Path

import pytest

from multirm.errors import InputError
from multirm.generation.solving_options import SolvingOptions
from multirm.tables import parquet
from multirm.tables.solutions import SOLUTIONS
from multirm.text.task_templates import own_task_template
from tests.data.test_sample_solutions import exemplars, questions
from tests.origins import made_of


def test_each_file_is_named_once(tmp_path: Path) -> None:
    own = [own_task_template("solve"), own_task_template("solve_open")]
    assert SolvingOptions().files == own
    words, shown = tmp_path / "words.txt", tmp_path / "shown.parquet"
    assert SolvingOptions(open_template=words).files == [own[0], words]
    one = SolvingOptions(exemplars=[shown], template=words, open_template=words)
    assert one.files == [shown, words]


def test_a_question_comes_after_its_exemplars_in_the_given_words(tmp_path: Path) -> None:
    shown, words = tmp_path / "shown.parquet", tmp_path / "words.txt"
    parquet.write(shown, SOLUTIONS, exemplars(3), made_of())
    words.write_text("Answer this.\n{question}")
    solving = SolvingOptions(exemplars=[shown], shots=2, template=words).load()
    reply = "Hm.\n\nThe answer is (A)."
    assert solving.turns(questions(8)[7]) == [
        "Answer this.\nWhat was 0?\nA. a\nB. b",
        reply,
        "Answer this.\nWhat was 1?\nA. a\nB. b",
        reply,
        "Answer this.\nWhat is 7?\nA. a\nB. b",
    ]
    other = {**questions(1)[0], "category": "health"}
    with pytest.raises(InputError, match="2 correct solutions to different questions of health"):
        solving.turns(other)


@pytest.mark.parametrize(("shots", "given"), [(0, "some"), (5, "none")])
def test_exemplars_and_their_number_go_together(tmp_path: Path, shots: int, given: str) -> None:
    exemplars = [tmp_path / "shown.parquet"] if given == "some" else None
    with pytest.raises(InputError, match=f"found {given} and --shots {shots}"):
        SolvingOptions(exemplars=exemplars, shots=shots).load()
