"""Known numbers of the real data, reproduced by reader, tables and evaluation."""

from pathlib import Path

import pytest

from multirm.data.read import read_solutions
from multirm.evaluation.accuracy import evaluate
from multirm.evaluation.options import SelectionOptions
from multirm.formats.sources import Reader
from multirm.tables import parquet
from multirm.tables.accuracy import ACCURACY, Selection
from multirm.tables.ledger import LEDGER
from multirm.tables.rewards import REWARDS
from multirm.tables.solutions import SOLUTIONS
from tests.origins import made_of


def test_gsm8k_agrees_with_its_authors_counts(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "gsm8k" / "example_model_solutions.jsonl"
    solutions = tmp_path / "math.parquet"
    read_solutions(Reader.GSM8K, [str(source)], "GSM8K", "math", solutions)
    rows = parquet.read(solutions, SOLUTIONS).to_pylist()
    rewards = [
        {
            **{name: row[name] for name in SOLUTIONS.key},
            "model": "constant",
            "rewards": [0.5],
            "truncated": False,
        }
        for row in rows
    ]
    given = tmp_path / "rewards.parquet"
    parquet.write(given, REWARDS, rewards, made_of())
    options = SelectionOptions(
        solutions=[str(solutions)],
        rewards=[f"constant={given}"],
        aggregation=["constant=last"],
        scale=["probability"],
        n=[1, 2, 4],
    )
    evaluate(options, tmp_path)
    accuracy = {
        (row["selection"], row["n"]): row["accuracy"]
        for row in parquet.read(tmp_path / "accuracy.parquet", ACCURACY).to_pylist()
        if row["category"] == "Overall"
    }
    for selection in Selection:
        assert accuracy[selection, 1] == pytest.approx(100 * 2001 / 5276)
    assert accuracy[Selection.PASS, 4] == pytest.approx(100 * 887 / 1319)
    (ledger,) = parquet.read(tmp_path / "ledger.parquet", LEDGER).to_pylist()
    assert (ledger["n_solutions"], ledger["n_unanswered"]) == (5276, 11)
