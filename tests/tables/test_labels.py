"""Labels of single steps: which rows the table refuses."""

from pathlib import Path
from typing import Any

import pytest

from multirm.errors import InputError
from multirm.tables import parquet
from multirm.tables.labels import LABELS, LabelReason, LabelSource
from tests.origins import made_of

LABEL = {
    "dataset": "Facts",
    "category": "history",
    "question_id": "q1",
    "solution_id": 0,
    "step": 0,
    "source": LabelSource.JUDGE,
    "label": 1,
    "value": 0.75,
    "n_votes": 4,
    "n_agreeing": 3,
    "reason": None,
}


def written(tmp_path: Path, *changes: dict[str, Any]) -> list[dict[str, Any]]:
    path = tmp_path / "labels.parquet"
    rows = [{**LABEL, **change} for change in changes]
    parquet.write(path, LABELS, rows, made_of())
    return parquet.read(path, LABELS).to_pylist()


def test_labels_and_missing_ones_are_read_as_written(tmp_path: Path) -> None:
    missing = {"step": 1, "label": None, "value": None, "reason": LabelReason.UNPARSABLE}
    soft = {"step": 2, "label": None}
    tied = {"step": 3, "label": None, "value": 0.5, "reason": LabelReason.TIED}
    rows = written(tmp_path, {}, missing, soft, tied)
    assert rows == [{**LABEL, **change} for change in ({}, missing, soft, tied)]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"source": "rumour"}, "a source"),
        ({"step": -1}, "from 0"),
        ({"label": -1}, "label 0, 1 or null"),
        ({"value": 1.5}, "from 0 to 1"),
        ({"label": None, "value": None}, "reason why there is none"),
        ({"reason": LabelReason.TIED}, "no reason beside a label"),
        ({"label": None, "value": None, "reason": "lost"}, "a reason"),
    ],
)
def test_wrong_rows_are_refused(tmp_path: Path, change: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        written(tmp_path, change)


def test_a_step_has_one_label_of_each_source(tmp_path: Path) -> None:
    assert len(written(tmp_path, {}, {"source": LabelSource.MONTE_CARLO})) == 2
    with pytest.raises(InputError, match="each key once"):
        written(tmp_path, {}, {})
