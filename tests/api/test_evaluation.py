"""Evaluations in Python are those of the command."""

import html
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import multirm
from multirm.errors import InputError
from multirm.evaluation.accuracy import evaluate
from multirm.evaluation.options import SelectionOptions
from multirm.tables import parquet
from multirm.tables.accuracy import Estimator
from multirm.tables.registry import SCHEMAS
from multirm.text.answer_rules import AnswerRule

Rows = list[dict[str, Any]]
Said = dict[str, Any]

WAYS = {"skywork": "last", "prm": ["min", "mean"]}
GROUPS = {"both": ["law", "math"]}


@pytest.fixture(scope="module")
def pools(rows: Rows, said: Said) -> multirm.Pools:
    return multirm.Pools.from_frame(rows, **said)


@pytest.fixture(scope="module")
def evaluation(pools: multirm.Pools) -> multirm.Evaluation:
    return multirm.evaluate(pools, WAYS, n=[1, 2, 4], category_groups=GROUPS)


def same(frame: pd.DataFrame, path: Path) -> bool:
    table = parquet.read(path, SCHEMAS[path.stem])
    pd.testing.assert_frame_equal(frame, table.to_pandas())
    return len(frame) > 0


@pytest.mark.parametrize("estimator", Estimator)
def test_tables_are_those_of_the_command(
    tmp_path: Path, rows: Rows, said: Said, estimator: Estimator
) -> None:
    """And are written with the same parameters, from files, frames, and places."""
    scale = {"skywork": "probability", "prm": "probability"}
    tame = [{**row, "skywork": None if row["skywork"] is None else 0.5} for row in rows]
    pools = multirm.Pools.from_frame(tame, **{**said, "scale": scale}, dataset="mine")
    pools.write(tmp_path)
    exact = estimator in (Estimator.EXACT, Estimator.VERSAPRM)
    places = {model: tmp_path / "rewards" / model / "mine" for model in pools.models}
    evaluate(
        SelectionOptions(
            solutions=[str(tmp_path / "data" / "mine")],
            rewards=[f"{model}={place}" for model, place in places.items()],
            aggregation=["skywork=last", "prm=min,mean"],
            n=[1, 2, 4],
            runs=20,
            seed=3,
        ),
        tmp_path / "command",
        estimator,
        category_groups=["both=law,math"] if exact else None,
    )
    read = multirm.Pools.read(tmp_path / "data" / "mine", places)
    for number, asked in enumerate((pools, read)):
        groups = GROUPS if exact else None
        found = multirm.evaluate(
            asked, WAYS, n=[1, 2, 4], estimator=estimator, category_groups=groups, runs=20, seed=3
        )
        found.write(tmp_path / str(number))
        names = sorted(path.name for path in (tmp_path / "command").iterdir())
        assert sorted(path.name for path in (tmp_path / str(number)).iterdir()) == names
        for name in names:
            expected, written = (tmp_path / folder / name for folder in ("command", str(number)))
            if name.endswith(".csv"):
                assert written.read_bytes() == expected.read_bytes()
                continue
            assert same(found.table(expected.stem), expected) and same(
                found.table(expected.stem), written
            )
            one, other = parquet.read_footer(written), parquet.read_footer(expected)
            assert (one.parameters, one.code) == (other.parameters, other.code)


@pytest.mark.parametrize(
    "made", [pd.DataFrame, pl.DataFrame, pa.Table.from_pylist], ids=["pandas", "polars", "arrow"]
)
@settings(max_examples=3, deadline=None)
@given(order=st.randoms(use_true_random=False))
def test_neither_library_nor_order_matter(
    rows: Rows,
    said: Said,
    evaluation: multirm.Evaluation,
    made: Callable[[Rows], Any],
    order: Any,
) -> None:
    shuffled = order.sample(rows, len(rows))
    pools = multirm.Pools.from_frame(made(shuffled), **said)
    again = multirm.evaluate(pools, WAYS, n=[1, 2, 4], category_groups=GROUPS)
    assert again.tables == evaluation.tables
    for name in evaluation.tables:
        pd.testing.assert_frame_equal(again.table(name), evaluation.table(name))


def test_what_it_says(evaluation: multirm.Evaluation) -> None:
    assert evaluation.dataset == "own"
    assert evaluation.tables == "accuracy comparisons headline costs ledger category_groups".split()
    assert set(evaluation.accuracy["n"]) == {1, 2, 4}
    assert (
        evaluation.ledger.set_index(["category", "model"])["n_unscored"].to_dict()["law", "skywork"]
        == 10
    )
    assert evaluation.accuracy is evaluation.accuracy
    text = str(evaluation)
    assert text.startswith("own: 20 questions, mean of 2 categories\n")
    assert "best-of-4" in text and "skywork" in text and text == evaluation.summary()
    assert repr(evaluation).startswith("<Evaluation of own: accuracy, ")


def test_names_from_data_are_escaped_in_a_notebook(rows: Rows, said: Said) -> None:
    name = "<b onclick>m & n"
    pools = multirm.Pools.from_frame(
        rows, **{**said, "rewards": {name: "skywork"}, "unit": None, "scale": None}
    )
    shown = multirm.evaluate(pools, n=2)._repr_html_()
    assert html.escape(name) in shown and name not in shown


def test_each_chart_is_drawn(evaluation: multirm.Evaluation, tmp_path: Path) -> None:
    assert evaluation.charts == (
        "best_of_n weighted_vote accuracy_by_cost gains_best_of_n gains_weighted_vote".split()
    )
    for name in evaluation.charts:
        chart = evaluation.chart(name)
        assert isinstance(chart, alt.VConcatChart)
        drawn = chart.to_dict()
        assert drawn["config"]["font"]
        assert ("skywork" if name != "accuracy_by_cost" else "is not known") in str(drawn)
    evaluation.chart("best_of_n").save(tmp_path / "chart.svg")
    assert "<svg" in (tmp_path / "chart.svg").read_text()


def test_the_page_shows_the_evaluation_and_its_pools(
    evaluation: multirm.Evaluation, tmp_path: Path
) -> None:
    evaluation.report(tmp_path / "mine.html", title="A <title>")
    page = (tmp_path / "mine.html").read_text()
    assert "<title>A &lt;title&gt;</title>" in page
    assert 'id="tab-overview"' in page and 'id="tab-solutions"' in page
    with pytest.raises(InputError, match=r"expected a page, \.html"):
        evaluation.report(str(tmp_path / "mine.pdf"))


def test_the_page_has_models_by_the_names_that_they_are_given(
    pools: multirm.Pools, tmp_path: Path
) -> None:
    pools.write(tmp_path)
    solutions, rewards = tmp_path / "data" / "own", tmp_path / "rewards" / "prm" / "own"
    as_they_are = multirm.Pools.read(solutions, {"prm": rewards})
    assert as_they_are.files() == [*sorted(solutions.iterdir()), *sorted(rewards.iterdir())]
    renamed = multirm.Pools.read(solutions, {"mine": rewards})
    assert renamed.files() is None and pools.files() is None
    multirm.evaluate(renamed, "min").report(tmp_path / "page.html")
    assert 'id="tab-solutions"' in (tmp_path / "page.html").read_text()


def test_a_grading_says_what_is_correct(rows: Rows, said: Said) -> None:
    wrong = [{**row, "gold": "Z"} for row in rows]
    columns = said["columns"]
    graded = multirm.Pools.from_frame(wrong, columns=columns, correct="is_correct")
    found = multirm.evaluate(graded).accuracy.query("category == 'Overall' and n == 1")
    expected = multirm.evaluate(multirm.Pools.from_frame(rows, columns=columns))
    pd.testing.assert_series_equal(
        found["accuracy"], expected.accuracy.query("category == 'Overall' and n == 1")["accuracy"]
    )
    by_answers = multirm.evaluate(graded, answers=AnswerRule.MEANING)
    assert set(by_answers.accuracy["accuracy"]) == {0.0}


def test_single_rewards_need_no_aggregation(rows: Rows, said: Said) -> None:
    one = multirm.Pools.from_frame(rows, columns=said["columns"], rewards={"m": "skywork"})
    assert set(multirm.evaluate(one).accuracy["aggregation"].dropna()) == {"last"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"aggregation": None},
            r"^aggregation: expected one for prm, .*; add aggregation=\{'prm': ",
        ),
        ({"aggregation": "mim"}, r"^aggregation of skywork: expected last, .*; did you mean min\?"),
        ({"aggregation": ["min", "min"]}, r"^aggregation of skywork: expected one or more, each"),
        ({"aggregation": {"pmr": "min"}}, r"^aggregation: expected skywork or prm, found 'pmr'"),
        ({"aggregation": {"prm": []}}, r"^aggregation of prm: expected one or more"),
        ({"aggregation": "prod"}, r"^aggregation skywork: expected an aggregation other than prod"),
        ({"estimator": "papr"}, r"^estimator: expected exact, .*did you mean paper\?"),
        ({"estimator": "paper"}, r"^estimator: expected exact, since"),
        ({"answers": "same"}, r"^answers: expected meaning, strict or graded, found 'same'"),
        ({"n": 0}, r"^n: expected greater than or equal to 1, found 0"),
        ({"n": [True]}, r"^n: "),
        ({"n": "many"}, r"^n: "),
        ({"n": 2.5}, r"^n: .*found 2.5"),
        ({"n": [None]}, r"^n: .*found None"),
        ({"aggregation": 5}, r"^aggregation of skywork: expected last, .*found 5"),
        ({"aggregation": {"prm": 5}}, r"^aggregation of prm: expected last, .*found 5"),
        ({"category_groups": {"x": "law"}}, r"^category_groups: expected lists, such as"),
        ({"category_groups": {"x": 3}}, r"^category_groups: expected lists, such as"),
        ({"category_groups": ["law"]}, r"^category_groups: expected a dict, such as"),
        ({"n": 99}, r"^n: expected a size up to 4"),
        ({"runs": 1}, r"^runs: expected greater than or equal to 2, found 1"),
        ({"seed": -1}, r"^seed: "),
        ({"category_groups": {"x": ["law", "mth"]}}, r"^category_groups x: .*did you mean math\?"),
    ],
)
def test_wrong_arguments_are_refused(
    pools: multirm.Pools, arguments: Mapping[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        multirm.evaluate(pools, **{"aggregation": "mean", **arguments})


def test_a_frame_is_not_pools(rows: Rows) -> None:
    with pytest.raises(InputError, match=r"^pools: expected Pools, found DataFrame; make them by"):
        multirm.evaluate(pd.DataFrame(rows))  # type: ignore[arg-type]


@pytest.mark.parametrize("n", [2, np.int64(2), [2], np.array([2]), (2, 2)])
def test_sizes_are_any_numbers(pools: multirm.Pools, n: Any) -> None:
    assert set(multirm.evaluate(pools, "mean", n=n).accuracy["n"]) == {2}


def test_what_is_not_there_is_refused(evaluation: multirm.Evaluation, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^table: expected one of accuracy, .*did you mean costs"):
        evaluation.table("cost")
    with pytest.raises(InputError, match=r"^chart: .*found 'best_of'; did you mean best_of_n\?"):
        evaluation.chart("best_of")
    with pytest.raises(InputError, match=r"^output: expected a path, found None"):
        evaluation.report(None)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"^title: expected a text, found 5"):
        evaluation.report(tmp_path / "page.html", title=5)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"^folder: expected a path, found 3"):
        evaluation.write(3)  # type: ignore[arg-type]
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="a folder to write to"):
        evaluation.write(tmp_path / "file")


def test_reserved_names_are_refused(rows: Rows, said: Said, pools: multirm.Pools) -> None:
    renamed = pools.with_rewards("Overall", pools.rewards_table("prm"))
    with pytest.raises(InputError, match=r"^rewards: expected a model's name without =, and none"):
        multirm.evaluate(renamed, "mean")


def test_inputs_are_not_replaced(rows: Rows, said: Said, tmp_path: Path) -> None:
    multirm.Pools.from_frame(rows, columns=said["columns"]).write(tmp_path)
    folder = tmp_path / "data" / "own"
    (folder / "law.parquet").rename(folder / "accuracy.parquet")
    found = multirm.evaluate(multirm.Pools.read(folder))
    with pytest.raises(InputError, match="a file that is not an input"):
        found.write(folder)
