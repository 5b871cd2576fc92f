"""Multi-RM's layout: pools and single solutions, from JSON and through `datasets`."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import GatedRepoError

from multirm.errors import InputError
from multirm.formats import multi_rm
from multirm.formats.json_source import Record
from multirm.formats.multi_rm_columns import rewards_table
from multirm.tables.rewards import COST_COLUMNS

TRAIN: dict[str, Any] = {
    "q_id": 12,
    "question": "Which?\nA. x\nB. y",
    "cot_id": 3,
    "cot": ["One.", "The answer is (B)."],
    "parsed_answer": "B",
    "answer": "B",
    "labels": [1, -1],
}
TEST: dict[str, Any] = {
    "q_id": "12",
    "question": "Which?\nA. x\nB. y",
    "answer": "B",
    "cot_ids": [0, 5],
    "cots": [["One.", "Two."], ["Three."]],
    "parsed_answers": ["b", None],
}
REWARD: dict[str, Any] = {"q_id": "12", "cot_ids": [5, 0], "rewards": [[0.5, None], [1]]}


def record(values: dict[str, Any], **changes: Any) -> Record:
    return Record("f.json, row 1", values | changes)


def solve(values: dict[str, Any], **changes: Any) -> list[Any]:
    return [row for _, row in multi_rm.solutions([record(values, **changes)], "law")]


def test_a_training_row() -> None:
    assert solve(TRAIN) == [
        {
            "category": "law",
            "question_id": "12",
            "solution_id": 3,
            "question": "Which?\nA. x\nB. y",
            "answer": "B",
            "steps": ["One.", "The answer is (B)."],
            "parsed_answer": "B",
            "outcome": 1,
            "step_labels": [1, 0],
        }
    ]


def test_a_test_row_is_a_pool() -> None:
    rows = solve(TEST)
    assert [(row["solution_id"], row["steps"]) for row in rows] == [
        (0, ["One.", "Two."]),
        (5, ["Three."]),
    ]
    assert [(row["parsed_answer"], row["outcome"]) for row in rows] == [("b", 1), (None, 0)]
    assert {row["step_labels"] for row in rows} == {None}


@pytest.mark.parametrize(
    ("parsed", "answer"), [("1,000", "1000"), ("(c)", "C"), ("c", "C"), ("7.0", "7"), ("No", "no")]
)
def test_answers_are_kept_as_written_and_compared_by_meaning(parsed: str, answer: str) -> None:
    (row,) = solve(TRAIN, parsed_answer=parsed, answer=answer)
    assert row["outcome"] == 1
    assert (row["parsed_answer"], row["answer"]) == (parsed, answer)


def test_texts_are_split_at_blank_lines() -> None:
    assert solve(TRAIN, cot="One.\n\nTwo\nthree.\n \n")[0]["steps"] == ["One.", "Two\nthree."]
    assert solve(TEST, cots=["One.\n\nTwo.", "Three."])[0]["steps"] == ["One.", "Two."]


@pytest.mark.parametrize(
    ("changes", "outcome", "labels"),
    [
        ({"parsed_answer": " "}, 0, [1, 0]),
        ({"answer": None}, 0, [1, 0]),
        ({"answer": "", "labels": [1, 1]}, 1, [1, 1]),
        ({"answer": None, "labels": []}, None, None),
        ({"answer": "1,000", "parsed_answer": "1000.0", "labels": None}, 1, None),
    ],
)
def test_outcomes(changes: dict[str, Any], outcome: int | None, labels: list[int] | None) -> None:
    (row,) = solve(TRAIN, **changes)
    assert (row["outcome"], row["step_labels"]) == (outcome, labels)


@pytest.mark.parametrize(
    ("values", "changes", "complaint"),
    [
        (TRAIN, {"labels": [1]}, "key labels: expected a label for each of 2 steps"),
        (
            TRAIN,
            {"labels": [1, 2]},
            r"key labels: expected 1 \(correct\) or -1 \(incorrect\), found 2",
        ),
        (TRAIN, {"labels": [1, 0]}, "key labels: .* found 0; write -1 where 0 means"),
        (TRAIN, {"cot": 7}, "key cot: expected a list"),
        (TRAIN, {"cot": " "}, "key cot: expected a text"),
        (TRAIN, {"cot_id": None}, "key cot_id: expected a whole number"),
        (TEST, {"cots": [["One."]]}, "key cots: expected one entry for each of 2 cot_ids, found 1"),
        (TEST, {"parsed_answers": []}, "key parsed_answers: expected one entry for each of 2"),
        (TEST, {"parsed_answers": ["A", 2]}, "solution 1 of cots, key parsed_answer: expected"),
        (TEST, {"cots": [["One.", 3], ["x"]]}, r"solution 0 of cots, key cot\[1\]: expected a"),
        (TEST, {"cot_ids": [], "cots": [], "parsed_answers": []}, "key cot_ids: expected at least"),
    ],
)
def test_bad_rows_are_named(
    values: dict[str, Any], changes: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(InputError, match="f.json, row 1, " + complaint):
        solve(values, **changes)


def test_questions_are_listed_once() -> None:
    rows = [row for _, row in multi_rm.questions([record(TRAIN), record(TRAIN)], "law")]
    assert [(row["question_id"], row["answer"], row["options"]) for row in rows] == [
        ("12", "B", None)
    ]
    with pytest.raises(InputError, match=r"key q_id: .*found others for 12"):
        list(multi_rm.questions([record(TRAIN), record(TRAIN, answer="A")], "law"))


def test_rewards() -> None:
    rows = [row for _, row in multi_rm.rewards([record(REWARD)], "law")]
    assert [(row["solution_id"], row["rewards"]) for row in rows] == [(5, [0.5, None]), (0, [1.0])]
    assert {row[name] for row in rows for name in (*COST_COLUMNS, "truncated")} == {None}


def test_missing_rewards_stay_missing(tmp_path: Path) -> None:
    path = tmp_path / "law_reward.json"
    path.write_text(
        '[{"q_id": 1, "cot_ids": [0, 1, 2, 3], "rewards": [[NaN, 0.5], [null], [], NaN]}]'
    )
    records = multi_rm.records_of([str(tmp_path)], "law", suffix="_reward")
    rows = [row["rewards"] for _, row in multi_rm.rewards(records, "law")]
    assert rows == [[None, 0.5], [None], [], [None]]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"rewards": [[0.5]]}, "key rewards: expected one entry for each of 2 cot_ids"),
        ({"rewards": [[0.5], [float("inf")]]}, r"key rewards\[1\]\[0\]: .*found inf"),
        ({"rewards": [[0.5], "1"]}, r"key rewards\[1\]\[0\]: .*found '1'"),
        ({"rewards": [[0.5], [True]]}, r"key rewards\[1\]\[0\]: expected a finite number"),
        ({"unit": 3}, "key unit: expected"),
    ],
)
def test_bad_rewards_are_named(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match="f.json, row 1, " + complaint):
        list(multi_rm.rewards([record(REWARD, **changes)], "law"))


def test_a_folder_of_json(tmp_path: Path) -> None:
    (tmp_path / "law.json").write_text(json.dumps([TEST]))
    (tmp_path / "law_reward.json").write_text(json.dumps([REWARD]))
    for source, suffix, values in [
        (tmp_path, "", TEST),
        (tmp_path / "law.json", "", TEST),
        (tmp_path, "_reward", REWARD),
    ]:
        (found,) = multi_rm.records_of([str(source)], "law", suffix)
        assert found.values == values
    with pytest.raises(InputError, match=r"math.json: expected a file, found only law.json, law_"):
        list(multi_rm.records_of([str(tmp_path)], "math"))
    with pytest.raises(InputError, match=r"math.json: expected a file"):
        list(multi_rm.records_of([str(tmp_path / "math.json")], "math"))
    with pytest.raises(InputError, match="a hub name OWNER/NAME, found nothing of that"):
        list(multi_rm.records_of([f"{tmp_path}/nowhere/"], "math"))


def test_a_folder_of_splits_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "theirs"
    (folder / "data").mkdir(parents=True)
    for split, values in (("law", TEST), ("computer_science", TEST | {"q_id": "13"})):
        pq.write_table(
            pa.Table.from_pylist([values]), folder / "data" / f"{split}-00000-of-00001.parquet"
        )
    (found,) = multi_rm.records_of([str(folder)], "law")
    assert found == Record(f"{folder}, split law, row 1", TEST)
    ((_, row), _) = multi_rm.solutions(
        multi_rm.records_of([str(folder)], "computer_science"), "computer_science"
    )
    assert row["question_id"] == "13"
    with pytest.raises(InputError, match="the split math, found Unknown split"):
        list(multi_rm.records_of([str(folder)], "math"))
    with pytest.raises(InputError, match="expected a folder or hub dataset with the split law"):
        (tmp_path / "empty").mkdir()
        list(multi_rm.records_of([str(tmp_path / "empty")], "law"))


def test_an_unreachable_hub_is_one_line() -> None:
    script = (
        "from multirm.formats.multi_rm import records_of\n"
        "from multirm.errors import InputError\n"
        "try:\n    list(records_of(['nobody/nothing'], 'law'))\n"
        "except InputError as error:\n    print(error)\n"
    )
    offline = os.environ | {"HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=offline, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("nobody/nothing: expected a folder or hub dataset with the")
    assert (
        "`multirm prefetch STUDY` on a machine with network access, or unset HF_HUB_OFFLINE"
        in done.stdout
    )
    assert done.stdout.count("\n") == 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_gated_dataset_asks_for_a_token(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        response = SimpleNamespace(status_code=status, headers={}, request=None)
        raise GatedRepoError(f"{status} Client Error.\n\nNo access.", response=response)  # type: ignore[arg-type]

    monkeypatch.setattr(HfApi, "hf_hub_download", refuse)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    with pytest.raises(
        InputError, match=r"is a gated dataset .* set HF_TOKEN to a token"
    ) as caught:
        list(multi_rm.records_of(["owner/gated"], "law"))
    assert str(caught.value).startswith("owner/gated: expected a folder or hub dataset")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("unit", "n_read", "n_generated"),
    [
        ("step", [12, 0, None], [0, 0, None]),
        ("critique", [None] * 3, [12, 900, None]),
        ("solution", [None] * 3, [None] * 3),
        (None, [None] * 3, [None] * 3),
    ],
)
def test_counts_of_earlier_versions_mean_what_they_mean_in_tables(
    unit: str | None, n_read: list[int | None], n_generated: list[int | None]
) -> None:
    row: dict[str, Any] = {"q_id": "1", "cot_ids": [0, 1, 2], "rewards": [[0.5], [], [0.25]]}
    row |= {"n_tokens": [12, 900, None], "truncated": [False, True, False]}
    row |= {} if unit is None else {"unit": unit}
    table = rewards_table([row], "law.json", "law", "d", "m")
    assert table["n_tokens_read"].to_pylist() == n_read
    assert table["n_tokens_generated"].to_pylist() == n_generated
    assert table["truncated"].to_pylist() == row["truncated"]
    # Where both are given, the older count says nothing more.
    table = rewards_table([row | {"n_tokens_read": [1, 2, 3]}], "law.json", "law", "d", "m")
    assert table["n_tokens_read"].to_pylist() == [1, 2, 3]
    with pytest.raises(InputError, match="key n_tokens: expected one entry for each of 3 cot_ids"):
        rewards_table([row | {"n_tokens": [12]}], "law.json", "law", "d", "m")
