"""The views that answer natural questions, against evaluation, which computes the same in its own way."""

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pytest

from multirm.api.pools import Pools
from multirm.database.derived import VIEWS
from multirm.database.opening import open_database
from multirm.database.question_pools import answer_rule, models_of, read_pools, scored_datasets
from multirm.evaluation.accuracy import evaluate
from multirm.evaluation.expected import columns, expected
from multirm.evaluation.inputs import Opened, open_evaluation
from multirm.evaluation.options import SelectionOptions
from multirm.evaluation.pools import lay_out, read_categories
from multirm.tables import parquet
from multirm.tables.accuracy import DEFAULT_AGGREGATION, Aggregation, Selection
from multirm.tables.rewards import REWARDS
from multirm.tables.solutions import SOLUTIONS
from multirm.tables.views import find_tables
from multirm.text.answer_rules import AnswerRule
from tests.database.pools import KINDS, has_answer, write_pools
from tests.origins import made_of

OF_SCORES = [each for each in Aggregation if each is not Aggregation.PROD]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pools(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def database(folder: Path) -> duckdb.DuckDBPyConnection:
    return open_database(find_tables(folder))


@pytest.fixture(scope="module")
def opened(folder: Path) -> Opened:
    return open_evaluation("multirm.evaluation.accuracy", _options(folder), selects=False)


def _options(folder: Path, answers: AnswerRule = AnswerRule.MEANING) -> SelectionOptions:
    aggregations = {name: OF_SCORES if name == "scores" else Aggregation for name in KINDS}
    return SelectionOptions(
        solutions=[str(folder / "data")],
        rewards=[f"{name}={folder / name}" for name in KINDS],
        aggregation=[f"{name}={','.join(own)}" for name, own in aggregations.items()],
        answers=answers,
        n=[1, 8],
    )


def test_every_view_has_the_columns_that_are_described(
    database: duckdb.DuckDBPyConnection,
) -> None:
    for name, view in VIEWS.items():
        assert database.sql(f"FROM {name}").columns == list(view.columns)


def test_scores_have_one_row_for_each_solution_model_and_aggregation(
    database: duckdb.DuckDBPyConnection,
) -> None:
    key = "dataset, category, question_id, solution_id, model, aggregation"
    ((n_rows, n_keys, n_solutions),) = database.sql(
        f"SELECT count(*), count(DISTINCT ({key})), (SELECT count(*) FROM solutions) FROM scores"
    ).fetchall()
    assert n_rows == n_keys == n_solutions * (2 * len(Aggregation) + len(OF_SCORES))


def test_scores_and_their_order_are_those_of_evaluation(
    database: duckdb.DuckDBPyConnection, opened: Opened
) -> None:
    """Also what ties, and what is missing."""
    order = "category, question_id, solution_id"
    for category in read_categories(opened.database, opened.types):
        for scorer in opened.scorers:
            rows = database.execute(
                "SELECT question_id, score, correct FROM scores "
                f"WHERE category = ? AND model = ? AND aggregation = ? ORDER BY {order}",
                [category.name, *scorer],
            ).fetchall()
            ids, scores, correct = zip(*rows, strict=True)
            assert correct == tuple(category.correct.tolist())
            values = np.array([np.nan if score is None else score for score in scores])
            for pools in lay_out(category, [scorer]):
                for number, question_id in enumerate(pools.question_ids):
                    own = values[np.array(ids) == question_id]
                    weights = pools.rewards[scorer][number]
                    np.testing.assert_array_equal(np.isnan(own), np.isnan(weights))
                    present = ~np.isnan(own)
                    np.testing.assert_array_equal(
                        np.sign(own[present][:, None] - own[present]),
                        np.sign(weights[present][:, None] - weights[present]),
                    )


def test_choices_are_those_of_evaluation_at_n_of_the_pool(
    database: duckdb.DuckDBPyConnection, opened: Opened
) -> None:
    found = {
        tuple(key): (correct, n_tied)
        for *key, correct, n_tied in database.sql(
            "SELECT category, question_id, selection, model, aggregation, correct, n_tied FROM choices"
            " SEMI JOIN (FROM solutions WHERE answer IS NOT NULL) USING (category, question_id)"
        ).fetchall()
    }
    wanted = {}
    for category in read_categories(opened.database, opened.types):
        for pools in lay_out(category, opened.scorers):
            n = [pools.size]
            values = expected([pools], n, opened.scorers, seed=1, draws=10).values
            for place, (_, method) in enumerate(columns(n, opened.scorers)):
                if method.selection is not Selection.PASS:
                    for question_id, value in zip(
                        pools.question_ids, values[:, place], strict=True
                    ):
                        # Evaluation refuses to select answers to questions without a reference answer.
                        if has_answer(question_id):
                            key = (pools.category, question_id, *method.columns.values())
                            wanted[key] = value
    assert {key: correct for key, (correct, _) in found.items()} == pytest.approx(wanted, abs=1e-9)
    # The pools have what makes this difficult: ties of right and wrong ones, and pools without a vote.
    counts = Counter((selection, min(n, 2)) for (_, _, selection, *_), (_, n) in found.items())
    assert {
        *((str(each), 2) for each in Selection if each is not Selection.PASS),
        ("weighted_vote", 0),
    } <= set(counts)
    assert any(0 < correct < 1 for correct, _ in found.values())


def test_a_choice_names_its_solutions_and_answers(database: duckdb.DuckDBPyConnection) -> None:
    rows = database.sql("FROM choices WHERE is_default IS NOT false").to_arrow_table().to_pylist()
    parsed = {
        (category, question_id, solution_id): answer
        for category, question_id, solution_id, answer in database.sql(
            "SELECT DISTINCT category, question_id, solution_id, parsed_answer FROM scores"
        ).fetchall()
    }
    for row in rows:
        own = [parsed[row["category"], row["question_id"], k] for k in row["solution_ids"]]
        assert set(row["answers"]) <= set(own)
        assert row["answer"] == (row["answers"][0] if len(row["answers"]) == 1 else None)
        if row["selection"] == "best_of_n":
            assert len(own) == row["n_tied"]
            is_clear = row["n_tied"] == 1 and row["score"] is not None
            assert row["solution_id"] == (row["solution_ids"][0] if is_clear else None)
        else:
            assert len(row["answers"]) == row["n_tied"]
            assert row["solution_id"] is None
    assert {row["is_default"] for row in rows} == {True, None}


def test_accuracy_at_n_of_1_is_the_mean_of_correct(tmp_path: Path) -> None:
    """Whether answers are equal by their meaning or by their text, as the accuracy table says."""
    folder = write_pools(tmp_path / "pools", has_answers=True)
    found = []
    for rule in AnswerRule:
        output = tmp_path / rule / "accuracy"
        evaluate(_options(folder, rule), output)
        tables = find_tables(folder)
        tables["accuracy"] = [output / "accuracy.parquet"]
        database = open_database(tables)
        rows = database.sql(
            "SELECT category, accuracy, mean FROM accuracy JOIN (SELECT category, 100 * avg(mean) AS mean"
            " FROM (SELECT category, question_id, avg(correct::INTEGER) AS mean FROM scores GROUP BY ALL) GROUP BY ALL)"
            " USING (category) WHERE n = 1 AND selection = 'majority_vote' ORDER BY ALL"
        ).fetchall()
        assert [name for name, *_ in rows] == ["law", "math"]
        for _, accuracy, mean in rows:
            assert mean == pytest.approx(accuracy)
        found.append(rows)
    assert found[0] != found[1]


def test_where_labels_say_what_is_correct_choices_are_those_of_evaluation(tmp_path: Path) -> None:
    """Also if answers have both labels, are missing, or have no reference; each way of computing them agrees."""
    folder = write_pools(tmp_path)
    evaluate(replace(_options(folder, AnswerRule.GRADED), n=[1]), folder / "evaluation")
    database = open_database(find_tables(folder))
    opened = open_evaluation("multirm.evaluation.accuracy", _options(folder, AnswerRule.GRADED))
    rows = database.sql(
        "SELECT category, question_id, selection, model, aggregation, correct FROM choices"
    ).fetchall()
    found = {tuple(key): correct for *key, correct in rows}
    n_lone = 0
    for category in read_categories(opened.database, opened.types, opened.answers):
        for pools in lay_out(category, opened.scorers):
            values = expected([pools], [pools.size], opened.scorers, seed=1, draws=10).values
            for place, (_, method) in enumerate(columns([pools.size], opened.scorers)):
                for question_id, value in zip(pools.question_ids, values[:, place], strict=True):
                    if method.selection is not Selection.PASS:
                        key = (pools.category, question_id, *method.columns.values())
                        assert found[key] == pytest.approx(value, abs=1e-9), key
            for own, right in zip(pools.answers, pools.correct, strict=True):
                assert (own >= 0).all()
                assert all(len(set(right[own == code])) == 1 for code in own)
                n_lone += sum(Counter(own.tolist())[code] == 1 for code in own)
    assert n_lone
    models = models_of(database, "d")
    for place in scored_datasets(database):
        for pool in read_pools(database, *place, models, answer_rule(database, "d")):
            for each in pool.choices:
                scorer = each.scorer or (None, None)
                key = (*pool.key[1:], str(each.choice.selection), *scorer)
                assert each.choice.correct == pytest.approx(found[key], abs=1e-9), key


def test_default_aggregations_are_those_of_the_kinds(database: duckdb.DuckDBPyConnection) -> None:
    rows = database.sql(
        "SELECT DISTINCT model, aggregation FROM scores WHERE is_default"
    ).fetchall()
    assert dict(rows) == {name: str(DEFAULT_AGGREGATION[kind]) for name, kind in KINDS.items()}


def test_rows_that_are_in_two_folders_count_once(folder: Path, tmp_path: Path) -> None:
    """As in the pools that `show` and the page read."""
    both = tmp_path / "both"
    shutil.copytree(folder, both / "a")
    shutil.copytree(folder, both / "b")
    one, other = (open_database(find_tables(each)) for each in (both / "a", both))
    for name, view in VIEWS.items():
        columns = ", ".join(column for column in view.columns if column != "file")
        query = f"SELECT {columns} FROM {name} ORDER BY ALL"
        assert other.sql(query).fetchall() == one.sql(query).fetchall(), name


def test_before_an_evaluation_own_grades_count(tmp_path: Path) -> None:
    """In the views as in `show`; an evaluation that compared answers is what counts afterwards."""
    solutions = [
        {"question_id": "q", "answer": "B", "parsed_answer": answer, "solution_id": k, "right": k}
        for k, answer in enumerate("BC")
    ]
    pools = Pools.from_frame(
        [each | {"score": 0.5} for each in solutions], correct="right", rewards={"m": "score"}
    )
    pools.write(tmp_path / "pools")
    query = "SELECT correct FROM scores WHERE aggregation = 'last' ORDER BY solution_id"
    (name,) = (path.name for path in (tmp_path / "pools" / "data").iterdir())

    def correct() -> tuple[list[bool], list[bool]]:
        database = open_database(find_tables(tmp_path))
        rule = answer_rule(database, name)
        (pool,) = read_pools(database, name, "all", models_of(database, name), rule)
        return [right for (right,) in database.sql(query).fetchall()], pool.correct.tolist()

    assert correct() == ([False, True], [False, True])
    options = SelectionOptions(
        solutions=[str(tmp_path / "pools" / "data" / name)],
        rewards=[f"m={tmp_path / 'pools' / 'rewards' / 'm' / name}"],
        aggregation=["m=last"],
        n=[1],
    )
    evaluate(options, tmp_path / "evaluation")
    assert correct() == ([True, False], [True, False])


def test_steps_are_those_of_the_solutions(database: duckdb.DuckDBPyConnection) -> None:
    solutions = database.sql("FROM solutions").to_arrow_table().to_pylist()
    wanted = {
        (row["category"], row["question_id"], row["solution_id"], step): (
            text,
            row["step_labels"] and row["step_labels"][step],
        )
        for row in solutions
        for step, text in enumerate(row["steps"])
    }
    rows = database.sql(
        "SELECT category, question_id, solution_id, step, text, label FROM steps"
    ).fetchall()
    assert {tuple(key): (text, label) for *key, text, label in rows} == wanted
    assert len(rows) == len(wanted)


def test_rewards_of_steps_are_those_of_models_that_rate_steps(
    database: duckdb.DuckDBPyConnection,
) -> None:
    rewards = database.sql("FROM rewards WHERE unit = 'step'").to_arrow_table().to_pylist()
    wanted = {
        (row["model"], row["category"], row["question_id"], row["solution_id"], step): reward
        for row in rewards
        for step, reward in enumerate(row["rewards"])
    }
    rows = database.sql(
        "SELECT model, category, question_id, solution_id, step, reward FROM step_rewards"
    ).fetchall()
    assert {tuple(key): reward for *key, reward in rows} == wanted
    assert {model for model, *_ in wanted} == {"steps", "scores"}


def test_a_list_of_another_length_than_the_steps_rates_none(tmp_path: Path) -> None:
    key = {"dataset": "d", "category": "law", "question_id": "q", "solution_id": 0}
    solution = {"question": "?", "answer": "B", "steps": ["One.", "Two."], "parsed_answer": "B"}
    labels = {"outcome": 1, "step_labels": None}
    parquet.write(tmp_path / "s.parquet", SOLUTIONS, [key | solution | labels], made_of())
    of_model = {"model": "m", "rewards": [0.5], "unit": "step", "scale": "probability"}
    parquet.write(tmp_path / "r.parquet", REWARDS, [key | of_model], made_of())
    database = open_database(find_tables(tmp_path))
    rows = database.sql(
        "SELECT step, reward, is_null FROM (SELECT *, reward IS NULL AS is_null FROM step_rewards)"
    )
    assert rows.fetchall() == [(0, None, True), (1, None, True)]


def test_what_is_unknown_stays_unknown(tmp_path: Path) -> None:
    """What is correct, without reference answers and outcome labels; the weight of votes, without a scale."""
    rows, rewards = [], []
    for solution_id in range(2):
        key = {"dataset": "d", "category": "law", "question_id": "q", "solution_id": solution_id}
        solution = {"question": "?", "answer": None, "steps": ["One."], "parsed_answer": "B"}
        rows.append(key | solution | {"outcome": None, "step_labels": None})
        of_model = {"model": "m", "rewards": [solution_id / 2], "unit": None, "scale": None}
        rewards.append(key | of_model)
    parquet.write(tmp_path / "s.parquet", SOLUTIONS, rows, made_of())
    parquet.write(tmp_path / "r.parquet", REWARDS, rewards, made_of())
    database = open_database(find_tables(tmp_path))
    assert database.sql("SELECT DISTINCT correct FROM scores").fetchall() == [(None,)]
    assert database.sql("SELECT count(*) FROM scores WHERE aggregation = 'prod'").fetchall() == [
        (0,)
    ]
    found = database.sql(
        "SELECT selection, answer, solution_id, correct FROM choices"
        " WHERE aggregation = 'last' OR aggregation IS NULL ORDER BY ALL"
    ).fetchall()
    assert found == [("best_of_n", "B", 1, None), ("majority_vote", "B", None, None)]


@pytest.mark.parametrize(
    ("schema", "made"), [("solutions", {"steps"}), ("rewards", set()), (None, set(VIEWS))]
)
def test_views_are_there_if_their_tables_are(
    folder: Path, schema: str | None, made: set[str]
) -> None:
    tables = find_tables(folder)
    database = open_database({schema: tables[schema]} if schema else tables)
    views = {name for (name,) in database.sql("SHOW TABLES").fetchall()}
    assert views - set(tables) == {*made, "columns"}
