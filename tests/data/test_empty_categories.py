"""A category in which no sample became a solution, or no reply a variant: labelling goes on, with empty tables."""

from pathlib import Path

import pytest

from multirm.cli import main
from multirm.tables import parquet
from multirm.tables.label_agreement import LABEL_AGREEMENT
from multirm.tables.labels import LABELS, LabelSource, label_rows
from multirm.tables.solutions import SOLUTIONS, SOLUTIONS_IF_ANY
from tests.data.conftest import solution
from tests.origins import made_of

ENGINE = ("--engine", "transformers", "--max-tokens", "4")


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    parquet.write(tmp_path / "none.parquet", SOLUTIONS, [], made_of())
    return tmp_path / "none.parquet"


def test_nothing_is_labelled_and_varied_without_an_error(
    empty: Path, tiny_model: Path, tmp_path: Path
) -> None:
    labels, others = tmp_path / "l.parquet", tmp_path / "o.parquet"
    for command in (
        ["judge-steps", "--judge", str(tiny_model), "--output-judgements", str(others), *ENGINE],
        ["continue-steps", "--policy", str(tiny_model), "--shots", "0", *ENGINE]
        + ["--output-continuations", str(others)],
        ["check-steps"],
    ):
        main([*command, "--solutions", str(empty), "--output", str(labels)])
        assert parquet.read(labels, LABELS).num_rows == 0
    output = tmp_path / "s.parquet"
    told = ["--solutions", str(empty), "--dataset", "new", "--output", str(output)]
    main(["choose-labels", "--labels", str(labels), *told])
    assert parquet.read(output, SOLUTIONS_IF_ANY).num_rows == 0
    variants = ["--output-labels", str(labels), "--output-augmentations", str(others)]
    model = ["--kind", "rewrite", "--model", str(tiny_model)]
    main(["augment-steps", *model, *variants, *told, *ENGINE])
    assert parquet.read(output, SOLUTIONS_IF_ANY).num_rows == 0


def test_labels_of_other_categories_are_compared(empty: Path, tmp_path: Path) -> None:
    rows = [solution(0, 0), solution(0, 1)]
    parquet.write(tmp_path / "some.parquet", SOLUTIONS, rows, made_of())
    labels = [
        each for row in rows for each in label_rows(row, LabelSource.JUDGE, [{"label": 1}] * 3)
    ]
    parquet.write(tmp_path / "labels.parquet", LABELS, labels, made_of())
    main(
        ["compare-labels", "--solutions", str(empty), f"{tmp_path}/some.parquet"]
        + ["--labels", f"J={tmp_path}/labels.parquet", "--output", f"{tmp_path}/out.parquet"]
    )
    found = parquet.read(tmp_path / "out.parquet", LABEL_AGREEMENT).to_pylist()
    assert {row["category"] for row in found} == {"Overall", "law"}
