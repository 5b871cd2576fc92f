"""What all evaluation commands read, and what they refuse before they compute anything."""

import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from multirm.errors import InputError
from multirm.evaluation.accuracy import evaluate
from multirm.evaluation.options import SelectionOptions
from multirm.evaluation.uncertainty import measure_uncertainty
from multirm.evaluation.verification import evaluate_verification
from multirm.tables import parquet
from multirm.tables.accuracy import ACCURACY, Estimator
from multirm.tables.solutions import SOLUTIONS
from multirm.text.answer_rules import AnswerRule
from tests.origins import made_of

COMMANDS = [evaluate, measure_uncertainty, evaluate_verification]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("output", ["file", "file/below/it", "/proc/x"])
def test_an_invalid_output_is_refused_first(
    tmp_path: Path, command: Callable[..., None], output: str
) -> None:
    """Before the solutions are opened, which do not exist either."""
    (tmp_path / "file").write_text("something")
    with pytest.raises(InputError, match="expected a folder to write to, found ") as caught:
        command(SelectionOptions(solutions=["nowhere.parquet"]), tmp_path / output)
    assert "\n" not in str(caught.value)
    assert (tmp_path / "file").read_text() == "something"


@pytest.mark.parametrize("command", COMMANDS)
def test_only_what_was_read_is_in_the_footer(
    tmp_path: Path, write_tables: Any, command: Callable[..., None]
) -> None:
    written = write_tables({"law": {"q": ("A", [("A", {"m": [0.5]})] * 2)}}, ["m"])
    folders = {path.parent for path in [*written.solutions, *written.rewards]}
    options = SelectionOptions(
        solutions=[str(written.solutions[0].parent)],
        rewards=[f"m={written.rewards[0].parent}"],
        aggregation=["m=min"],
    )

    def inputs() -> list[dict[str, str]]:
        command(options, tmp_path / "out")
        return [parquet.read_footer(path).inputs for path in (tmp_path / "out").glob("*.parquet")]

    before = inputs()
    for folder in folders:
        (folder / "notes.txt").write_text("not read")
    assert inputs() == before
    assert {name for footer in before for name in footer} == {"law.parquet", "law.parquet (2)"}


@pytest.mark.parametrize("command", COMMANDS)
def test_results_beside_the_inputs_do_not_become_inputs(
    tmp_path: Path, write_tables: Any, command: Callable[..., None]
) -> None:
    written = write_tables({"law": {"q": ("A", [("A", {"m": [0.5]})] * 2)}}, ["m"])
    folder = written.solutions[0].parent
    options = SelectionOptions(
        solutions=[str(folder)],
        rewards=[f"m={written.rewards[0].parent}"],
        aggregation=["m=min"],
    )
    for _ in range(2):
        command(options, folder)
    assert len(list(folder.glob("*.parquet"))) > 1


@pytest.mark.parametrize("command", COMMANDS)
def test_with_a_full_disk_no_table_is_replaced(
    tmp_path: Path, write_tables: Any, command: Callable[..., None]
) -> None:
    pool = [("A", {"m": [0.5, 0.25]}), ("B", {"m": [0.75, 0.5]})] * 2
    written = write_tables({"law": {f"q{n}": ("A", pool) for n in range(3)}}, ["m"])
    output = tmp_path / "output"

    def run(aggregation: str) -> None:
        command(written.options([f"m={aggregation}"]), output)

    def contents() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in output.iterdir()}

    run("min")
    before = contents()
    sizes = sorted(len(content) for content in before.values())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((sizes[0] + sizes[-1]) // 2, hard))
    try:
        with pytest.raises(InputError, match="room on the disk"):
            run("min,max,mean")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert contents() == before
    run("max")
    assert contents().keys() == before.keys()
    assert contents() != before


def test_an_input_is_not_replaced(tmp_path: Path, write_tables: Any) -> None:
    written = write_tables({"law": {"q": ("A", [("A", {"m": [0.5]})] * 2)}}, ["m"])
    solutions = written.solutions[0].rename(tmp_path / "accuracy.parquet")
    before = solutions.read_bytes()
    with pytest.raises(
        InputError, match=r"accuracy\.parquet: expected to replace a file that is not"
    ):
        evaluate(SelectionOptions(solutions=[str(solutions)], n=[1]), tmp_path)
    assert solutions.read_bytes() == before


def _labelled(written: Any, outcomes: list[int | None], answer: str | None = None) -> None:
    """Give the solutions these outcome labels, and their questions another reference answer."""
    rows = parquet.read(written.solutions[0], SOLUTIONS).to_pylist()
    rows = [
        row | {"outcome": outcome, "answer": answer}
        for row, outcome in zip(rows, outcomes, strict=True)
    ]
    parquet.write(written.solutions[0], SOLUTIONS, rows, made_of())


def _accuracies(written: Any, folder: Path, answers: AnswerRule) -> dict[tuple[str, int], float]:
    evaluate(written.options(["m=min"], answers=answers, n=[1, 3]), folder)
    table = parquet.read(folder / "accuracy.parquet", ACCURACY).to_pylist()
    return {(row["selection"], row["n"]): row["accuracy"] for row in table}


def test_labels_that_agree_with_the_answers_judge_alike(tmp_path: Path, write_tables: Any) -> None:
    pool = [("A", {"m": [0.5]}), ("(a)", {"m": [0.25]}), ("B", {"m": [0.75]})]
    written = write_tables({"law": {"q": ("A", pool), "r": ("B", pool)}}, ["m"])
    _labelled(written, [1, 1, 0, 1, 1, 0], "A")
    by_label = _accuracies(written, tmp_path / "graded", AnswerRule.GRADED)
    assert by_label == _accuracies(written, tmp_path / "meaning", AnswerRule.MEANING)
    # The same without reference answers, by which nothing else can be judged.
    written = write_tables({"law": {"q": ("A", pool[:1] + pool[2:])}}, ["m"])
    _labelled(written, [1, 0])
    assert _accuracies(written, tmp_path / "without", AnswerRule.GRADED)["pass", 1] == 50


def test_without_parsed_answers_a_vote_is_a_random_choice(
    tmp_path: Path, write_tables: Any
) -> None:
    pool = [(None, {"m": [reward]}) for reward in (0.1, 0.2, 0.9)]
    written = write_tables({"law": {"q": ("A", pool)}}, ["m"])
    _labelled(written, [0, 0, 1])
    found = _accuracies(written, tmp_path / "out", AnswerRule.GRADED)
    assert found["majority_vote", 3] == pytest.approx(100 / 3)
    assert found["best_of_n", 3] == found["pass", 3] == 100


@pytest.mark.parametrize("estimator", [Estimator.PAPER, Estimator.VERSAPRM])
def test_published_protocols_have_their_own_rule(
    tmp_path: Path, write_tables: Any, estimator: Estimator
) -> None:
    written = write_tables({"law": {"q": ("A", [("A", {"m": [0.5]})])}}, ["m"])
    with pytest.raises(InputError, match="--answers: expected another one with the estimator"):
        evaluate(written.options(["m=min"], answers=AnswerRule.GRADED), tmp_path / "o", estimator)


@pytest.mark.parametrize(("label", "problem"), [(None, "without one"), (2, "with others")])
def test_grading_needs_a_label_for_every_solution(
    tmp_path: Path, write_tables: Any, label: int | None, problem: str
) -> None:
    written = write_tables({"law": {"q": ("A", [("A", {"m": [0.5]})] * 2)}}, ["m"])
    if label is None:
        _labelled(written, [1, None])
    else:
        rows = parquet.read(written.solutions[0], SOLUTIONS)
        place = rows.column_names.index("outcome")
        wrong = rows.set_column(place, "outcome", pa.array([1, label], pa.int8()))
        pq.write_table(wrong, written.solutions[0])
    with pytest.raises(InputError, match=f"found 1 {problem}"):
        _accuracies(written, tmp_path / "out", AnswerRule.GRADED)
