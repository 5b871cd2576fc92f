"""Counts of samples and judgements, against plain loops over the rows."""

from pathlib import Path
from random import Random
from typing import Any

import pytest

from multirm.errors import InputError
from multirm.report.reply_counts import count, sheets, tabulate_reply_counts
from multirm.tables import parquet
from multirm.tables.judgements import JUDGEMENTS, JudgementReason
from multirm.tables.reply_counts import REPLY_COUNTS
from multirm.tables.samples import SAMPLES, SampleReason
from tests.origins import made_of

COUNTED = {"text": "T", "n_tokens_read": 1, "n_tokens_generated": 1}


def samples(generator: Random) -> list[dict[str, Any]]:
    """Four questions in two categories, five samples each; one question has no solution."""
    return [
        {
            "dataset": "Train",
            "category": f"c{q % 2}",
            "question_id": f"q{q}",
            "solution_id": number,
            **COUNTED,
            "reason": "cut_off" if q == 3 else generator.choice([None, *map(str, SampleReason)]),
        }
        for q in range(4)
        for number in range(5)
    ]


def judgements(generator: Random) -> list[dict[str, Any]]:
    """Three solutions, asked about up to twice."""
    rows = []
    for solution_id in range(3):
        for attempt in range(2):
            reason = generator.choice([None, *map(str, JudgementReason)])
            rows.append(
                {
                    "dataset": "Train",
                    "category": "c0",
                    "question_id": "q",
                    "solution_id": solution_id,
                    "vote": 0,
                    "attempt": attempt,
                    "reply": "R",
                    "first_bad": None if reason else generator.choice([-1, 2]),
                    "reason": reason,
                    "n_tokens_read": 1,
                    "n_tokens_generated": 1,
                }
            )
            if reason is None:
                break
    return rows


@pytest.mark.parametrize("seed", range(5))
def test_every_reply_is_counted_once(seed: int) -> None:
    generator = Random(seed)
    sampled, judged = samples(generator), judgements(generator)
    replies = [{**row, "kind": "sample"} for row in sampled]
    replies += [{**row, "dataset": "Judged", "kind": "judgement"} for row in judged]
    rows = {(row["dataset"], row["category"]): row for row in count(replies)}
    assert [*rows] == [
        *(("Train", category) for category in (None, "c0", "c1")),
        *(("Judged", category) for category in (None, "c0")),
    ]
    for (dataset, category), row in rows.items():
        own = sampled if dataset == "Train" else judged
        own = [each for each in own if category in (None, each["category"])]
        reasons = SampleReason if dataset == "Train" else JudgementReason
        assert row["n_replies"] == len(own)
        for reason in reasons:
            assert row[f"n_{reason}"] == sum(each["reason"] == reason for each in own)
        assert row["n_used"] + sum(row[f"n_{reason}"] for reason in reasons) == len(own)
    assert rows["Train", "c1"]["n_asked"] == 2 and rows["Train", "c1"]["n_without"] >= 1
    assert rows["Train", None]["n_no_box"] is rows["Train", None]["n_no_bad_step"] is None
    assert rows["Judged", None]["n_no_answer"] is None
    solved = {each["solution_id"] for each in judged if each["reason"] is None}
    assert rows["Judged", None]["n_without"] == 3 - len(solved)
    none_bad = sum(each["first_bad"] == -1 for each in judged)
    assert rows["Judged", None]["n_no_bad_step"] == none_bad


def test_tables_are_named_after_their_datasets(tmp_path: Path) -> None:
    generator = Random(1)
    paths = [tmp_path / "samples.parquet", tmp_path / "judgements.parquet"]
    parquet.write(paths[0], SAMPLES, samples(generator), made_of())
    parquet.write(paths[1], JUDGEMENTS, judgements(generator), made_of())
    outputs = [tmp_path / f"counts.{suffix}" for suffix in ("parquet", "md")]
    given = [f"{name}={paths[1]}" for name in ("Judged", "Twice")]
    tabulate_reply_counts(outputs, [f"Train={paths[0]}"], given)
    rows = parquet.read(outputs[0], REPLY_COUNTS).to_pylist()
    assert list(dict.fromkeys(row["dataset"] for row in rows)) == ["Train", "Judged", "Twice"]
    text = outputs[1].read_text()
    assert "Samples of Train: replies that cannot be used" in text
    assert "Judgements behind the labels of Twice" in text and "no bad step" in text
    (sheet, *_) = sheets(rows)
    assert sheet.header[:4] == ["category", "questions", "without any", "replies"]
    assert [row[0] for row in sheet.rows] == ["all", "c0", "c1"]


def test_tables_without_a_name_or_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"--judgements: expected DATASET=PATH, found 'a\.parquet'"
    ):
        tabulate_reply_counts([tmp_path / "a.md"], judgements=["a.parquet"])
    with pytest.raises(InputError, match="--samples: expected tables here or in --judgements"):
        tabulate_reply_counts([tmp_path / "a.md"])
