"""The summary's lines for the terminal."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from multirm.errors import InputError
from multirm.inspect.summary import summarise, summarise_study
from multirm.tables import parquet
from multirm.tables.accuracy import ACCURACY
from multirm.tables.headline import HEADLINE
from multirm.tables.reward_model_rows import RewardModel, with_means
from multirm.tables.reward_models import REWARD_MODELS
from tests.origins import made_of

ROW = {
    "dataset": "small",
    "estimator": "exact",
    "std": None,
    "standard_error": 0.0,
    "runs": None,
    "n_questions": 3,
    "n_short": 0,
    "note": None,
}


def accuracy_rows() -> list[dict[str, object]]:
    numbers = [
        ("majority_vote", None, 1, 40.0),
        ("pass", None, 1, 40.0),
        ("majority_vote", None, 4, 50.0),
        ("best_of_n", "dORM", 4, 61.25),
        ("weighted_vote", "dORM", 4, 62.5),
        ("pass", None, 4, 75.0),
    ]
    return [
        ROW
        | {"category": category, "selection": selection, "model": model, "n": n}
        | {"aggregation": "last" if model else None, "accuracy": mean}
        | {"accuracy_low": mean - 2, "accuracy_high": mean + 2.25}
        for category in ("Overall", "law", "physics")
        for selection, model, n, mean in numbers
    ]


def test_a_line_per_model_at_the_largest_n() -> None:
    table = pa.Table.from_pylist(accuracy_rows(), schema=ACCURACY.columns)
    title, header, line, last = summarise(table)
    assert title == "small: 3 questions, mean of 2 categories"
    assert [part.strip() for part in header.split("  ") if part.strip()] == [
        "accuracy in %",
        "best-of-4",
        "weighted vote",
    ]
    assert [part.strip() for part in line.split("  ") if part.strip()] == [
        "dORM",
        "61.25 [59.2, 63.5]",
        "62.50 [60.5, 64.8]",
    ]
    assert last == (
        "without a reward model: majority vote 50.00 [48.0, 52.2], pass@4 75.00 [73.0, 77.2], "
        "one solution 40.00 [38.0, 42.2]"
    )


def answer(dataset: str, model: str = "dORM") -> dict[str, object]:
    return {
        "dataset": dataset,
        "selection": "best_of_n",
        "model": model,
        "aggregation": "last",
        "n": 4,
        "difference": 11.25,
        "difference_low": 2.04,
        "difference_high": 20.5,
        "p_holm": 0.0123,
        "n_tests": 2,
        "verdict": "better",
        "note": None,
    }


def test_the_answer_comes_first_and_is_that_of_the_dataset(tmp_path: Path, capsys: Any) -> None:
    paths = [tmp_path / f"{name}.parquet" for name in ("accuracy", "small", "other")]
    parquet.write(paths[0], ACCURACY, accuracy_rows(), made_of())
    for path in paths[1:]:
        parquet.write(path, HEADLINE, [answer(path.stem, f"of {path.stem}")], made_of())
    summarise_study([paths[0]], headline=paths[1:])
    title, sentence, _, header, *_ = capsys.readouterr().out.splitlines()
    assert title.startswith("small: ")
    assert sentence == (
        "Selecting the best of 4, of small (+11.2 [2.0, 20.5], p = 0.012) beats the majority vote."
    )
    assert header.startswith("accuracy in %")


def test_lines_do_not_end_inside_a_p_value() -> None:
    headline = pa.Table.from_pylist(
        [answer("small", "m" * length) for length in range(1, 60)], schema=HEADLINE.columns
    )
    table = pa.Table.from_pylist(accuracy_rows(), schema=ACCURACY.columns)
    lines = "\n".join(summarise(table, headline=headline)).splitlines()
    assert sum(line.count("p = 0.012") for line in lines) == 59
    assert max(map(len, lines)) <= 130


def test_no_models() -> None:
    rows = [row for row in accuracy_rows() if not row["model"]]
    _, last = summarise(pa.Table.from_pylist(rows, schema=ACCURACY.columns))
    assert last.startswith("without a reward model: majority vote 50.00")


def test_no_rows() -> None:
    assert summarise(ACCURACY.columns.empty_table()) == ["no accuracies"]


def test_prints_every_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "accuracy.parquet"
    parquet.write(path, ACCURACY, accuracy_rows(), made_of())
    summarise_study([path, path])
    assert capsys.readouterr().out.count("small: 3 questions") == 2


def test_one_line_for_the_mean_over_training_runs() -> None:
    rows = accuracy_rows()
    for model, mean in (("dORM@mean", 61.5), ("dORM@43", 61.75), ("gORM", 58.0)):
        rows += [
            row
            | {
                "model": model,
                "accuracy": mean,
                "accuracy_low": mean - 5,
                "accuracy_high": mean + 5,
            }
            for row in accuracy_rows()
            if row["model"]
        ]
    table = pa.Table.from_pylist(rows, schema=ACCURACY.columns)
    _, _, first, second, last = summarise(table)
    assert first.startswith("dORM (2 seeds)  61.50 [56.5, 66.5]")
    assert second.startswith("gORM            58.00")
    assert last.startswith("without a reward model")


def test_an_interval_based_on_something_else_says_on_what() -> None:
    rows = accuracy_rows()
    for row in rows:
        if row["selection"] == "pass" and row["n"] == 4:
            row["note"] = "no_spread"
        elif row["selection"] == "weighted_vote":
            row["note"] = "single_questions"
    table = pa.Table.from_pylist(rows, schema=ACCURACY.columns)
    _, _, line, last, *notes = summarise(table)
    assert line.endswith("62.50 [60.5, 64.8]*")
    assert "pass@4 75.00 [73.0, 77.2]**, " in last
    assert last.endswith("one solution 40.00 [38.0, 42.2]")
    assert [note.split(" ")[0] for note in notes] == ["*", "**"]
    assert "one question each" in notes[0]
    assert "came out alike" in notes[1]


def test_a_missing_interval_is_explained() -> None:
    rows = [
        row | {"accuracy_low": None, "accuracy_high": None, "std": 1.5, "note": "published"}
        for row in accuracy_rows()
    ]
    lines = summarise(pa.Table.from_pylist(rows, schema=ACCURACY.columns))
    assert "61.25 ± 1.50*" in lines[2]
    assert lines[-1] == "* the estimator paper has a standard deviation over runs, but no interval"


def test_an_unknown_note_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "accuracy.parquet"
    rows = [row | {"note": "<b>"} for row in accuracy_rows()]
    with pytest.raises(InputError, match=r"expected an interval's note, .* found '<b>'"):
        parquet.write(path, ACCURACY, rows, made_of())


def test_missing_rows_are_left_blank() -> None:
    rows = [row for row in accuracy_rows() if row["selection"] not in ("pass", "weighted_vote")]
    *_, line, last = summarise(pa.Table.from_pylist(rows, schema=ACCURACY.columns))
    assert line.endswith("61.25 [59.2, 63.5]")
    assert last == "without a reward model: majority vote 50.00 [48.0, 52.2]"


def test_training_runs_are_recognised_per_dataset(tmp_path: Path, capsys: Any) -> None:
    """By the tables, two names are runs of one model on one dataset, and two models on the other."""
    paths: dict[str, list[Path]] = {"accuracy": [], "reward_models": []}
    for dataset, model in (("small", "ours"), ("large", None)):
        rows = [
            row | {"dataset": dataset, "model": name, "aggregation": "last"}
            for name in ("one", "two", *(["ours@mean"] if model else []))
            for row in accuracy_rows()
            if row["model"]
        ]
        runs = [RewardModel(model=name, run_of=model or name) for name in ("one", "two")]
        for name, schema, of_table in (
            ("accuracy", ACCURACY, rows),
            ("reward_models", REWARD_MODELS, [each.columns(dataset) for each in with_means(runs)]),
        ):
            paths[name].append(tmp_path / f"{dataset}.{name}.parquet")
            parquet.write(paths[name][-1], schema, of_table, made_of())
    summarise_study(**paths)
    first = [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()]
    assert [name for name in first if name in ("ours (2 seeds)", "one", "two")] == [
        "ours (2 seeds)",
        "one",
        "two",
    ]


def test_names_from_tables_cannot_steer_the_terminal(tmp_path: Path, capsys: Any) -> None:
    rows = [row | {"model": row["model"] and "\x1b[31mred"} for row in accuracy_rows()]
    parquet.write(tmp_path / "accuracy.parquet", ACCURACY, rows, made_of())
    summarise_study([tmp_path / "accuracy.parquet"])
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "\\x1b[31mred" in said
    assert "\\n" not in said
