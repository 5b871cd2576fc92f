"""Tables with any columns: what is understood, what is asked, and that all problems come at once."""

import json
import math
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multirm.formats.own.columns import ColumnMap, Spoken, StepRule
from multirm.formats.own.problems import OwnDataError
from multirm.formats.own.rewards import RewardTable
from multirm.formats.own.tables import OwnTables, read_own
from multirm.tables.rewards import Scale, Unit

POOLS: dict[str, list[Any]] = {
    "qid": ["q1", "q1", "q2", "q2"],
    "problem": ["1 + 1?", "1 + 1?", "2 + 2?", "2 + 2?"],
    "response": ["One.\n\nSo 2.", "3", "4", "5"],
    "extracted_answer": ["2", "3", "4.0", None],
    "gold": ["2", "2", "4", "4"],
    "score": [0.5, -2.0, math.nan, 3.0],
}


def pools(**changed: list[Any] | None) -> dict[str, list[Any]]:
    return {name: values for name, values in {**POOLS, **changed}.items() if values is not None}


def read(columns: Mapping[str, list[Any]], /, **said: Any) -> OwnTables:
    return read_own(pa.table(dict(columns)), ColumnMap(**said), "pools.csv", dataset="mine")


def problems(columns: Mapping[str, list[Any]], /, **said: Any) -> list[str]:
    with pytest.raises(OwnDataError) as error:
        read(columns, **said)
    return [str(problem) for problem in error.value.problems]


def column(found: OwnTables, name: str) -> list[Any]:
    return found.solutions[name].to_pylist()


def rewards(found: OwnTables, model: str = "m") -> list[Any]:
    return found.rewards[model]["rewards"].to_pylist()


def test_usual_names_are_understood() -> None:
    found = read(POOLS, rewards={"m": "score"})
    assert found.solutions.to_pylist()[0] == {
        "dataset": "mine",
        "category": "all",
        "question_id": "q1",
        "solution_id": 0,
        "question": "1 + 1?",
        "answer": "2",
        "steps": ["One.\n\nSo 2."],
        "parsed_answer": "2",
        "outcome": 1,
        "step_labels": None,
    }
    assert column(found, "outcome") == [1, 0, 1, 0]
    assert rewards(found) == [[0.5], [-2.0], [None], [3.0]]
    assert found.rewards["m"]["unit"].unique().to_pylist() == ["solution"]
    assert found.rewards["m"]["scale"].unique().to_pylist() == ["score"]
    assert found.notes == []


def test_all_problems_come_at_once_with_what_to_add() -> None:
    columns = {
        "id": ["q1", "q1"],
        "prompt": ["?", "?"],
        "output": ["a", "b"],
        "pred": ["1", "2"],
        "target": ["1", "1"],
        "sky": ["x", "0.5"],
    }
    with pytest.raises(OwnDataError) as error:
        read(columns, rewards={"skywork": "sky", "other": "skyy"})
    remedies = [problem.remedy for problem in error.value.problems]
    assert remedies == [
        "did you mean sky?",
        "add --columns question_id=id",
        "add --columns parsed_answer=pred",
        "add --columns answer=target",
        "add --columns steps=output",
        "write numbers with a decimal point, and nothing where one is missing",
    ]
    assert error.value.options.startswith(
        "--columns question_id=id parsed_answer=pred answer=target"
    )
    said = dict(pair.split("=") for pair in error.value.options.split()[1:5])
    assert column(read(columns, columns=said), "outcome") == [1, 0]


def test_remedies_in_python_are_arguments() -> None:
    with pytest.raises(OwnDataError) as error:
        read_own(
            pa.table(pools(qid=None, problem=None, id=[1, 1, 2, 2])),
            ColumnMap(),
            "frame",
            spoken=Spoken.PYTHON,
        )
    assert error.value.options == "columns={'question_id': 'id'}"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"columns": {"qid": "question_id"}}, "turn it round: --columns question_id=qid"),
        ({"columns": {"question_id": "qud"}}, "did you mean qid?"),
        ({"correct": "is_correct"}, "its columns are qid"),
        ({"columns": {"answer": "gold", "parsed_answer": "gold"}}, "answer and parsed_answer"),
        ({"rewards": {"m": "score"}, "columns": {"steps": "score"}}, "steps and rewards of m"),
        ({"rewards": {"MV": "score"}}, "none of MV"),
        ({"rewards": {"a/b": "score"}}, "'a/b'"),
        ({"rewards": {"m": "response"}}, "expected numbers, found 'One.\\n\\nSo 2.'"),
        ({"rewards": {"m": "score"}, "unit": {"n": Unit.STEP}}, "expected m, found 'n'"),
        ({"rewards": {"m": "score"}, "scale": {"m": Scale.PROBABILITY}}, "from -2.0 to 3.0"),
        ({"rewards": {"m": "score"}, "unit": {"m": Unit.STEP}, "split": StepRule.LINES}, "2 steps"),
        ({"dataset": "a/b"}, "'a/b'"),
        ({"category": "Overall"}, "'Overall'"),
    ],
)
def test_what_is_said_wrongly(said: dict[str, Any], expected: str) -> None:
    (problem,) = problems(POOLS, **said)
    assert expected in problem


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"qid": ["q1", None, "q2", "q2"]}, "row 2, column qid"),
        ({"qid": [1.0, math.nan, 2.0, 2.0]}, "row 2, column qid"),
        ({"gold": ["2", "7", "4", "4"]}, "one answer for question q1, found '2' and '7'"),
        ({"gold": ["2", "2", "4", None]}, "a reference answer in every row"),
        ({"problem": ["a", "b", "c", "c"]}, "one question for question q1"),
        ({"gold": ["x", "x", "y", "y"]}, "never the same ('2' and 'x'; '3' and 'x'"),
        ({"solution_id": [0, 0, 0, 1]}, "question and solution q1, 0 again"),
        ({"solution_id": [0, None, 0, 1]}, "none in 1 rows"),
        ({"category": ["law", None, "law", "law"]}, "--category all for all rows"),
        ({"answer": ["2", "3", "4", "5"]}, "answer=gold, or another"),
        ({"response": [{"text": "a"}] * 4}, "add --columns steps=response.text"),
    ],
)
def test_values_that_cannot_be(changed: dict[str, list[Any]], expected: str) -> None:
    (problem,) = problems(pools(**changed))
    assert expected in problem


def test_no_rows_and_missing_columns_are_told_together() -> None:
    found = problems({"qid": [], "text": []})
    assert len(found) == 4
    assert "at least one row" in found[0]


def test_large_and_textual_solution_ids_become_numbers() -> None:
    found = read(pools(solution_id=["a", "b", "a", "c"]))
    assert column(found, "solution_id") == [0, 1, 0, 1]
    assert "numbered from 0" in found.notes[0]
    assert column(read(pools(solution_id=[7, 9, 9, 7])), "solution_id") == [7, 9, 9, 7]


def test_ids_of_questions_from_their_texts() -> None:
    found = read(pools(qid=None, score=None))
    assert column(found, "question_id") == ["1", "1", "2", "2"]
    assert found.notes == ["question_id: the 2 different questions are numbered from 1"]


def test_whole_numbers_beside_missing_ones_stay_whole() -> None:
    found = read(pools(qid=[1.0, 1.0, 2.0, 2.0], extracted_answer=[2.0, 3.0, 4.0, math.nan]))
    assert column(found, "question_id") == ["1", "1", "2", "2"]
    assert column(found, "parsed_answer") == ["2", "3", "4", None]


def test_texts_are_divided_into_steps() -> None:
    text = "Step 1: a\n\nb\n**Step 2:** c"
    divided = {
        rule: column(read(pools(response=[text] * 4), split=rule), "steps")[0] for rule in StepRule
    }
    assert divided == {
        StepRule.WHOLE: [text],
        StepRule.BLANK_LINES: ["Step 1: a", "b\n**Step 2:** c"],
        StepRule.LINES: ["Step 1: a", "b", "**Step 2:** c"],
        StepRule.STEP_MARKERS: ["Step 1: a\n\nb", "**Step 2:** c"],
    }


def test_lists_of_steps_may_be_spelled() -> None:
    spelled = ['["a", "b"]', "['c']", None, '[""]']
    found = read(pools(response=spelled))
    assert column(found, "steps") == [["a", "b"], ["c"], ["(no text)"], ["(no text)"]]
    assert "2 solutions have no text" in found.notes[0]
    # One that is no list: all are texts.
    assert column(read(pools(response=["[1, 2]", "[3", "x", "y"])), "steps")[0] == ["[1, 2]"]


def test_lists_of_rewards() -> None:
    lists = ["[0.5, 1]", "[nan]", None, "[1, null, 0]"]
    found = read(pools(score=lists), rewards={"m": "score"})
    assert rewards(found) == [[0.5, 1.0], [None], [], [1.0, None, 0.0]]
    assert found.rewards["m"]["unit"].unique().to_pylist() == [None]
    assert "--unit m=step" in found.notes[0]
    found = read(pools(score=lists), rewards={"m": "score"}, unit={"m": Unit.CRITIQUE})
    assert found.rewards["m"]["unit"].unique().to_pylist() == ["critique"]
    (problem,) = problems(pools(score=lists), rewards={"m": "score"}, unit={"m": Unit.SOLUTION})
    assert "one reward of m for a solution" in problem


def test_the_users_grading_counts() -> None:
    found = read(pools(is_correct=["no", "yes", "1", "0"]), correct="is_correct")
    assert found.graded
    assert column(found, "outcome") == [0, 1, 1, 0]
    assert any("2 grades differ" in note for note in found.notes)
    found = read(
        pools(is_correct=[1, 0, 0, 1], gold=None, extracted_answer=None), correct="is_correct"
    )
    assert column(found, "outcome") == [1, 0, 0, 1]
    assert column(found, "answer") == [None] * 4
    (problem,) = problems(pools(is_correct=[True, None, False, True]), correct="is_correct")
    assert "row 2, column is_correct" in problem
    (problem,) = problems(pools(is_correct=[False] * 4), correct="is_correct")
    assert "none of 4" in problem


def test_one_answer_with_two_grades_is_told() -> None:
    graded = pools(is_correct=[True, False, True, False], extracted_answer=["2", "2", "4", "5"])
    notes = read(graded, correct="is_correct").notes
    assert any("'2' to question 'q1'" in note for note in notes)


def test_rewards_from_a_table_of_their_own() -> None:
    table = pa.table(pools(solution_id=[0, 1, 0, 1], score=None))
    beside = pa.table({"qid": ["q2", "q1"], "solution_id": ["1", "0"], "reward": [1.0, 2.0]})
    found = read_own(table, ColumnMap(), "a.csv", beside={"m": RewardTable(beside, "b.csv")})
    assert rewards(found) == [[2.0], [None], [None], [1.0]]
    for wrong, expected in (
        ({"qid": ["q9"], "solution_id": [0], "reward": [1.0]}, "1 of 1 of others"),
        ({"qid": ["q1"] * 2, "solution_id": [0] * 2, "reward": [1.0] * 2}, "each solution once"),
        ({"qid": ["q1"], "reward": [1.0]}, "the column solution_id"),
        ({"qid": ["q1"], "solution_id": [0], "rew": [1.0]}, "--rewards m=b.csv:COLUMN"),
        ({"qid": ["q1"], "solution_id": [0], "reward": ["x"]}, "b.csv, row 1, column reward"),
    ):
        with pytest.raises(OwnDataError) as error:
            read_own(
                table, ColumnMap(), "a.csv", beside={"m": RewardTable(pa.table(wrong), "b.csv")}
            )
        assert expected in str(error.value)


def test_rewards_are_joined_by_places_only_if_they_count_from_0() -> None:
    lists = {
        "qid": ["q1", "q2"],
        "responses": [["a", "b"], ["c", "d"]],
        "parsed_answers": [["2", "3"], ["4", "5"]],
        "gold": ["2", "4"],
    }
    ids = {"qid": ["q2", "q1", "q1"], "solution_id": [1, 1, 0], "reward": [1.0, 2.0, 3.0]}
    for table in (pa.table(lists), pa.table(pools(score=None))):
        beside = {"m": RewardTable(pa.table(ids), "b.csv")}
        found = read_own(table, ColumnMap(), "a.csv", beside=beside)
        assert rewards(found) == [[3.0], [2.0], [None], [1.0]]
        assert any("m: b.csv is joined by the places" in note for note in found.notes)
        # All of these are places as well, but of other solutions.
        from_1 = {"qid": ["q2", "q1"], "solution_id": [1, 1], "reward": [1.0, 2.0]}
        with pytest.raises(
            OwnDataError, match=r"number each question's solutions from 0 in b\.csv"
        ):
            read_own(
                table, ColumnMap(), "a.csv", beside={"m": RewardTable(pa.table(from_1), "b.csv")}
            )


def test_ids_of_rewards_under_another_name_are_to_be_renamed() -> None:
    beside = pa.table({"qid": ["q1"], "idx": [0], "reward": [1.0]})
    with pytest.raises(OwnDataError, match="rename idx to solution_id"):
        read_own(
            pa.table(pools(score=None)),
            ColumnMap(),
            "a.csv",
            beside={"m": RewardTable(beside, "b")},
        )


def test_a_column_without_a_name_is_no_category() -> None:
    # As pandas writes the index of a frame.
    found = read({"": [0, 1, 2, 3], **POOLS}, rewards={"m": "score"})
    assert column(found, "category") == ["all"] * 4
    assert found.notes == []


NESTED = {
    "id": ["q1", "q2"],
    "problem": [{"text": "1 + 1?", "gold": "2"}, {"text": "2 + 2?", "gold": "4"}],
    "generations": [
        [{"text": "a", "final_answer": "2", "scores": {"m": 0.5, "steps": [1.0, 2.0]}}],
        [
            {"text": "b", "final_answer": "4", "scores": {"m": None, "steps": [3.0]}},
            {"text": "c", "final_answer": "5", "scores": None},
        ],
    ],
}


def test_values_within_objects_are_columns() -> None:
    with pytest.raises(OwnDataError) as error:
        read(NESTED)
    assert error.value.options == (
        "--columns question_id=id parsed_answer=generations.final_answer answer=problem.gold"
        " steps=generations.text"
    )
    said = dict(pair.split("=") for pair in error.value.options.split()[1:])
    models = {"m": "generations.scores.m", "steps": "generations.scores.steps"}
    found = read(NESTED, columns=said | {"question": "problem.text"}, rewards=models)
    assert column(found, "question") == ["1 + 1?", "2 + 2?", "2 + 2?"]
    assert column(found, "steps") == [["a"], ["b"], ["c"]]
    assert column(found, "outcome") == [1, 1, 0]
    assert rewards(found) == [[0.5], [None], [None]]
    assert rewards(found, "steps") == [[1.0, 2.0], [3.0], []]


def test_the_rule_that_divides_into_as_many_steps_as_rewards_is_named() -> None:
    said: dict[str, Any] = {"rewards": {"m": "list"}, "unit": {"m": Unit.STEP}}
    texts = ["One.\n \nSo\n2.", "3", "4", "5"]
    for of_first, expected in (
        ([0.1, 0.2], "--split blank_lines"),
        ([0.1] * 3, "--split lines"),
        ([0.1] * 5, "no --split (blank_lines, lines or step_markers) divides them so"),
    ):
        table = pools(response=texts, list=[of_first, [0.1], None, [0.2]])
        (problem,) = problems(table, **said)
        assert expected in problem
    (problem,) = problems(
        pools(response=[["a"], ["b"], ["c"], ["d"]], list=[[0.1, 0.2], None, None, None]), **said
    )
    assert "--split" not in problem and "leave out --unit m=step" in problem


def test_solutions_of_several_policies_in_one_pool_are_told() -> None:
    (note,) = read(pools(score=None, model_id=["a", "b", "a", "b"])).notes
    assert note.startswith("model_id is not used") and "--columns dataset=model_id" in note
    assert read(pools(score=None, model_id=["a"] * 4, note=["x"] * 4)).notes == [
        "not used: model_id, note"
    ]


def test_columns_that_are_left_out_are_named() -> None:
    notes = read(pools(is_correct=[1, 0, 1, 0], subject=["a"] * 4, skywork_score=[1.0] * 4)).notes
    assert any("--columns category=subject" in note for note in notes)
    assert any("--correct is_correct" in note for note in notes)
    assert any("skywork=skywork_score" in note for note in notes)


def test_numbers_of_half_the_width_are_answers_as_they_are_written() -> None:
    found = read(
        pools(
            extracted_answer=pa.array([0.1, 0.2, 4, None], pa.float32()),
            gold=["0.1", "0.1", "4", "4"],
        )
    )
    assert column(found, "parsed_answer") == ["0.1", "0.2", "4", None]
    assert column(found, "outcome") == [1, 0, 1, 0]


@pytest.mark.parametrize("missing", ["null", "NaN"])
def test_what_is_missing_in_a_written_list_is_no_answer(missing: str) -> None:
    columns = {
        "responses": ['["a", "b", "c"]'],
        "parsed_answers": [f'["1", 2, {missing}]'],
        "gold": ["1"],
    }
    assert column(read(columns), "parsed_answer") == ["1", "2", None]


def test_rows_of_questions_must_have_equal_lists() -> None:
    columns = {
        "responses": [["a", "b"], ["c"]],
        "parsed_answers": [["1", "2"], ["3", "4"]],
        "gold": ["1", "3"],
        "score": [[0.5, 1.0], [1.0]],
    }
    found = problems(columns, rewards={"m": "score"})
    assert len(found) == 2
    assert all("row 2" in problem and "which has 2, found 1" in problem for problem in found)


def test_questions_without_solutions_are_counted() -> None:
    columns = {"responses": [["a"], []], "parsed_answers": [["1"], []], "gold": ["1", "2"]}
    found = read(columns)
    assert found.solutions.num_rows == 1
    assert "1 questions have no solutions, and are left out" in found.notes
    with pytest.raises(OwnDataError):
        read({"responses": [[]], "parsed_answers": [[]], "gold": ["1"]})


SOLUTION = st.tuples(
    st.text("ab\n ", min_size=1).map(str.strip).filter(bool),
    st.sampled_from(["1", "2", None]),
    st.one_of(st.none(), st.floats(-3, 3)),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(SOLUTION, min_size=1, max_size=4), min_size=1, max_size=4), st.booleans())
def test_rows_of_questions_and_rows_of_solutions_are_the_same(
    pool_of: list[list[tuple[str, str | None, float | None]]], as_text: bool
) -> None:
    pool_of[0][0] = (pool_of[0][0][0], "1", 0.5)
    wide: dict[str, list[Any]] = {"qid": [f"q{k}" for k in range(len(pool_of))]}
    wide["gold"] = ["1"] * len(pool_of)
    long: dict[str, list[Any]] = {
        name: [value for value, pool in zip(values, pool_of, strict=True) for _ in pool]
        for name, values in wide.items()
    }
    for place, name in enumerate(("response", "parsed_answer", "score")):
        lists = [[solution[place] for solution in pool] for pool in pool_of]
        wide[name] = [json.dumps(values) for values in lists] if as_text else lists
        long[name] = [value for values in lists for value in values]
    said: dict[str, Any] = {"rewards": {"m": "score"}}
    one, other = read(wide, **said), read(long, **said)
    assert one.solutions == other.solutions
    assert one.rewards["m"] == other.rewards["m"]
