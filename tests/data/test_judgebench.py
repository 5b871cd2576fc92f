"""JudgeBench's files: the first game of each pair, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from multirm.data.judgebench import pairs, read_pairs
from multirm.errors import InputError
from multirm.formats.json_source import Record
from multirm.tables import parquet
from multirm.tables.pairs import PAIRS


def game(*scores: Any) -> dict[str, Any]:
    return {"judgment": {"judge_model": "rm", "scores": list(scores)}}


PAIR: dict[str, Any] = {
    "pair_id": "p",
    "source": "mmlu-pro-computer science",
    "label": "A>B",
    "judgments": [game(2, -1.5), game(7, 8)],
}


def read(**changes: Any) -> Any:
    ((_, row),) = pairs([Record("f.jsonl, line 4", PAIR | changes)])
    return row


def test_the_label_says_which_answer_is_better() -> None:
    assert read() == {
        "category": "mmlu-pro-computer_science",
        "pair_id": "p",
        "model": "rm",
        "score_chosen": 2.0,
        "score_rejected": -1.5,
    }
    other = read(label="B>A")
    assert (other["score_chosen"], other["score_rejected"]) == (-1.5, 2.0)
    missing = read(judgments=[game(None, float("nan"))])
    assert missing["score_chosen"] is missing["score_rejected"] is None


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"label": "A=B"}, r"key label: expected A>B or B>A, found 'A=B'"),
        ({"judgments": []}, "key judgments: expected at least one game"),
        ({"judgments": [{}]}, r"judgments\[0\]: expected the key judgment"),
        ({"judgments": [game(1)]}, r"judgments\[0\], judgment, key scores: expected two scores"),
        ({"judgments": [game(1, "2")]}, r"key scores\[1\]: expected a number or null, found '2'"),
        ({"judgments": [game(1, True)]}, r"key scores\[1\]: expected a number or null"),
        ({"judgments": [game(1, 10**400)]}, r"key scores\[1\]: expected a number that float64"),
    ],
)
def test_bad_rows_are_named(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=f"f.jsonl, line 4, .*{complaint}"):
        read(**changes)


def test_a_repeated_pair_is_refused(tmp_path: Path) -> None:
    source, output = tmp_path / "pairs.jsonl", tmp_path / "pairs.parquet"
    source.write_text(f"{json.dumps(PAIR)}\n{json.dumps(PAIR | {'pair_id': 'q'})}\n")
    read_pairs([str(source)], "d", output, model="mine")
    rows = parquet.read(output, PAIRS).to_pylist()
    assert [(row["dataset"], row["model"], row["pair_id"]) for row in rows] == [
        ("d", "mine", "p"),
        ("d", "mine", "q"),
    ]
    source.write_text(f"{json.dumps(PAIR)}\n" * 2)
    with pytest.raises(InputError, match=r"line 2: expected each pair once .*after .*line 1"):
        read_pairs([str(source)], "d", output)
