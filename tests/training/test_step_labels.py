"""Labels tables replace step labels; steps without a label are read but not learned."""

from pathlib import Path
from typing import Any

import pytest

from multirm.errors import InputError
from multirm.models.training_method import Targets
from multirm.tables import parquet
from multirm.tables.labels import LABELS
from multirm.tables.reward_models import Kind
from multirm.training.step_labels import (
    LabelsTable,
    StepLabels,
    Target,
    read_tables,
    require_labelled,
    step_targets,
)
from tests.origins import made_of

KEY = {"dataset": "toy", "category": "law", "question_id": "q", "solution_id": 0}


def label(step: int, label: int | None, value: float | None = None, **others: Any) -> Any:
    unknown = label is None and value is None
    return {
        **KEY,
        "step": step,
        "source": "judge",
        "label": label,
        "value": value,
        "n_votes": None,
        "n_agreeing": None,
        "reason": "unparsable" if unknown else None,
        **others,
    }


def table(path: Path, *rows: Any) -> Path:
    parquet.write(path, LABELS, rows, made_of())
    return path


@pytest.mark.parametrize(
    ("labels", "targets", "learned"),
    [
        ({0: (1, 0.9), 1: (0, 0.2), 2: (1, 0.8)}, Targets.LABELS, {0: 1, 1: 0}),
        ({0: (1, 0.9), 1: (0, 0.2), 2: (1, 0.8)}, Targets.VALUES, {0: 0.9, 1: 0.2, 2: 0.8}),
        # No continuation is correct: nothing after it can be right.
        ({0: (1, 0.9), 1: (0, 0.0), 2: (1, 0.8)}, Targets.VALUES, {0: 0.9, 1: 0.0}),
        # Steps without a row, or without the target asked for, have no loss.
        ({2: (0, None)}, Targets.LABELS, {2: 0}),
        ({0: (None, 0.4), 2: (1, None)}, Targets.LABELS, {2: 1}),
        ({0: (None, 0.4), 2: (1, None)}, Targets.VALUES, {0: 0.4, 2: 1}),
        ({0: (None, 0.4)}, Targets.LABELS, None),
        ({}, Targets.LABELS, None),
        (None, Targets.VALUES, {0: 1, 1: 0}),
    ],
)
def test_what_is_learned(
    labels: StepLabels | None, targets: Targets, learned: dict[int, Target] | None
) -> None:
    assert step_targets(Kind.DPRM, 1, [1, 0, 1], 3, labels, targets) == learned


def test_a_labels_table(tmp_path: Path) -> None:
    other = label(4, None, 0.25, question_id="p")
    path = table(tmp_path / "a.parquet", label(1, 1, 0.75), label(2, None), label(0, 0), other)
    found = read_tables([LabelsTable(path)])
    assert found == {
        ("toy", "law", "q", 0): {0: (0, None), 1: (1, 0.75)},
        ("toy", "law", "p", 0): {4: (None, 0.25)},
    }
    assert read_tables([]) == {}
    rows = [KEY | {"steps": ["A", "B"]}]
    require_labelled(rows, [LabelsTable(path)], found)


def test_labels_of_the_solutions_of_another_dataset(tmp_path: Path) -> None:
    path = table(tmp_path / "a.parquet", label(0, 1))
    tables = [LabelsTable.parse(f"chosen={path}"), LabelsTable.parse(str(path))]
    assert [each.dataset for each in tables] == ["chosen", None]
    assert [key[0] for key in read_tables(tables)] == ["chosen", "toy"]
    with pytest.raises(InputError, match="each solution in one of the labels tables, found"):
        read_tables([tables[1], tables[1]])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([KEY | {"solution_id": 7, "steps": ["A"]}], "found of others, such as .*'q', 0"),
        ([KEY | {"steps": ["A"]}], "expected labels of 1 steps of .*, found one of step 1"),
    ],
)
def test_labels_of_other_solutions_are_refused(
    tmp_path: Path, rows: list[Any], message: str
) -> None:
    path = table(tmp_path / "a.parquet", label(1, 1))
    with pytest.raises(InputError, match=message):
        require_labelled(rows, [LabelsTable(path)], read_tables([LabelsTable(path)]))


def test_a_dataset_without_any_label_is_refused(tmp_path: Path) -> None:
    """One category without labels is not: no step of it may have been written anew."""
    some, none = table(tmp_path / "a.parquet", label(0, 1)), table(tmp_path / "b.parquet")
    tables = [LabelsTable(some, "variants"), LabelsTable(none, "variants")]
    assert len(read_tables(tables)) == 1
    message = "labels of variants: expected some, found none; .* table of augmentations"
    with pytest.raises(InputError, match=message):
        read_tables([LabelsTable(some), LabelsTable(none, "variants")])
