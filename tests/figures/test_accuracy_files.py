"""Reading curves from our table and from the published CSV."""

import csv
from pathlib import Path
from typing import Any

import pytest

from multirm.charts.palette import VOTES, styles
from multirm.errors import InputError
from multirm.figures.accuracies import Point, category_names, method_names
from multirm.figures.accuracy_files import read_accuracies
from multirm.tables import parquet
from multirm.tables.accuracy import ACCURACY, Selection
from multirm.tables.reward_model_rows import RewardModel
from multirm.tables.reward_models import REWARD_MODELS, Kind
from tests.figures.described import described
from tests.origins import made_of

HEADER = "N,Method,Overall_mean,law_mean,Overall_std,law_std\n"


def test_published_csv(shared_data: Path) -> None:
    path = shared_data / "published/mmlu_pro_llama_3.1_8b_best_of_n.csv"
    found = read_accuracies(path, Selection.BEST_OF_N)
    points = found.points
    assert found.dataset == "mmlu_pro_llama_3.1_8b_best_of_n"
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(points) == len(lines) * 15
    accuracies = {(p.category, p.method, p.n): p.accuracy for p in points}
    for line in lines:
        method = {"MV": "Majority vote"}.get(line["Method"], line["Method"])
        assert accuracies["law", method, int(line["N"])] == float(line["law_mean"])
    names = ["dORM", "dPRM", "gORM", "gPRM"]
    assert found.styles == VOTES | styles(described({name: name for name in names}))
    assert category_names(points)[:3] == ["Overall", "law", "psychology"]
    assert method_names(points) == ["dORM", "dPRM", "gORM", "gPRM", "Majority vote", "Pass@N"]


def accuracy_row(selection: str, model: str | None, **changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = {"dataset": "d", "category": "law", "aggregation": None, "n": 1}
    row |= {
        "estimator": "exact",
        "accuracy": 50.0,
        "accuracy_low": 48.0,
        "accuracy_high": 53.0,
        "n_short": 0,
    }
    row |= {"std": None, "standard_error": 0.0, "runs": None}
    return row | {"selection": selection, "model": model, "n_questions": 3} | changes


def test_accuracy_table_gives_one_selection_with_the_vote_and_the_ceiling(tmp_path: Path) -> None:
    path = tmp_path / "accuracy.parquet"
    rows = [
        accuracy_row("majority_vote", None, accuracy=40.0),
        accuracy_row("best_of_n", "dORM"),
        accuracy_row("weighted_vote", "dORM", accuracy=60.0),
        accuracy_row("pass", None, accuracy=80.0),
    ]
    parquet.write(path, ACCURACY, rows, made_of())
    found = read_accuracies(path, Selection.WEIGHTED_VOTE)
    assert found.dataset == "d"
    assert found.points == [
        Point("law", "Majority vote", 1, 40.0, 48.0, 53.0, n_questions=3),
        Point("law", "dORM", 1, 60.0, 48.0, 53.0, n_questions=3),
        Point("law", "Pass@N", 1, 80.0, 48.0, 53.0, n_questions=3),
    ]
    assert not found.has_means


def test_a_table_without_reward_models_has_the_votes(tmp_path: Path) -> None:
    path = tmp_path / "accuracy.parquet"
    parquet.write(path, ACCURACY, [accuracy_row("majority_vote", None)], made_of())
    found = read_accuracies(path, Selection.BEST_OF_N)
    assert [point.method for point in found.points] == ["Majority vote"]
    parquet.write(path, ACCURACY, [], made_of())
    assert read_accuracies(path, Selection.BEST_OF_N).points == []


def test_aggregations_of_a_model_share_its_colour_and_no_mark(tmp_path: Path) -> None:
    path = tmp_path / "accuracy.parquet"
    ways = {"dPRM": ["prod", "min"], "gORM": ["mean"]}
    rows = [
        accuracy_row("best_of_n", model, aggregation=way) for model in ways for way in ways[model]
    ]
    parquet.write(path, ACCURACY, rows, made_of())
    found = read_accuracies(path, Selection.BEST_OF_N).styles
    assert set(found) == {*VOTES, "dPRM min", "dPRM prod", "gORM"}
    assert found["dPRM min"].colour == found["dPRM prod"].colour != found["gORM"].colour
    assert len({found[name].shape for name in ("dPRM min", "dPRM prod", "gORM")}) == 3
    parquet.write(path, ACCURACY, rows[::-1], made_of())
    assert read_accuracies(path, Selection.BEST_OF_N).styles["dPRM min"] == found["dPRM min"]


def test_a_model_with_several_seeds_has_one_curve(tmp_path: Path) -> None:
    path = tmp_path / "accuracy.parquet"
    rows = [
        accuracy_row("best_of_n", model, aggregation="last", accuracy=accuracy)
        for model, accuracy in (("d@mean", 50.0), ("d", 49.0), ("d@43", 51.0), ("e@43", 45.0))
    ]
    parquet.write(path, ACCURACY, rows, made_of())
    found = read_accuracies(path, Selection.BEST_OF_N)
    assert [(point.method, point.accuracy) for point in found.points] == [
        ("d (2 seeds)", 50.0),
        ("e@43", 45.0),
    ]
    assert found.has_means
    path = tmp_path / "accuracy.csv"
    path.write_text(f"{HEADER}1,MV,9,9,0,0\n1,d@mean,5,5,0,0\n1,d,4,4,0,0\n1,d@7,6,6,0,0\n")
    points = read_accuracies(path, Selection.BEST_OF_N).points
    assert {(point.method, point.accuracy) for point in points} == {
        ("Majority vote", 9.0),
        ("d (2 seeds)", 5.0),
    }


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    path = tmp_path / "accuracy.csv"
    path.write_text(f"\ufeff{HEADER}1,MV,9,9,0,0\n", "utf-8")
    points = read_accuracies(path, Selection.BEST_OF_N).points
    assert {point.accuracy for point in points} == {9.0}


def test_control_characters_in_names_are_shown_and_not_obeyed(tmp_path: Path) -> None:
    path = tmp_path / "accuracy.csv"
    path.write_text(HEADER.replace("law", "la\x1bw") + "1,d\x00<b>,50,50,0,0\n")
    (first, second) = read_accuracies(path, Selection.BEST_OF_N).points
    assert (first.method, second.category) == ("d\\x00<b>", "la\\x1bw")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "columns N, Method"),
        ("a,b\n1,2\n", "columns N, Method"),
        (HEADER, "expected accuracies, found none"),
        (HEADER + "1,MV,50,fifty,0,0\n", "line 2: expected N, Method and a number in law_mean"),
        (HEADER + "1,MV,50,50,0,0\n2,MV\n", "line 3"),
        (HEADER + "one,MV,50,50,0,0\n", "line 2"),
        (HEADER + "0,MV,50,50,0,0\n", "N from 1 to 1000000000"),
        (HEADER + f"{10**12},MV,50,50,0,0\n", "found 1000000000000 and 50"),
        (HEADER + "9" * 4000 + ",MV,50,50,0,0\n", "N from 1 to"),
        (HEADER + "1,MV,50,1e308,0,0\n", "a percentage in law_mean"),
        (HEADER + "1,MV,50,nan,0,0\n", "a percentage in law_mean"),
        (HEADER + "1,MV,50,50,0,0\n1,MV,50,50,0,0\n", "one accuracy for each"),
        (HEADER + f"1,{'x' * 201},50,50,0,0\n", "names of 1 to 200 characters"),
        (HEADER.replace("law", "") + "1,MV,50,50,0,0\n", "names of 1 to 200 characters"),
        (HEADER + '1,"MV,50,50,0,0\n', "a CSV file"),
    ],
)
def test_bad_csv(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "accuracies.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_accuracies(path, Selection.BEST_OF_N)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_bad_files(tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes(b"N,Method,\xff")
    for name, message in (
        ("latin.csv", "UTF-8"),
        ("missing.csv", "no such file"),
        ("missing.parquet", "no such file"),
        ("accuracy.json", "a .parquet or .csv file"),
    ):
        with pytest.raises(InputError, match=message):
            read_accuracies(tmp_path / name, Selection.BEST_OF_N)
    with pytest.raises(InputError, match="best_of_n, weighted_vote, found majority_vote"):
        read_accuracies(tmp_path / "latin.csv", Selection.MAJORITY_VOTE)


def test_kinds_are_what_the_table_of_reward_models_says(tmp_path: Path) -> None:
    path, table = tmp_path / "accuracy.parquet", tmp_path / "reward_models.parquet"
    rows = [accuracy_row("best_of_n", name, aggregation="last") for name in ("theirs", "dORM-b")]
    parquet.write(path, ACCURACY, rows, made_of())
    known = [
        RewardModel(model="unseen", run_of="unseen", kind=Kind.GPRM),
        RewardModel(model="theirs", run_of="theirs", kind=Kind.GPRM),
        RewardModel(model="dORM-b", run_of="dORM-b"),
    ]
    parquet.write(table, REWARD_MODELS, [each.columns("d") for each in known], made_of())
    found = read_accuracies(path, Selection.BEST_OF_N, [table]).styles
    assert found == VOTES | {name: styles(known)[name] for name in ("theirs", "dORM-b")}
    assert found["theirs"] != styles(described({"theirs": "gPRM"}))["theirs"]
    by_name = read_accuracies(path, Selection.BEST_OF_N).styles
    assert by_name == VOTES | styles(described({"theirs": None, "dORM-b": "dORM"}))
    parquet.write(table, REWARD_MODELS, [known[1].columns("d")], made_of())
    with pytest.raises(InputError, match="expected 'dORM-b' on 'd', found 'theirs'"):
        read_accuracies(path, Selection.BEST_OF_N, [table])
