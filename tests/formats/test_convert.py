"""Conversion between tables and Multi-RM's layout, in both directions, without loss."""

import json
import logging
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.errors import InputError
from multirm.formats.convert import convert
from multirm.formats.layouts import Content, Layout, read_rewards, read_solutions
from multirm.tables import parquet
from multirm.tables.questions import QUESTIONS
from multirm.tables.rewards import REWARDS
from multirm.tables.schema import Schema
from multirm.tables.solutions import SOLUTIONS
from tests.origins import made_of

SOLUTION: dict[str, Any] = {
    "dataset": "d",
    "category": "law",
    "question_id": "7",
    "solution_id": 0,
    "question": "Which?",
    "answer": "B",
    "steps": ["One.", "Two."],
    "parsed_answer": "B",
    "outcome": 1,
    "step_labels": None,
}
REWARD: dict[str, Any] = {
    "dataset": "d",
    "category": "law",
    "question_id": "7",
    "solution_id": 0,
    "model": "dPRM",
    "rewards": [0.5, None],
    "truncated": None,
}
POOL: dict[str, Any] = {
    "q_id": "7",
    "question": "Which?",
    "answer": "B",
    "cot_ids": [0, 1],
    "cots": [["One.", "Two."], ["Three."]],
    "parsed_answers": ["B", None],
}
PUBLISHED_REWARD: dict[str, Any] = {"q_id": "7", "cot_ids": [0, 1], "rewards": [[0.5], [0.25]]}


def write_tables(folder: Path, schema: Schema, rows: list[Any]) -> str:
    for name in sorted({row["category"] for row in rows}):
        own = [row for row in rows if row["category"] == name]
        parquet.write(folder / f"{name}.parquet", schema, own, made_of())
    return str(folder)


def write_json(folder: Path, **files: Any) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in files.items():
        (folder / f"{name}.json").write_text(json.dumps(rows))
    return str(folder)


def read_json(folder: Path) -> dict[str, Any]:
    return {file.stem: json.loads(file.read_text()) for file in folder.iterdir()}


# Texts that a careless conversion would strip, respell, split or take for a number.
TEXTS = st.sampled_from(
    ["", " ", "a", " a\n", "B", "b", "(c)", "1,000", "7.0", "x\n\ny", "ä\u2028", "12"]
)
STEPS = st.lists(TEXTS.filter(lambda text: text.strip() != ""), min_size=1, max_size=3)
NAMES = st.sampled_from(["d", "other", " d", ""])


@st.composite
def solution_tables(draw: st.DrawFn) -> list[dict[str, Any]]:
    rows = []
    for category, question_id, solution_id in draw(
        st.lists(
            st.tuples(st.sampled_from(["law", "math"]), TEXTS, st.integers(-1, 3)),
            min_size=1,
            max_size=8,
            unique=True,
        )
    ):
        steps = draw(STEPS)
        labels = st.lists(st.integers(0, 1), min_size=len(steps), max_size=len(steps))
        rows.append(
            {
                "dataset": draw(NAMES),
                "category": category,
                "question_id": question_id,
                "solution_id": solution_id,
                "question": draw(TEXTS),
                "answer": draw(st.none() | TEXTS),
                "steps": steps,
                "parsed_answer": draw(st.none() | TEXTS),
                "outcome": draw(st.sampled_from([None, 0, 1])),
                "step_labels": draw(st.none() | labels),
            }
        )
    return rows


FLOATS = st.none() | st.floats(0, 1, width=32)


@st.composite
def reward_tables(draw: st.DrawFn) -> list[dict[str, Any]]:
    keys = st.tuples(st.sampled_from(["law", "math"]), TEXTS, st.integers(-1, 3), NAMES)
    return [
        {
            "dataset": draw(NAMES),
            "category": category,
            "question_id": question_id,
            "solution_id": solution_id,
            "model": model,
            "rewards": draw(st.lists(FLOATS, max_size=3)),
            "n_tokens_read": draw(st.none() | st.integers(0, 9)),
            "n_tokens_generated": draw(st.none() | st.integers(0, 9)),
            "flops": draw(st.none() | st.floats(0, 1e18)),
            "truncated": draw(st.none() | st.booleans()),
        }
        for category, question_id, solution_id, model in draw(
            st.lists(keys, min_size=1, max_size=8, unique=True)
        )
    ]


def assert_same_there_and_back(schema: Schema, rows: list[Any]) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        place = write_tables(folder / "ours", schema, rows)
        convert(place, folder / "theirs", Layout.PUBLISHED)
        convert(str(folder / "theirs"), folder / "back", Layout.TABLES)
        files = sorted(file.name for file in (folder / "ours").iterdir())
        assert files
        assert sorted(file.name for file in (folder / "back").iterdir()) == files
        for file in files:
            ours, back = folder / "ours" / file, folder / "back" / file
            assert parquet.read(back, schema) == parquet.read(ours, schema)


@given(solution_tables())
def test_solutions_come_back_row_for_row(rows: list[Any]) -> None:
    assert_same_there_and_back(SOLUTIONS, rows)


@given(reward_tables())
def test_rewards_come_back_row_for_row(rows: list[Any]) -> None:
    assert_same_there_and_back(REWARDS, rows)


SAID = st.sampled_from(["Which?", "two\nlines", "ä", "12"])
# Answers in the spelling of a reference answer: choices, numbers, texts, or anything at all.
SPELLED = {
    "B": ["B", "J", "b c"],
    "1000": ["1000", "0.5", "b c"],
    "so": ["so", "b"],
    None: ["B", "b"],
}


@st.composite
def published_solutions(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A well-formed file: ids of one type, each question once, answers in one spelling, texts stripped."""
    as_number, joined, training = draw(st.tuples(*[st.booleans()] * 3))
    ids = st.integers(0, 20)
    rows: list[dict[str, Any]] = []
    for number in draw(st.lists(ids, min_size=1, max_size=4, unique=True)):
        question = {"q_id": number if as_number else str(number), "question": draw(SAID)}
        answer = draw(st.sampled_from(list(SPELLED)))
        cot_ids = draw(st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True))
        cots: list[Any] = [draw(st.lists(SAID, min_size=1, max_size=3)) for _ in cot_ids]
        ratings = [[draw(st.sampled_from([1, -1])) for _ in cot] for cot in cots]
        cots = ["\n\n".join(cot) for cot in cots] if joined else cots
        parsed = [draw(st.none() | st.sampled_from(SPELLED[answer])) for _ in cot_ids]
        if training:
            rows += [
                {
                    **question,
                    "cot_id": cot_id,
                    "cot": cot,
                    "parsed_answer": said,
                    "answer": answer,
                    "labels": rated,
                }
                for cot_id, cot, said, rated in zip(cot_ids, cots, parsed, ratings, strict=True)
            ]
        else:
            rows.append(
                {
                    **question,
                    "answer": answer,
                    "cot_ids": cot_ids,
                    "cots": cots,
                    "parsed_answers": parsed,
                }
            )
    return rows


@st.composite
def published_rewards(draw: st.DrawFn) -> list[dict[str, Any]]:
    single, as_number = draw(st.booleans()), draw(st.booleans())
    numbers = st.none() | st.floats(0, 1) | st.sampled_from([0.1, 1])
    each = numbers if single else st.lists(numbers, max_size=3)
    return [
        {
            "q_id": number if as_number else str(number),
            "cot_ids": ids,
            "rewards": [draw(each) for _ in ids],
        }
        for number in draw(st.lists(st.integers(0, 20), min_size=1, max_size=4, unique=True))
        for ids in [draw(st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True))]
    ]


@given(published_solutions(), published_rewards())
def test_json_files_come_back_value_for_value(solutions: list[Any], rewards: list[Any]) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        place = write_json(folder / "d", law=solutions, law_reward=rewards)
        convert(place, folder / "s", Layout.TABLES, table=Content.SOLUTIONS)
        convert(place, folder / "r", Layout.TABLES, table=Content.REWARDS, model="m")
        convert(str(folder / "s"), folder / "back", Layout.PUBLISHED)
        convert(str(folder / "r"), folder / "back", Layout.PUBLISHED)
        assert read_json(folder / "back") == {"law": solutions, "law_reward": rewards}


def test_our_own_keys_are_written_only_where_needed(tmp_path: Path) -> None:
    plain = SOLUTION | {"category": "plain"}
    judged = SOLUTION | {"category": "judged", "outcome": 0}
    labelled = SOLUTION | {"category": "labelled", "step_labels": [1, 0]}
    untidy = SOLUTION | {"category": "untidy", "question": " Which?"}
    ours = write_tables(tmp_path / "ours", SOLUTIONS, [plain, judged, labelled, untidy])
    convert(ours, tmp_path / "theirs", Layout.PUBLISHED)
    found = read_json(tmp_path / "theirs")
    keys = {"q_id", "question", "answer", "cot_ids", "cots", "parsed_answers", "dataset"}
    assert set(found["plain"][0]) == keys
    assert found["plain"][0]["dataset"] == "d"
    assert found["judged"] == [found["plain"][0] | {"outcomes": [0]}]
    assert found["labelled"] == [found["plain"][0] | {"labels": [[1, -1]]}]
    assert found["untidy"] == [found["plain"][0] | {"question": " Which?", "verbatim": True}]
    costs = {"n_tokens_read": 3, "n_tokens_generated": 0, "flops": 1e9}
    rewards = [REWARD, REWARD | {"solution_id": 1, **costs, "truncated": False}]
    ours = write_tables(tmp_path / "rewards", REWARDS, rewards)
    convert(ours, tmp_path / "theirs", Layout.PUBLISHED)
    assert read_json(tmp_path / "theirs")["law_reward"] == [
        {
            "q_id": "7",
            "cot_ids": [0, 1],
            "rewards": [[0.5, None], [0.5, None]],
            "n_tokens_read": [None, 3],
            "n_tokens_generated": [None, 0],
            "flops": [None, 1e9],
            "truncated": [None, False],
            "dataset": "d",
            "model": "dPRM",
        }
    ]


def test_converted_files_are_read_as_the_tables_are(tmp_path: Path) -> None:
    solutions = write_tables(tmp_path / "s", SOLUTIONS, [SOLUTION])
    rewards = write_tables(tmp_path / "r", REWARDS, [REWARD])
    theirs = tmp_path / "theirs"
    convert(solutions, theirs, Layout.PUBLISHED)
    convert(rewards, theirs, Layout.PUBLISHED)
    assert read_solutions(str(theirs), "asked for") == read_solutions(solutions)
    assert read_rewards(str(theirs), "mine", "asked for") == read_rewards(rewards, "mine")


def test_the_footer_says_where_a_table_came_from(tmp_path: Path) -> None:
    place = write_json(tmp_path / "d", law=[POOL])
    convert(place, tmp_path / "ours", Layout.TABLES)
    footer = parquet.read_footer(tmp_path / "ours" / "law.parquet")
    assert list(footer.inputs) == ["law.json"]
    assert footer.parameters["category"] == "law"
    rows = parquet.read(tmp_path / "ours" / "law.parquet", SOLUTIONS).to_pylist()
    assert {row["dataset"] for row in rows} == {"d"}


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"source": "x"}, "source"),
        ({"question": " Which?"}, "question"),
        ({"parsed_answers": ["(b) ", None]}, "parsed_answers"),
    ],
)
def test_what_tables_do_not_keep_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, changes: dict[str, Any], key: str
) -> None:
    other = POOL | {"q_id": "8"}
    place = write_json(tmp_path / "d", law=[POOL, other | changes], math=[POOL])
    with caplog.at_level(logging.WARNING):
        convert(place, tmp_path / "ours", Layout.TABLES)
    (warning,) = caplog.messages
    assert "law.json: 1 of 2 rows lose something" in warning
    assert warning.endswith(f"the first is row 2, key {key}")


def test_errors_leave_existing_files_alone(tmp_path: Path) -> None:
    place = write_json(tmp_path / "d", law=[POOL])
    convert(place, tmp_path / "ours", Layout.TABLES)
    before = (tmp_path / "ours" / "law.parquet").read_bytes()
    write_json(tmp_path / "d", law=[POOL | {"answer": "C"}], math=[POOL, POOL])
    with pytest.raises(
        InputError, match=r"math.json: expected each solution once, found .*d/math/7/0, d/"
    ):
        convert(place, tmp_path / "ours", Layout.TABLES)
    assert [file.name for file in (tmp_path / "ours").iterdir()] == ["law.parquet"]
    assert (tmp_path / "ours" / "law.parquet").read_bytes() == before


def test_inconsistent_command_lines(tmp_path: Path) -> None:
    both = write_json(tmp_path / "d", law=[POOL], law_reward=[])
    ours = write_tables(tmp_path / "ours", SOLUTIONS, [SOLUTION])
    output = tmp_path / "out"
    with pytest.raises(InputError, match="found rewards and solutions; choose one with --table"):
        convert(both, output, Layout.TABLES)
    with pytest.raises(InputError, match="expected tables, found Multi-RM's layout"):
        convert(both, output, Layout.PUBLISHED)
    with pytest.raises(InputError, match="nowhere: expected tables, found none"):
        convert(f"{tmp_path}/nowhere", output, Layout.PUBLISHED)
    with pytest.raises(InputError, match="expected Multi-RM's layout, found tables"):
        convert(ours, output, Layout.TABLES)
    with pytest.raises(InputError, match="expected tables, found only tables of solutions"):
        convert(ours, output, Layout.PUBLISHED, table=Content.REWARDS)
    for category in ("a/b", "law_reward", ".law", "..", ""):
        row = SOLUTION | {"category": category}
        odd = tmp_path / "odd" / "t.parquet"
        parquet.write(odd, SOLUTIONS, [row], made_of())
        with pytest.raises(InputError, match="expected a category that can be a file name"):
            convert(str(odd), output, Layout.PUBLISHED)
    assert not output.exists()


def test_rewards_keep_their_digits_in_json(tmp_path: Path) -> None:
    single = float(np.float32(0.1))
    rows = [{"q_id": "7", "cot_ids": [0, 1], "rewards": [[0.1], [single]]}]
    place = write_json(tmp_path / "d", law_reward=rows)
    convert(place, tmp_path / "ours", Layout.TABLES, model="m")
    convert(str(tmp_path / "ours"), tmp_path / "back", Layout.PUBLISHED)
    assert read_json(tmp_path / "back") == {"law_reward": rows}


def test_tables_of_another_kind_are_not_replaced(tmp_path: Path) -> None:
    both = write_json(tmp_path / "d", law=[POOL], law_reward=[PUBLISHED_REWARD])
    output = tmp_path / "ours"
    convert(both, output, Layout.TABLES, table=Content.SOLUTIONS)
    before = (output / "law.parquet").read_bytes()
    with pytest.raises(InputError, match=r"ours/law.parquet: expected a table of rewards to repl"):
        convert(both, output, Layout.TABLES, table=Content.REWARDS, model="m")
    convert(both, output, Layout.TABLES, table=Content.SOLUTIONS)
    assert (output / "law.parquet").read_bytes() == before
    (output / "law.parquet").write_text("somebody's")
    with pytest.raises(
        InputError, match=r"expected a table of solutions to replace, .* else; choose"
    ):
        convert(both, output, Layout.TABLES, table=Content.SOLUTIONS)
    assert (output / "law.parquet").read_text() == "somebody's"


def test_an_unwritable_output_is_refused_first(tmp_path: Path) -> None:
    place = write_json(tmp_path / "d", law=[POOL])
    for output in ("d/law.json", "d/law.json/below"):
        with pytest.raises(InputError, match="expected a folder to write to, found the file"):
            convert(place, tmp_path / output, Layout.TABLES)
    assert json.loads((tmp_path / "d" / "law.json").read_text()) == [POOL]


def test_other_tables_in_the_folder_are_ignored(tmp_path: Path) -> None:
    ours = tmp_path / "ours"
    write_tables(ours, SOLUTIONS, [SOLUTION])
    question = {"dataset": "d", "category": "law", "question_id": "7"}
    question |= {"question": "Which?", "options": None, "answer": "B"}
    parquet.write(ours / "questions.parquet", QUESTIONS, [question], made_of())
    convert(str(ours), tmp_path / "theirs", Layout.PUBLISHED)
    assert set(read_json(tmp_path / "theirs")) == {"law"}


FORMS: list[Any] = [{"named": 5}, 7, {"training": "x"}, [1], {"named": [[]]}]


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_a_footer_from_elsewhere_may_be_invalid(tmp_path: Path, form: Any) -> None:
    (tmp_path / "law.json").write_text(json.dumps([POOL]))
    convert(str(tmp_path / "law.json"), tmp_path / "t", Layout.TABLES)
    path = tmp_path / "t" / "law.parquet"
    footer = json.loads(pq.read_metadata(path).metadata[b"multirm"])
    footer["parameters"]["published"] = form
    table = pq.read_table(path).replace_schema_metadata({b"multirm": json.dumps(footer)})
    pq.write_table(table, path)
    with pytest.raises(InputError, match=r"law\.parquet: expected a footer that describes"):
        convert(str(path), tmp_path / "back", Layout.PUBLISHED)


def test_tables_from_elsewhere_are_recognized_by_their_columns(tmp_path: Path) -> None:
    (tmp_path / "law.json").write_text(json.dumps([POOL]))
    convert(str(tmp_path / "law.json"), tmp_path / "t", Layout.TABLES)
    path = tmp_path / "t" / "law.parquet"
    pq.read_table(path).to_pandas().to_parquet(tmp_path / "theirs.parquet")
    convert(str(tmp_path / "theirs.parquet"), tmp_path / "back", Layout.PUBLISHED)
    assert (tmp_path / "back" / "law.json").exists()
    pq.write_table(pa.table({"a": [1]}), tmp_path / "strange.parquet")
    with pytest.raises(InputError, match="either solutions or rewards, found neither; choose one"):
        convert(str(tmp_path / "strange.parquet"), tmp_path / "back", Layout.PUBLISHED)


def test_a_category_too_long_for_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "law.json").write_text(json.dumps([POOL]))
    convert(str(tmp_path / "law.json"), tmp_path / "t", Layout.TABLES)
    rows = parquet.read(tmp_path / "t" / "law.parquet", SOLUTIONS).to_pylist()
    long = [row | {"category": "x" * 300} for row in rows]
    parquet.write(tmp_path / "t" / "law.parquet", SOLUTIONS, long, made_of())
    with pytest.raises(InputError, match="a category that can be a file name"):
        convert(str(tmp_path / "t"), tmp_path / "back", Layout.PUBLISHED)
