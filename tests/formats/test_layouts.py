"""Solutions and rewards from tables, Multi-RM's layout and the hub: what is read, and what is refused."""

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.errors import InputError
from multirm.formats import multi_rm
from multirm.formats.json_source import Record
from multirm.formats.layouts import (
    dataset_name,
    read_rewards,
    read_solutions,
    solution_parts,
    table_files,
)
from multirm.formats.multi_rm_columns import as_table, rewards_table, solutions_table
from multirm.tables import parquet
from multirm.tables.rewards import REWARDS
from multirm.tables.schema import Schema
from multirm.tables.solutions import SOLUTIONS
from tests.origins import made_of

POOL: dict[str, Any] = {
    "q_id": "12",
    "question": "Which?",
    "answer": "B",
    "cot_ids": [0, 5],
    "cots": [["One.", "Two."], "Three.\n\nFour."],
    "parsed_answers": ["(b)", None],
}
REWARD: dict[str, Any] = {"q_id": 12, "cot_ids": [5, 0], "rewards": [[0.5, None], [1]]}


def write(folder: Path, **files: Any) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in files.items():
        (folder / f"{name}.json").write_text(json.dumps(rows))
    return str(folder)


def test_a_folder_in_multi_rms_layout(tmp_path: Path) -> None:
    place = write(
        tmp_path / "d", math=[POOL], law=[POOL], law_reward=[REWARD], math_reward=[REWARD]
    )
    solutions = read_solutions(place)
    assert solutions.schema == SOLUTIONS.columns
    assert [
        (row["dataset"], row["category"], row["question_id"], row["solution_id"])
        for row in solutions.to_pylist()
    ] == [
        ("d", "law", "12", 0),
        ("d", "law", "12", 5),
        ("d", "math", "12", 0),
        ("d", "math", "12", 5),
    ]
    assert solutions["steps"].to_pylist()[:2] == [["One.", "Two."], ["Three.", "Four."]]
    assert solutions["parsed_answer"].to_pylist()[:2] == ["(b)", None]
    assert solutions["outcome"].to_pylist()[:2] == [1, 0]
    rewards = read_rewards(place, "dPRM", "other")
    assert rewards.schema == REWARDS.columns
    assert rewards.to_pylist()[0] == {
        "dataset": "other",
        "category": "law",
        "question_id": "12",
        "solution_id": 5,
        "model": "dPRM",
        "rewards": [0.5, None],
        "n_tokens_read": None,
        "n_tokens_generated": None,
        "flops": None,
        "truncated": None,
        "unit": None,
        "scale": None,
    }
    assert read_rewards(f"{place}/law_reward.json", "dPRM")["dataset"].to_pylist() == ["d", "d"]


def test_missing_rewards_are_null_and_numbers_are_lists_of_one(tmp_path: Path) -> None:
    rewards = [[math.nan, 0.25], [None], [], math.nan, None, 1]
    row = {"q_id": "1", "cot_ids": [*range(6)], "rewards": rewards}
    place = write(tmp_path, law_reward=[row])
    found = read_rewards(place, "m")["rewards"].to_pylist()
    assert found == [[None, 0.25], [None], [], [None], [None], [1.0]]


def test_rewards_keep_their_digits(tmp_path: Path) -> None:
    digits = {"q_id": "1", "cot_ids": [0], "rewards": [[0.1]]}
    place = write(tmp_path / "d", law_reward=[digits], math_reward=[REWARD])
    rewards = read_rewards(place, "m")
    assert rewards["rewards"].to_pylist()[0] == [0.1]
    output = tmp_path / "law.parquet"
    parquet.write(output, REWARDS, rewards, made_of())
    assert parquet.read(output, REWARDS)["rewards"].to_pylist()[0] == [0.1]


def test_folders_of_tables_are_read_without_their_critiques(tmp_path: Path) -> None:
    theirs = write(tmp_path / "d", law=[POOL], math=[POOL], law_reward=[REWARD])
    solutions, rewards = read_solutions(theirs), read_rewards(theirs, "dPRM")
    for folder, schema, table in (
        (tmp_path / "s", SOLUTIONS, solutions),
        (tmp_path / "r", REWARDS, rewards),
    ):
        for name in sorted(set(table["category"].to_pylist())):
            rows = [row for row in table.to_pylist() if row["category"] == name]
            parquet.write(folder / f"{name}.parquet", schema, rows, made_of())
    (tmp_path / "r" / "law.critiques.parquet").write_text("")
    assert read_solutions(str(tmp_path / "s")) == solutions
    assert read_rewards(str(tmp_path / "r")) == rewards
    assert set(read_rewards(str(tmp_path / "r"), "other")["model"].to_pylist()) == {"other"}
    found = table_files(str(tmp_path / "r"), REWARDS)
    assert [file.name for file in found] == ["law.parquet"]
    with pytest.raises(InputError, match=r"expected rewards, .*, found only tables of solutions"):
        read_rewards(str(tmp_path / "s"), "m")
    with pytest.raises(InputError, match=r"law.parquet: expected a table of rewards version 3"):
        read_rewards(str(tmp_path / "s" / "law.parquet"), "m")


def test_a_folder_of_splits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "theirs"
    (folder / "data").mkdir(parents=True)
    pool = POOL | {"cots": [["One."], ["Two."]]}
    for split in ("math", "law"):
        pq.write_table(
            pa.Table.from_pylist([pool]), folder / "data" / f"{split}-00000-of-00001.parquet"
        )
    solutions = read_solutions(str(folder))
    assert set(solutions["category"].to_pylist()) == {"math", "law"}
    assert set(solutions["dataset"].to_pylist()) == {"theirs"}
    with pytest.raises(InputError, match=r"split \w+, row 1: expected the key rewards, found the"):
        read_rewards(str(folder), "m")


def test_code_in_a_dataset_is_not_run(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    (folder / "data").mkdir(parents=True)
    (folder / "theirs.py").write_text("raise SystemExit('was run')")
    with pytest.raises(InputError, match=r"found only data, theirs.py"):
        read_solutions(str(folder))
    (folder / "data" / "law-of-the-land").write_text("")
    with pytest.raises(InputError, match=r"expected a folder of tables, .* or a hub name"):
        read_solutions(str(folder))


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        (
            {"law_reward": [REWARD]},
            r"expected solutions, as {category}.json, found only law_reward",
        ),
        ({"law": [POOL, 3]}, r"law.json, row 2: expected a JSON object, found 3"),
        ({"law": []}, r"law.json: expected at least one row"),
        ({"law": [POOL | {"cot_ids": [0, True]}]}, r"row 1, key cot_ids\[1\]: expected a whole"),
        (
            {"law": [POOL | {"cot_ids": [0, 2**31]}]},
            r"solution 1 of cots: .*solution_id in 32 bits",
        ),
        ({"law": [POOL | {"cots": [["x"], {"y": 1}]}]}, r"solution 1 of cots, key cot: expected a"),
        (
            {"law": [POOL | {"cots": [["x"], [" "]]}]},
            "solution 1 of cots: expected steps with text",
        ),
        ({"law": [POOL | {"question": "\ud800"}]}, "key question: .*half a surrogate pair"),
        ({"law": [POOL | {"q_id": " "}]}, "row 1, solution 0 of cots, key q_id: expected a text"),
        (
            {"law": [POOL | {"labels": [[1], [1]]}]},
            "solution 0 of cots, key labels: expected a lab",
        ),
        ({"law": [POOL | {"outcomes": [1]}]}, "key outcomes: expected one entry for each of 2"),
    ],
)
def test_bad_solutions_are_named(tmp_path: Path, files: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint) as caught:
        read_solutions(write(tmp_path, **files))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"rewards": [[0.5]]}, "key rewards: expected one entry for each of 2 cot_ids"),
        ({"rewards": [[0.5], [True]]}, r"key rewards\[1\]\[0\]: expected a finite number"),
        ({"rewards": [[0.5], ["1"]]}, r"key rewards\[1\]\[0\]: expected a finite number"),
        ({"rewards": [[0.5], [10**400]]}, r"key rewards\[1\]\[0\]: expected a finite number"),
        (
            {"n_tokens_read": [1]},
            "key n_tokens_read: expected one entry for each of 2 cot_ids",
        ),
        ({"flops": [1, "2"]}, r"key flops\[1\]: expected a finite number, or null, found '2'"),
        ({"truncated": [True, 0]}, r"key truncated\[1\]: expected true, false or null, found 0"),
    ],
)
def test_bad_rewards_are_named(tmp_path: Path, changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=f"law_reward.json, row 1, {complaint}"):
        read_rewards(write(tmp_path, law_reward=[REWARD | changes]), "m")


def test_an_empty_place(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="or a hub name, found nothing of that name"):
        read_solutions(f"{tmp_path}/nowhere/")
    with pytest.raises(
        InputError, match=r"expected rewards, as {category}_reward.json, found only"
    ):
        read_rewards(write(tmp_path, law=[POOL]), "m")
    with pytest.raises(InputError, match=r"law.json: expected a JSON file, found no such file"):
        read_solutions(f"{tmp_path}/none/law.json")
    with pytest.raises(InputError, match=r"law.parquet: expected a Parquet table, found no such"):
        read_solutions(f"{tmp_path}/law.parquet")
    with pytest.raises(InputError, match="row 1: expected the model's name, found none"):
        read_rewards(write(tmp_path, law_reward=[REWARD]))


def test_names_of_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "MMLU-Pro_x", law=[POOL])
    monkeypatch.chdir(tmp_path / "MMLU-Pro_x")
    assert dataset_name("somebody/MMLU-Pro_x") == "MMLU-Pro_x"
    for place in (".", "law.json", f"{tmp_path}/MMLU-Pro_x/"):
        assert dataset_name(place) == "MMLU-Pro_x"


TEXTS = st.sampled_from(["", " ", "a", " a b\n", "A", "(c)", "1,000", "7.0", "x\n\ny", "\n \n"])
IDS = TEXTS | st.integers(-3, 3)
ROUGH_POOLS = st.fixed_dictionaries(
    {
        "q_id": IDS,
        "question": TEXTS,
        "answer": TEXTS | st.none(),
        "cot_ids": st.lists(st.integers(0, 5), max_size=3),
        "cots": st.lists(TEXTS | st.lists(TEXTS, max_size=3), max_size=3),
        "parsed_answers": st.lists(TEXTS | st.none(), max_size=3),
    }
)
SOUND_POOLS = st.integers(1, 3).flatmap(
    lambda n: st.fixed_dictionaries(
        {
            "q_id": st.integers(0, 9) | st.just(" 7"),
            "question": st.just(" Which? "),
            "answer": TEXTS | st.none(),
            "cot_ids": st.lists(st.integers(0, 5), min_size=n, max_size=n),
            "cots": st.lists(
                st.just("x\n\ny") | st.lists(st.just(" a "), min_size=1), min_size=n, max_size=n
            ),
            "parsed_answers": st.lists(TEXTS | st.none(), min_size=n, max_size=n),
        }
    )
)
NUMBERS = st.none() | st.sampled_from([0, 1, 0.5, 0.1, math.nan, 1.5, True, "1"])
REWARD_ROWS = st.integers(0, 3).flatmap(
    lambda n: st.fixed_dictionaries(
        {
            "q_id": IDS,
            "cot_ids": st.lists(st.integers(0, 5), min_size=n, max_size=n),
            "rewards": st.lists(NUMBERS | st.lists(NUMBERS, max_size=3), min_size=n, max_size=n),
        }
    )
)


def carefully(
    rows: list[Any], schema: Schema, names: dict[str, str], **options: bool
) -> pa.Table | None:
    """The table that the row-by-row reader gives; None if it refuses."""
    read: Callable[..., Iterator[Any]] = multi_rm.solutions
    if schema is REWARDS:
        read = multi_rm.rewards
    records = [Record("", values) for values in rows]
    try:
        found = [row | names for _, row in read(records, "law", **options)]
    except InputError:
        return None
    return None if any(map(schema.check_row, found)) else as_table(found, schema)


@given(st.lists(SOUND_POOLS | ROUGH_POOLS, min_size=1, max_size=3), st.booleans())
def test_both_readers_agree_on_solutions(rows: list[Any], judged: bool) -> None:
    expected = carefully(rows, SOLUTIONS, {"dataset": "d"}, judged=judged)
    if expected is None:
        with pytest.raises(InputError):
            solutions_table(rows, "f", "law", "d", judged)
    else:
        found = solutions_table(rows, "f", "law", "d", judged)
        assert found.to_pylist() == expected.to_pylist()


def test_outcomes_are_null_if_answers_are_compared_later(tmp_path: Path) -> None:
    """Unless the rows give them or there is no answer to compare with."""
    ((_, found),) = solution_parts(write(tmp_path, law=[POOL]), judged=False)
    assert found["parsed_answer"].to_pylist() == ["(b)", None]
    assert found["outcome"].to_pylist() == [None, None]
    ((_, found),) = solution_parts(write(tmp_path, law=[POOL | {"outcomes": [0, 1]}]), judged=False)
    assert found["parsed_answer"].to_pylist() == ["(b)", None]
    assert found["outcome"].to_pylist() == [0, 1]


@given(st.lists(REWARD_ROWS, min_size=1, max_size=3))
def test_both_readers_agree_on_rewards(rows: list[Any]) -> None:
    expected = carefully(rows, REWARDS, {"dataset": "d", "model": "m"})
    if expected is None:
        with pytest.raises(InputError):
            rewards_table(rows, "f", "law", "d", "m")
    else:
        assert rewards_table(rows, "f", "law", "d", "m") == expected


@pytest.mark.parametrize(
    ("name", "found"), [("law.jsonl", "only law.jsonl"), ("", "an empty folder")]
)
def test_a_folder_without_our_files_is_not_looked_up_on_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, found: str
) -> None:
    """Nor read by `datasets`, which would take every file for the split `train`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    if name:
        (tmp_path / "mine" / name).write_text(json.dumps(POOL))
    monkeypatch.setattr(multi_rm, "splits", None)
    for place in ("mine", str(tmp_path / "mine")):
        with pytest.raises(InputError, match=f"mine: expected solutions, .*, found {found}"):
            read_solutions(place)
    with pytest.raises(InputError, match=r"expected rewards, as tables or as {category}_reward.js"):
        read_rewards("mine")


def test_a_missing_place_is_one_line_at_once(tmp_path: Path) -> None:
    """Nothing listens at the address, as without a connection."""
    script = (
        "import logging\nlogging.basicConfig(level=logging.INFO)\n"
        "from multirm.formats.layouts import read_solutions\n"
        "from multirm.errors import InputError\n"
        "try:\n    read_solutions('no/folder')\n"
        "except InputError as error:\n    print(error)\n"
    )
    unset = {"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"}
    unset |= {f"{name}_proxy" for name in ("http", "https", "all")}
    environment = {name: value for name, value in os.environ.items() if name.lower() not in unset}
    environment = {n: v for n, v in environment.items() if n not in unset}
    environment |= {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("no/folder: expected a folder of tables, a folder in")
    assert "and no connection to the hub" in done.stdout
    assert f"found no such folder below {Path.cwd()}" in done.stdout
    assert done.stderr == ""
    assert "datasets" not in done.stdout
