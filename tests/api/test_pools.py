"""Pools from frames, files and tables."""

import csv
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import multirm
from multirm.data.import_own import import_own
from multirm.errors import InputError
from multirm.formats.own.columns import StepRule
from multirm.formats.own.options import OwnOptions
from multirm.tables import parquet
from multirm.tables.rewards import REWARDS
from multirm.tables.solutions import SOLUTIONS

Rows = list[dict[str, Any]]


def test_a_frame_is_read_as_the_command_reads_a_file(
    tmp_path: Path, rows: Rows, said: dict[str, Any]
) -> None:
    file = tmp_path / "own.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    import_own(
        [str(file)],
        tmp_path / "command",
        OwnOptions(columns=["category=subject", "solution_id=sample"], split=StepRule.BLANK_LINES),
        rewards=["skywork=skywork", "prm=prm"],
        unit=["prm=step"],
        scale=["prm=probability"],
    )
    multirm.Pools.from_frame(rows, **said).write(tmp_path / "frame")
    multirm.Pools.from_file(file, **said).write(str(tmp_path / "file"))
    written = sorted((tmp_path / "command").rglob("*.parquet"))
    assert len(written) == 6
    for path in written:
        schema = SOLUTIONS if "data" in path.parts else REWARDS
        expected = parquet.read(path, schema)
        for folder in ("frame", "file"):
            same = tmp_path / folder / path.relative_to(tmp_path / "command")
            assert sorted(map(str, parquet.read(same, schema).to_pylist())) == sorted(
                map(str, expected.to_pylist())
            )


def test_data_frames_of_pools(rows: Rows, said: dict[str, Any]) -> None:
    pools = multirm.Pools.from_frame(rows, **said)
    assert pools.models == ["skywork", "prm"]
    assert repr(pools) == "Pools of own: 20 questions, 80 solutions; rewards of skywork, prm"
    assert list(pools.solutions.columns) == SOLUTIONS.columns.names
    assert pools.solutions["steps"][0].tolist() == ["Think.", "So it is."]
    assert pools.rewards.groupby("model").size().to_dict() == {"skywork": 80, "prm": 80}
    bare = multirm.Pools.from_frame(rows, columns=said["columns"])
    assert list(bare.rewards.columns) == REWARDS.columns.names and bare.rewards.empty


def test_rewards_in_a_frame_of_their_own(rows: Rows, said: dict[str, Any]) -> None:
    beside = pd.DataFrame(
        {"qid": [row["qid"] for row in rows], "solution_id": [row["sample"] for row in rows]}
    )
    beside["reward"] = range(80)
    shuffled = beside.sample(frac=1, random_state=3)
    given = {"columns": said["columns"], "rewards": {"mine": shuffled}}
    found = multirm.Pools.from_frame(rows, **given).rewards
    assert {
        (row.question_id, row.solution_id): row.rewards.tolist() for row in found.itertuples()
    } == {(row["qid"], row["sample"]): [number] for number, row in enumerate(rows)}


def test_pools_are_read_from_what_they_wrote(
    tmp_path: Path, rows: Rows, said: dict[str, Any]
) -> None:
    pools = multirm.Pools.from_frame(rows, **said, dataset="mine")
    pools.write(tmp_path)
    places = {model: tmp_path / "rewards" / model / "mine" for model in pools.models}
    again = multirm.Pools.read(tmp_path / "data" / "mine", places)
    key = ["question_id", "solution_id"]
    for name in ("solutions", "rewards"):
        one, other = (
            getattr(each, name).sort_values([*key, *(["model"] if name == "rewards" else [])])
            for each in (pools, again)
        )
        assert one.astype(str).values.tolist() == other.astype(str).values.tolist()
    assert repr(again).startswith(f"Pools of {tmp_path / 'data' / 'mine'}; rewards of skywork, prm")


def test_everything_that_is_wrong_is_said_in_words_of_python(rows: Rows) -> None:
    frame = pd.DataFrame(rows).rename(columns={"gold": "reference", "qid": "number"})
    with pytest.raises(InputError) as caught:
        multirm.Pools.from_frame(frame, rewards={"m": "skywrok"}, columns={"stepz": "response"})
    message = str(caught.value)
    assert "rewards={'m': 'skywrok'}" in message and "did you mean skywork?" in message
    assert (
        "columns={'stepz': 'response'}" in message and "columns={'answer': 'reference'}" in message
    )
    assert "--" not in message and "<" not in message


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": "blank"}, "^split: expected whole, blank_lines, lines or step_markers"),
        ({"scale": "prob"}, "^scale: expected probability or score, found 'prob'"),
        ({"unit": {"prm": "token"}}, "^unit: expected step, critique or solution, found 'token'"),
        ({"scale": "probability"}, "use scale={'skywork': 'score'}"),
        ({"rewards": {"m": 3}}, "^rewards of m: expected a data frame"),
        (
            {"rewards": ["skywork"]},
            r"^rewards: expected a dict, such as \{'mine': 'score'\}, .* found",
        ),
        ({"rewards": "skywork"}, r"^rewards: expected a dict"),
        ({"correct": 3}, r"^correct: expected a text, found 3"),
        ({"dataset": 3}, r"^dataset: expected a text, found 3"),
        ({"columns": {3: "gold"}}, r"^columns: expected a dict, such as \{'steps': 'response'\}"),
        (
            {"unit": ["step"]},
            r"^unit: expected a dict, such as \{'MODEL': 'step'\}, found \['step'\]",
        ),
    ],
)
def test_wrong_words_are_refused(
    rows: Rows, said: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        multirm.Pools.from_frame(rows, **{**said, **changes})


def test_a_file_is_not_asked_for_what_nobody_knows(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^from_file: .*found 'colums'; did you mean columns\?"):
        multirm.Pools.from_file(tmp_path / "x.csv", colums={})  # type: ignore[call-arg]


def test_a_frame_is_no_place(rows: Rows) -> None:
    frame = pd.DataFrame(rows)
    for wrong in (frame, [frame], 3):
        with pytest.raises(
            InputError, match=r"^solutions: .*; Pools\.from_frame takes data frames"
        ):
            multirm.Pools.read(wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"^rewards of m: expected a path or several, found dict"):
        multirm.Pools.read("data", {"m": {}})  # type: ignore[dict-item]


def test_what_is_printed_cannot_control_a_terminal(rows: Rows, said: dict[str, Any]) -> None:
    pools = multirm.Pools.from_frame(rows, **said, dataset="x\x1b[31m")
    assert "\x1b" not in repr(pools) and r"\x1b" in repr(pools)
    evaluation = multirm.evaluate(pools, "mean", n=2)
    assert "\x1b" not in str(evaluation) + repr(evaluation) + evaluation._repr_html_()
    assert len(str(evaluation).splitlines()) > 4


def test_places_are_needed() -> None:
    with pytest.raises(InputError, match=r"^solutions: expected at least one place, found none"):
        multirm.Pools.read([])
    with pytest.raises(InputError, match=r"^nowhere"):
        _ = multirm.Pools.read("nowhere/at/all").solutions


def test_a_name_that_leads_elsewhere_is_not_written(
    tmp_path: Path, rows: Rows, said: dict[str, Any]
) -> None:
    pools = multirm.Pools.from_frame(rows, **said)
    table = pools.rewards_table("prm")
    with pytest.raises(InputError, match=r"names that files can have, found '\.\./x'"):
        pools.with_rewards("../x", table).write(tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_csv_file_from_pandas(tmp_path: Path, rows: Rows) -> None:
    file = tmp_path / "mine.csv"
    pd.DataFrame(rows).drop(columns="prm").to_csv(file, index=False, quoting=csv.QUOTE_ALL)
    pools = multirm.Pools.from_file(file, rewards={"skywork": "skywork"}, correct="is_correct")
    assert pools.solutions["outcome"].tolist() == [
        int(row["is_correct"]) for row in sorted(rows, key=lambda row: (row["qid"], row["sample"]))
    ]
    assert pools.solutions["dataset"].unique().tolist() == ["mine"]
