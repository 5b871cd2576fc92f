"""Demonstrated critiques agree with the labels, in the format that the parser expects."""

from pathlib import Path
from typing import Any

import pytest

from multirm.critiques.filter import filter_critiques
from multirm.critiques.shorten import shorten_critiques
from multirm.data.demonstrations import demonstrate
from multirm.data.miniature.generate import generate_miniature
from multirm.errors import InputError
from multirm.tables import parquet
from multirm.tables.critiques import CRITIQUES, DropReason
from multirm.tables.questions import Split
from multirm.tables.reward_models import Kind
from multirm.tables.solutions import SOLUTIONS, Policy
from multirm.tables.training import EXAMPLES
from multirm.text.prompts import END_OF_THINKING, VERDICT_MARKS
from multirm.text.verdicts import read_critique
from multirm.training.generative import train_generative
from tests.origins import made_of

KEY = SOLUTIONS.key


@pytest.fixture(scope="module")
def solutions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pretrain")
    path = folder / "solutions.parquet"
    generate_miniature(
        "chemistry",
        "mini",
        Policy.JUNIOR,
        Split.PRETRAIN,
        30,
        4,
        0.0,
        3,
        folder / "q.parquet",
        path,
    )
    return path


def pairs(solutions: Path, kind: Kind, folder: Path) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    output = folder / "critiques.parquet"
    demonstrate(solutions, kind, output, 3)
    rows = {
        tuple(row[k] for k in KEY): row for row in parquet.read(solutions, SOLUTIONS).to_pylist()
    }
    critiques = parquet.read(output, CRITIQUES).to_pylist()
    return [(rows[tuple(critique[k] for k in KEY)], critique) for critique in critiques]


def write(folder: Path, **columns: Any) -> Path:
    row = {
        "dataset": "d",
        "category": "math",
        "question_id": "q",
        "solution_id": 0,
        "question": "What is 1 + 1?",
        "answer": None,
        "steps": ["1 + 1 = 3.", "So 3."],
        "parsed_answer": None,
        "outcome": 0,
        "step_labels": [1, 0],
    }
    path = folder / "solutions.parquet"
    parquet.write(path, SOLUTIONS, [row | columns], made_of())
    return path


def test_gorm_verdicts_are_the_outcomes(solutions: Path, tmp_path: Path) -> None:
    made = pairs(solutions, Kind.GORM, tmp_path)
    assert len(made) == 120
    for row, critique in made:
        assert read_critique(Kind.GORM, critique["critique"]).verdict == critique["verdict"]
        assert critique["verdict"] == row["outcome"]


def test_gprm_verdicts_are_the_labels_up_to_the_first_incorrect_step(
    solutions: Path, tmp_path: Path
) -> None:
    for row, critique in pairs(solutions, Kind.GPRM, tmp_path):
        labels = row["step_labels"]
        expected = labels[: labels.index(0) + 1] if 0 in labels else labels
        reading = read_critique(Kind.GPRM, critique["critique"])
        assert reading.step_verdicts == critique["step_verdicts"] == expected
        assert reading.verdict == int(0 not in labels)


@pytest.mark.parametrize("kind", [Kind.GORM, Kind.GPRM])
def test_demonstrations_are_filtered_shortened_and_trained_on(
    kind: Kind, solutions: Path, tiny_model: Path, tmp_path: Path
) -> None:
    written, filtered, shortened = (tmp_path / f"{n}.parquet" for n in ("w", "filtered", "s"))
    demonstrate(solutions, kind, written, 3)
    filter_critiques(kind, written, solutions, filtered, 8192, 3)
    reasons = parquet.read(filtered, CRITIQUES).column("reason").to_pylist()
    # All agree with the labels; only balancing Yes and No drops some.
    assert set(reasons) <= {None, str(DropReason.UNBALANCED)}
    assert reasons.count(None) > 20
    shorten_critiques(kind, filtered, shortened)
    train_generative(
        kind, "toy", str(tiny_model), [solutions], [shortened], tmp_path / "adapter",
        tmp_path / "curve.parquet", tmp_path / "examples.parquet",
    )  # fmt: skip
    (row,) = parquet.read(tmp_path / "examples.parquet", EXAMPLES).to_pylist()
    assert row["n_used"] == reasons.count(None) == 2 * row["n_positive"]


def test_some_conclusions_can_be_shortened(solutions: Path, tmp_path: Path) -> None:
    for kind in (Kind.GORM, Kind.GPRM):
        conclusions = [
            critique["critique"].split(END_OF_THINKING)[1].strip()
            for _, critique in pairs(solutions, kind, tmp_path)
        ]
        surplus = sum(not text.startswith(VERDICT_MARKS[kind]) for text in conclusions)
        assert 0 < surplus < len(conclusions) / 2


def test_an_incorrect_step_is_stated(tmp_path: Path) -> None:
    ((_, gorm),) = pairs(write(tmp_path), Kind.GORM, tmp_path)
    assert gorm["critique"].startswith(" A step is incorrect.\n</think>\n")
    ((_, gprm),) = pairs(write(tmp_path), Kind.GPRM, tmp_path)
    assert gprm["critique"].startswith(
        "\nStep 1: The step is \\boxed{correct}\nStep 2: The step is \\boxed{incorrect}\n</think>\n"
    )


def test_no_labels_no_demonstration(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert len(pairs(write(tmp_path), Kind.GPRM, tmp_path)) == 1
    assert not caplog.records
    assert pairs(write(tmp_path, step_labels=None), Kind.GPRM, tmp_path) == []
    assert pairs(write(tmp_path, outcome=None), Kind.GORM, tmp_path) == []
    assert [record.getMessage() for record in caplog.records] == [
        "1 solutions have no outcome or no step labels to say"
    ] * 2


def test_a_discriminative_kind_is_refused(solutions: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected gORM or gPRM, found dPRM"):
        demonstrate(solutions, Kind.DPRM, tmp_path / "x.parquet", 3)
