"""Files with any columns are evaluated as the tables that `import` makes of them."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from multirm.data.import_own import import_own
from multirm.errors import InputError
from multirm.evaluation.accuracy import evaluate
from multirm.evaluation.options import SelectionOptions
from multirm.evaluation.verification import evaluate_verification
from multirm.formats.own.options import OwnOptions
from multirm.formats.own.problems import OwnDataError
from multirm.tables import parquet
from multirm.tables.accuracy import ACCURACY
from multirm.text.answer_rules import AnswerRule

ROWS: list[dict[str, Any]] = [
    {
        "qid": f"q{question}",
        "reply": f"{question}.\n\n{solution}",
        "extracted_answer": str((question + solution) % 3),
        "gold": "1",
        "sky": float(solution * question),
        "lists": [0.5, solution / 4],
        "ok": solution % 2 == 0,
    }
    for question in range(6)
    for solution in range(4)
]


@pytest.fixture
def pools(tmp_path: Path) -> Path:
    path = tmp_path / "pools.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def accuracy(folder: Path) -> list[dict[str, Any]]:
    return parquet.read(folder / "accuracy.parquet", ACCURACY).to_pylist()


@pytest.mark.parametrize("graded", [False, True])
def test_results_are_those_of_imported_tables(tmp_path: Path, pools: Path, graded: bool) -> None:
    columns, correct = ["steps=reply"], "ok" if graded else None
    rewards, aggregation = ["m=sky", "l=lists"], ["l=min"]
    options = SelectionOptions(
        solutions=[str(pools)],
        columns=columns,
        correct=correct,
        rewards=rewards,
        aggregation=aggregation,
    )
    evaluate(options, tmp_path / "direct")
    mine = tmp_path / "mine"
    import_own([str(pools)], mine, OwnOptions(columns=columns, correct=correct), rewards)
    options = SelectionOptions(
        solutions=[str(mine / "data" / "pools")],
        rewards=[f"{model}={mine / 'rewards' / model / 'pools'}" for model in ("l", "m")],
        aggregation=["l=min", "m=last"],
        answers=AnswerRule.GRADED if graded else AnswerRule.MEANING,
    )
    evaluate(options, tmp_path / "imported")
    assert accuracy(tmp_path / "direct") == accuracy(tmp_path / "imported")
    footer = parquet.read_footer(tmp_path / "direct" / "accuracy.parquet")
    assert footer.parameters["answers"] == ("graded" if graded else "meaning")
    assert "pools.jsonl" in footer.inputs
    assert {path.name for path in tmp_path.iterdir()} == {
        *("pools.jsonl", "mine", "direct", "imported")
    }


def test_plain_names_need_no_options(tmp_path: Path) -> None:
    table = pa.Table.from_pylist(ROWS).rename_columns(
        ["question_id", "response", "parsed_answer", "answer", "sky", "lists", "ok"]
    )
    pq.write_table(table, tmp_path / "pools.parquet")
    options = SelectionOptions(solutions=[str(tmp_path / "pools.parquet")], rewards=["m=sky"])
    evaluate(options, tmp_path / "out")
    assert {row["model"] for row in accuracy(tmp_path / "out")} >= {"m"}


def test_other_commands_read_them_too(tmp_path: Path, pools: Path) -> None:
    options = SelectionOptions(
        solutions=[str(pools)],
        rewards=["l=lists"],
        aggregation=["l=mean"],
        unit=["l=critique"],
        scale=["probability"],
        columns=["steps=reply"],
    )
    evaluate_verification(options, tmp_path / "out")
    assert list((tmp_path / "out").glob("*.parquet"))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"rewards": ["m=skyy"]}, "did you mean sky?"),
        ({"rewards": ["l=lists"]}, "add --aggregation l=AGGREGATION"),
        ({"aggregation": ["n=min"]}, "n=COLUMN, as it has an aggregation"),
        ({"correct": "ok", "answers": AnswerRule.STRICT}, "none with --correct"),
        ({"solutions": ["nowhere.csv"]}, "nowhere.csv: expected a file named"),
    ],
)
def test_what_cannot_be_evaluated(
    tmp_path: Path, pools: Path, changes: dict[str, Any], expected: str
) -> None:
    given: dict[str, Any] = {"solutions": [str(pools)], "columns": ["steps=reply"]}
    with pytest.raises(InputError) as error:
        evaluate(SelectionOptions(**(given | changes)), tmp_path / "out")
    assert expected in str(error.value)


def test_without_options_it_says_what_to_add(tmp_path: Path, pools: Path) -> None:
    with pytest.raises(OwnDataError, match="--columns steps=") as error:
        evaluate(SelectionOptions(solutions=[str(pools)], correct="okk"), tmp_path / "out")
    assert "columns: qid, reply" in str(error.value)


def test_several_datasets_in_a_file_are_divided_by_import(tmp_path: Path) -> None:
    rows = [{**row, "dataset": f"d{number % 2}"} for number, row in enumerate(ROWS)]
    path = tmp_path / "both.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = SelectionOptions(
        solutions=[str(path)], columns=["steps=reply"], rewards=["m=sky"], aggregation=["m=last"]
    )
    with pytest.raises(InputError, match=r"found 'd0', 'd1'; .* multirm import divides them"):
        evaluate(options, tmp_path / "direct")
