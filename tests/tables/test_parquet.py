"""Tables: what is written is read back, and what does not fit is refused with file and row."""

import json
import math
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multirm.errors import InputError
from multirm.running.code import code_digest
from multirm.running.files import digest
from multirm.tables import parquet
from multirm.tables.critiques import CRITIQUES
from multirm.tables.questions import QUESTIONS
from multirm.tables.registry import SCHEMAS
from multirm.tables.rewards import REWARDS
from multirm.tables.solutions import SOLUTIONS
from tests.origins import made_of

KEY = {"dataset": "d", "category": "law", "question_id": "7"}
SOLUTION: dict[str, Any] = {
    **KEY,
    "solution_id": 0,
    "question": "Why?",
    "answer": "A",
    "steps": ["Because.", "The answer is (A)."],
    "parsed_answer": "A",
    "outcome": 1,
    "step_labels": [1, 1],
}
QUESTION: dict[str, Any] = {**KEY, "question": "Why?", "options": ["x", "y"], "answer": "A"}
REWARD: dict[str, Any] = {
    **KEY,
    "solution_id": 0,
    "model": "dPRM",
    "rewards": [0.5, None],
    "n_tokens_read": 12,
    "n_tokens_generated": 0,
    "flops": 1.5e9,
    "truncated": False,
    "unit": "step",
    "scale": "probability",
}
SCORED: dict[str, Any] = {
    **KEY,
    "solution_id": 0,
    "model": "gORM",
    "critique_id": 0,
    "critique": "Hm.",
    "reward": None,
    "reason": "length",
    "n_tokens_generated": 12,
    "truncated": False,
}
RESPONSE: dict[str, Any] = {
    **KEY,
    "solution_id": 0,
    "benchmark": "llmbar",
    "section": "natural",
    "is_chosen": True,
    "style": None,
    "margin": None,
    "n_shown": None,
}
ROWS = {
    "solutions": SOLUTION,
    "questions": QUESTION,
    "rewards": REWARD,
    "scored_critiques": SCORED,
    "responses": RESPONSE,
}


def write(path: Path, name: str, *rows: dict[str, Any]) -> None:
    parquet.write(path, SCHEMAS[name], rows, made_of())


def test_rows_are_read_back(tmp_path: Path) -> None:
    texts = st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip)
    labelled = st.lists(st.tuples(texts, st.integers(0, 1)), min_size=1)

    @settings(deadline=None)
    @given(labelled, st.none() | texts, st.sampled_from([None, 0, 1]), st.booleans())
    def check(
        steps: list[tuple[str, int]], parsed: str | None, outcome: int | None, known: bool
    ) -> None:
        row = SOLUTION | {
            "steps": [text for text, _ in steps],
            "step_labels": [label for _, label in steps] if known else None,
            "parsed_answer": parsed,
            "outcome": outcome,
        }
        write(tmp_path / "t.parquet", "solutions", row)
        assert parquet.read(tmp_path / "t.parquet", SOLUTIONS).to_pylist() == [row]

    check()


def test_the_footer_has_the_origin_of_a_table(tmp_path: Path) -> None:
    source, path = tmp_path / "source", tmp_path / "t.parquet"
    source.write_text("x")
    parquet.write(path, SOLUTIONS, [SOLUTION], made_of({"seed": 1, "limit": None}, [source]))
    footer = parquet.read_footer(path)
    assert (footer.schema, footer.parameters) == ("solutions", {"seed": 1, "limit": None})
    assert footer.inputs == {"source": digest(source)}
    assert footer.code == {"multirm.tables.parquet": code_digest("multirm.tables.parquet")}


def test_a_footer_has_no_paths_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "study"
    for place in (here / "data", tmp_path / "a", tmp_path / "b"):
        place.mkdir(parents=True)
        (place / "law.json").write_text(str(place))
    monkeypatch.chdir(here)
    inputs = [
        here / "data" / "law.json",
        Path("data/../data"),
        tmp_path / "a" / "law.json",
        Path("../b/law.json"),
    ]
    parquet.write(Path("t"), SOLUTIONS, [SOLUTION], made_of({}, inputs))
    assert parquet.read_footer(Path("t")).inputs == {
        "data/law.json": digest(inputs[0]),
        "data": digest(inputs[1]),
        "law.json": digest(inputs[2]),
        "law.json (2)": digest(inputs[3]),
    }
    assert str(tmp_path).encode() not in Path("t").read_bytes()


def test_a_path_is_not_a_parameter(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        parquet.write(tmp_path / "t", SOLUTIONS, [], made_of({"p": tmp_path}))


@pytest.mark.parametrize(
    "footer",
    [
        b"{",
        b"\xff",
        b"[1]",
        b'{"schema": "solutions"}',
        b"[" * 10**5,
        b'{"schema": ["solutions"], "schema_version": 1, "multirm": "", "parameters": {}, "inputs": {}}',
    ],
)
def test_another_programs_footer_is_an_error_of_one_line(tmp_path: Path, footer: bytes) -> None:
    path = tmp_path / "theirs.parquet"
    table = pa.Table.from_pylist([SOLUTION], schema=SOLUTIONS.columns)
    pq.write_table(table.replace_schema_metadata({b"multirm": footer}), path)
    for read in (lambda: parquet.read(path, SOLUTIONS), lambda: parquet.read_footer(path)):
        with pytest.raises(InputError, match=r"theirs\.parquet: expected a footer as multirm"):
            read()
    pq.write_table(table.replace_schema_metadata({b"theirs": footer}), path)
    assert parquet.read(path, SOLUTIONS).num_rows == 1


@pytest.mark.parametrize(
    ("name", "change", "complaint"),
    [
        ("solutions", {"steps": []}, "expected at least one step"),
        ("solutions", {"steps": ["x", " "]}, "an empty one at position 1"),
        ("solutions", {"step_labels": [1]}, "1 labels and 2 steps"),
        ("solutions", {"step_labels": [1, 2]}, "step labels 0 or 1"),
        ("solutions", {"step_labels": [1, None]}, "step_labels of type"),
        ("solutions", {"steps": ["x", None]}, "steps of type"),
        ("solutions", {"outcome": 2}, "outcome 0, 1 or null"),
        ("solutions", {"question": None}, "expected question of type string, found None"),
        ("solutions", {"solution_id": "zero"}, "expected solution_id of type int32"),
        ("questions", {"answer": "C"}, "among the options A-B, found 'C'"),
        ("questions", {"options": []}, "expected 1 to 26 options"),
        ("questions", {"question": " "}, "a question with text"),
        ("rewards", {"rewards": [0.1, math.nan]}, "not NaN"),
        ("rewards", {"rewards": None}, "rewards of type"),
        ("rewards", {"rewards": ["high"]}, "rewards of type"),
        ("rewards", {"rewards": [0.1, 1.5]}, "probabilities from 0 to 1, or null, found 1.5"),
        ("rewards", {"rewards": [-0.1]}, "probabilities from 0 to 1, or null, found -0.1"),
        (
            "rewards",
            {"rewards": [math.inf], "scale": "score"},
            "finite rewards, or null, found inf",
        ),
        ("rewards", {"unit": "word"}, "a unit, such as step, or null, found 'word'"),
        ("rewards", {"scale": "grade"}, "a scale, such as probability, or null, found 'grade'"),
        ("rewards", {"rewards": [1, 1], "unit": "solution"}, "one reward for a solution, found 2"),
        ("scored_critiques", {"reward": -math.inf}, "a reward from 0 to 1, or null, found -inf"),
        (
            "scored_critiques",
            {"reason": None},
            "a reason for the missing reward, such as length",
        ),
        ("scored_critiques", {"reason": "bored"}, "such as length, found 'bored'"),
        ("scored_critiques", {"reward": 0.5}, "no reason beside a reward, found 'length'"),
    ],
)
def test_a_bad_row_is_named_and_nothing_is_overwritten(
    tmp_path: Path, name: str, change: dict[str, Any], complaint: str
) -> None:
    path = tmp_path / "t.parquet"
    good = ROWS[name]
    write(path, name, good)
    before = digest(path)
    bad = {**good, "question_id": "8", **change}
    with pytest.raises(InputError, match=complaint) as caught:
        write(path, name, good, bad)
    assert f"{path}, row 2" in str(caught.value)
    assert "question_id '8'" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert digest(path) == before


@pytest.mark.parametrize("name", ROWS)
def test_a_repeated_key_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"row 2 .*expected each key once"):
        write(tmp_path / "t.parquet", name, ROWS[name], ROWS[name])


def test_other_files_and_tables_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    with pytest.raises(InputError, match="no such file"):
        parquet.read(path, SOLUTIONS)
    write(path, "solutions", SOLUTION)
    with pytest.raises(
        InputError, match="a table of questions version 1, found solutions version 1"
    ):
        parquet.read(path, QUESTIONS)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"expected a whole Parquet table.*make it again"):
        parquet.read(path, SOLUTIONS)
    path.write_bytes(b"")
    with pytest.raises(InputError, match="expected a whole Parquet table"):
        parquet.read(path, SOLUTIONS)


def test_one_flipped_bit_in_the_data_is_detected(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write(path, "solutions", SOLUTION)
    content = bytearray(path.read_bytes())
    column = pq.read_metadata(path).row_group(0).column(0)
    content[column.data_page_offset + column.total_compressed_size // 2] ^= 16
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"expected a whole Parquet table.*make it again"):
        parquet.read(path, SOLUTIONS)


def test_columns_that_do_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "theirs.parquet"
    theirs = pa.Table.from_pylist([SOLUTION], schema=SOLUTIONS.columns)
    pq.write_table(theirs, path)
    assert parquet.read(path, SOLUTIONS).to_pylist() == [SOLUTION]
    with pytest.raises(InputError, match="without its footer"):
        parquet.read_footer(path)
    moody = theirs.append_column("mood", pa.array(["good"]))
    pq.write_table(moody, path)
    assert parquet.read(path, SOLUTIONS).to_pylist() == [SOLUTION]
    with pytest.raises(InputError, match="also mood"):
        parquet.write(path, SOLUTIONS, moody, made_of())
    for table, complaint in [
        (theirs.drop_columns(["steps"]), "column steps of a solutions table"),
        (theirs.drop_columns(["steps", "answer"]), "columns answer, steps of a solutions table"),
        (
            theirs.set_column(3, "solution_id", pa.array(["0"])),
            "solution_id of type int32, found string",
        ),
        (
            theirs.set_column(3, "solution_id", pa.array([0.5])).drop_columns(["question"]),
            "solution_id of type int32 and column question of a .*found double and columns dataset",
        ),
        (theirs.append_column("Answer", pa.array(["B"])), "one column answer, found 2"),
        (theirs.append_column("answer", pa.array(["B"])), "one column answer, found 2"),
        (
            theirs.set_column(3, "solution_id", pa.array([2**40])),
            f"row 1 .*solution_id of type int32, found {2**40}",
        ),
        (theirs.set_column(8, "outcome", pa.array([0.5])), "outcome of type int8 .*found 0.5"),
    ]:
        pq.write_table(table, path)
        for read in (parquet.read, parquet.check_readable):
            # Only `read` checks values.
            if read is parquet.read or not complaint.startswith(("row 1", "outcome")):
                with pytest.raises(InputError, match=complaint):
                    read(path, SOLUTIONS)


@pytest.mark.parametrize(
    ("reward", "complaint"),
    [(math.nan, r"not NaN, found \[nan\]"), (math.inf, "0 to 1, .*found inf"), (2, "found 2.0")],
)
def test_bad_values_in_files_of_other_programs(
    tmp_path: Path, reward: float, complaint: str
) -> None:
    path = tmp_path / "theirs.parquet"
    pq.write_table(
        pa.table(
            {
                name: pa.array([value], REWARDS.columns.field(name).type)
                for name, value in (REWARD | {"rewards": [reward]}).items()
            }
        ),
        path,
    )
    with pytest.raises(InputError, match=rf"row 1 .*'dPRM'.*{complaint}"):
        parquet.read(path, REWARDS)


def test_numbers_from_elsewhere_keep_their_precision(tmp_path: Path) -> None:
    path = tmp_path / "theirs.parquet"
    wide = pa.list_(pa.float64())
    table = pa.table(
        {
            name: pa.array([value], wide if name == "rewards" else field.type)
            for name, value in (REWARD | {"rewards": [0.1, None]}).items()
            for field in [REWARDS.columns.field(name)]
        }
    )
    parquet.write(path, REWARDS, table, made_of())
    assert parquet.read(path, REWARDS)["rewards"].to_pylist() == [[0.1, None]]
    ours = tmp_path / "ours.parquet"
    write(ours, "rewards", REWARD | {"category": "math"})
    both = parquet.read_all([ours, path], REWARDS)
    assert both["rewards"].to_pylist() == [[0.5, None], [0.1, None]]


def test_text_in_files_of_other_programs_must_be_utf8(tmp_path: Path) -> None:
    path = tmp_path / "theirs.parquet"
    theirs = pa.Table.from_pylist([SOLUTION], schema=SOLUTIONS.columns)
    broken = pa.array([b"\xff"]).view(pa.string())
    pq.write_table(theirs.set_column(4, "question", broken), path)
    with pytest.raises(InputError, match=r"whole Parquet table, found .*UTF8"):
        parquet.read(path, SOLUTIONS)


_TEXT = [pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.large_string())]
_LIST = [pa.large_list, lambda inner: pa.list_(inner, 2)]


@pytest.mark.parametrize("text", _TEXT, ids=str)
@pytest.mark.parametrize("list_of", _LIST, ids=["large_list", "fixed_size_list"])
@pytest.mark.parametrize("whole_number", [pa.int64(), pa.uint8(), pa.float64()], ids=str)
def test_the_types_of_pandas_and_polars_are_read(
    tmp_path: Path,
    text: pa.DataType,
    list_of: Callable[[pa.DataType], pa.DataType],
    whole_number: pa.DataType,
) -> None:
    path = tmp_path / "theirs.parquet"
    integer = pa.int64() if pa.types.is_floating(whole_number) else whole_number
    types = {
        **dict.fromkeys(("dataset", "category", "question_id", "question", "answer"), text),
        "solution_id": integer,
        "steps": list_of(pa.large_string()),
        "parsed_answer": pa.null(),
        "outcome": whole_number,
        "step_labels": list_of(integer),
    }
    row = SOLUTION | {"parsed_answer": None}
    theirs = pa.table({name: pa.array([row[name]], type_) for name, type_ in types.items()})
    pq.write_table(theirs, path)
    parquet.check_readable(path, SOLUTIONS)
    found = parquet.read(path, SOLUTIONS)
    assert found.schema.equals(SOLUTIONS.columns)
    assert found.to_pylist() == [row]


def test_ids_may_be_numbers(tmp_path: Path) -> None:
    path = tmp_path / "theirs.parquet"
    columns = {name: [value] for name, value in (SOLUTION | {"question_id": 7}).items()}
    pq.write_table(pa.table(columns), path)
    assert parquet.read(path, SOLUTIONS)["question_id"].to_pylist() == ["7"]


def test_tables_of_pandas_are_read(tmp_path: Path) -> None:
    path = tmp_path / "theirs.parquet"
    rows = [SOLUTION, SOLUTION | {"solution_id": 1, "outcome": None, "step_labels": None}]
    frame = pd.DataFrame(rows, index=pd.Index([7, 9], name="place"))
    frame.to_parquet(path)
    assert pq.read_schema(path).field("question").type == pa.large_string()
    assert parquet.read(path, SOLUTIONS).to_pylist() == rows


def test_a_table_too_large_for_the_memory_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "theirs.parquet"
    n = 100_000
    columns = {name: [value] for name, value in (SOLUTION | {"question": "x" * 1000}).items()}
    rows = pa.table(columns).take(pa.array([0] * n)).drop_columns(["solution_id"])
    pq.write_table(rows.append_column("solution_id", pa.array(range(n))), path)
    assert path.stat().st_size < 10**6
    monkeypatch.setattr("multirm.tables.parquet.usable_memory", lambda: 10**8)
    with pytest.raises(
        InputError, match=r"at most 0\.1 GB .*half the memory, found more, in a file"
    ):
        parquet.read(path, SOLUTIONS)


def damaged(path: Path, n: int, seed: int) -> Iterator[bytes]:
    """The bytes of a file with one random bit flipped."""
    rng, content = random.Random(seed), path.read_bytes()
    for _ in range(n):
        place = rng.randrange(len(content))
        flipped = bytearray(content)
        flipped[place] ^= 1 << rng.randrange(8)
        yield bytes(flipped)


@pytest.mark.parametrize("name", ["solutions", "rewards"])
def test_a_flipped_bit_changes_no_value_and_gives_no_traceback(tmp_path: Path, name: str) -> None:
    path, schema = tmp_path / "t.parquet", SCHEMAS[name]
    write(path, name, *({**ROWS[name], "solution_id": number} for number in range(50)))
    intact, n_refused = parquet.read(path, schema), 0
    for content in damaged(path, 300, seed=1):
        path.write_bytes(content)
        try:
            assert parquet.read(path, schema).equals(intact)
        except InputError as error:
            assert "\n" not in str(error)
            n_refused += 1
    assert n_refused > 150


def test_an_empty_list_of_rewards_stays_empty(tmp_path: Path) -> None:
    write(tmp_path / "t.parquet", "rewards", REWARD | {"rewards": []})
    (row,) = parquet.read(tmp_path / "t.parquet", REWARDS).to_pylist()
    assert row["rewards"] == []


CRITIQUE: dict[str, Any] = {
    **KEY,
    "solution_id": 0,
    "critique_id": 0,
    "critique": "Hm.",
    "verdict": 1,
    "step_verdicts": None,
    "n_tokens_read": 3,
    "n_tokens_generated": 9,
    "truncated": False,
    "kept": True,
    "reason": None,
    "deviations": [],
}


def rewritten(path: Path, version: int, *without: str, **given: list[int | None]) -> None:
    """Rewrite a table as another version of its schema: with that number, and without or with some columns."""
    table = pq.read_table(path).drop_columns(list(without))
    for name, values in given.items():
        table = table.append_column(name, pa.array(values, pa.int32()))
    footer = json.loads(table.schema.metadata[parquet.FOOTER_KEY]) | {"schema_version": version}
    pq.write_table(
        table.replace_schema_metadata({parquet.FOOTER_KEY: json.dumps(footer).encode()}), path
    )


def test_earlier_critiques_are_read(tmp_path: Path) -> None:
    path, counts = tmp_path / "c.parquet", ("n_tokens_read", "n_tokens_generated")
    for version, new, counted in (
        (1, (*counts, "deviations"), {"n_tokens": [12]}),
        (2, (), {"n_prompt_tokens": [3], "n_tokens": [12]}),
    ):
        parquet.write(path, CRITIQUES, [CRITIQUE], made_of())
        rewritten(path, version, *{*new, *counts}, **counted)
        table = parquet.read(path, CRITIQUES)
        assert table.schema.equals(CRITIQUES.columns)
        assert table.to_pylist() == [CRITIQUE | dict.fromkeys(new)]
    # An unknown version is refused, as is this version without its new columns.
    for version, lacking in ((0, ()), (4, ()), (3, counts)):
        parquet.write(path, CRITIQUES, [CRITIQUE], made_of())
        rewritten(path, version, *lacking)
        with pytest.raises(InputError, match=r"c\.parquet: expected"):
            parquet.read(path, CRITIQUES)


@pytest.mark.parametrize(
    ("unit", "truncated", "n_read", "n_generated"),
    [
        ("step", False, 12, 0),
        ("step", True, 0, 0),
        ("critique", True, None, 12),
        ("solution", False, None, None),
        (None, None, None, None),
    ],
)
def test_earlier_rewards_count_tokens_by_their_unit(
    tmp_path: Path, unit: str | None, truncated: bool | None, n_read: int, n_generated: int
) -> None:
    path, counts = tmp_path / "r.parquet", ("n_tokens_read", "n_tokens_generated", "flops")
    row = REWARD | {"unit": unit, "truncated": truncated, "rewards": [0.5]}
    parquet.write(path, REWARDS, [row], made_of())
    rewritten(path, 2, *counts, n_tokens=[12])
    found = parquet.read(path, REWARDS)
    assert found.schema.equals(REWARDS.columns)
    assert found.to_pylist() == [row | dict(zip(counts, (n_read, n_generated, None), strict=True))]
    parquet.write(path, REWARDS, [row], made_of())
    # Version 1 has no unit, and this table was not written by scoring.
    rewritten(path, 1, *counts, "unit", "scale", n_tokens=[12])
    unknown = dict.fromkeys((*counts, "unit", "scale"))
    assert parquet.read(path, REWARDS).to_pylist() == [row | unknown]
    rewritten(path, 2, "n_tokens")
    with pytest.raises(InputError, match=r"columns of a table of rewards version 2, found .*n_t"):
        parquet.read(path, REWARDS)


def test_earlier_scored_critiques_counted_what_was_generated(tmp_path: Path) -> None:
    path = tmp_path / "s.parquet"
    write(path, "scored_critiques", SCORED)
    rewritten(path, 2, "n_tokens_generated", n_tokens=[12])
    assert parquet.read(path, SCHEMAS["scored_critiques"]).to_pylist() == [SCORED]


def test_tables_are_read_one_after_the_other(tmp_path: Path) -> None:
    paths = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for path, question_id in zip(paths, ("1", "2"), strict=True):
        write(path, "solutions", SOLUTION | {"question_id": question_id})
    rows = parquet.read_all(paths, SOLUTIONS)
    assert rows["question_id"].to_pylist() == ["1", "2"]
    assert parquet.read_all([], SOLUTIONS).num_rows == 0


@pytest.mark.parametrize("name", sorted(set(SCHEMAS) - {"solutions", "rewards", "responses"}))
def test_a_table_may_be_empty(tmp_path: Path, name: str) -> None:
    write(tmp_path / "t.parquet", name)
    assert parquet.read(tmp_path / "t.parquet", SCHEMAS[name]).num_rows == 0


@pytest.mark.parametrize("name", ["solutions", "rewards", "responses"])
def test_tables_that_are_of_no_use_when_empty_are_refused(tmp_path: Path, name: str) -> None:
    paths = [tmp_path / "full.parquet", tmp_path / "empty.parquet"]
    write(paths[0], name, ROWS[name])
    write(paths[1], name)
    with pytest.raises(InputError, match=r"empty\.parquet: expected at least one .*, found none"):
        parquet.read_all(paths, SCHEMAS[name])


def test_a_key_in_two_tables_is_refused(tmp_path: Path) -> None:
    paths = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for path in paths:
        write(path, "solutions", SOLUTION)
    assert parquet.read_all(paths[:1], SOLUTIONS).num_rows == 1
    with pytest.raises(InputError, match="each key once"):
        parquet.read_all(paths, SOLUTIONS)


def test_reading_a_table_imports_no_pandas(tmp_path: Path) -> None:
    """With its first Python value, pyarrow imports pandas, which takes longer than drawing some figures."""
    path = tmp_path / "law.parquet"
    parquet.write(path, SOLUTIONS, [SOLUTION], made_of())
    program = (
        "import sys; from pathlib import Path; from multirm.tables import parquet;"
        "from multirm.tables.solutions import SOLUTIONS;"
        "print(parquet.read_all([Path(sys.argv[1])], SOLUTIONS).num_rows, 'pandas' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False
    )
    assert run.stdout.split() == ["1", "False"], run.stderr


def in_groups(path: Path) -> list[list[dict[str, Any]]]:
    return list(parquet.read_groups(path, SOLUTIONS, QUESTIONS.key))


def solutions_of(*questions: str) -> list[dict[str, Any]]:
    numbers = Counter[str]()
    rows = []
    for question in questions:
        rows.append({**SOLUTION, "question_id": question, "solution_id": numbers[question]})
        numbers[question] += 1
    return rows


@pytest.mark.parametrize("at_once", [1, 2, 3, 100])
def test_groups_do_not_depend_on_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(parquet, "ROWS_AT_ONCE", at_once)
    rows = solutions_of("a", "a", "a", "b", "c", "c")
    parquet.write(tmp_path / "t.parquet", SOLUTIONS, rows, made_of())
    groups = in_groups(tmp_path / "t.parquet")
    assert [len(group) for group in groups] == [3, 1, 2]
    assert [row for group in groups for row in group] == rows


def test_a_wrong_row_of_a_later_batch_is_placed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.parquet"
    rows = solutions_of("a", "a", "b", "c")
    rows[3]["outcome"] = 7
    pq.write_table(pa.Table.from_pylist(rows, SOLUTIONS.columns), path)
    monkeypatch.setattr(parquet, "ROWS_AT_ONCE", 2)
    with pytest.raises(InputError, match=r"row 4 \(.*'c'.*expected outcome 0, 1 or null, found 7"):
        in_groups(path)


def test_groups_of_damaged_and_empty_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    path.write_bytes(b"PAR1 nothing")
    with pytest.raises(InputError, match="expected a whole Parquet table"):
        in_groups(path)
    pq.write_table(SOLUTIONS.columns.empty_table(), path)
    with pytest.raises(InputError, match="expected at least one solution"):
        in_groups(path)


def test_a_table_written_in_parts_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path, rows = tmp_path / "t.parquet", solutions_of("a", "a", "b")
    with parquet.writing(path, SOLUTIONS, made_of()) as add:
        add(rows[:1])
        assert not path.exists()
        add(rows[1:])
    once = tmp_path / "once.parquet"
    parquet.write(once, SOLUTIONS, rows, made_of())
    assert parquet.read(path, SOLUTIONS).equals(parquet.read(once, SOLUTIONS))
    assert parquet.read_footer(path) == parquet.read_footer(once)
    before = path.read_bytes()
    with (
        pytest.raises(InputError, match=r"row 2 \(.*expected outcome 0, 1 or null, found 7"),
        parquet.writing(path, SOLUTIONS, made_of()) as add,
    ):
        add(rows[:1])
        add([{**rows[1], "outcome": 7}])
    assert path.read_bytes() == before
    assert sorted(tmp_path.iterdir()) == [once, path]
