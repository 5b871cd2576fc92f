"""The gain table: which gains and marks it has."""

from pathlib import Path
from typing import Any

from multirm.report.gain_table import sheets, table_rows, tabulate_gain_table
from multirm.tables import parquet
from multirm.tables.category_groups import CATEGORY_GROUPS
from multirm.tables.comparisons import COMPARISONS
from multirm.tables.gain_table import GAIN_TABLE
from tests.origins import made_of
from tests.report.test_reward_table import comparison


def grouped(group: str, selection: str, model: str | None, **columns: Any) -> dict[str, Any]:
    return {
        "dataset": "d",
        "group": group,
        "selection": selection,
        "model": model,
        "aggregation": model and "min",
        "n": 4,
        "accuracy": 60.0,
        "accuracy_low": 50.0,
        "accuracy_high": 70.0,
        "difference": model and -2.5,
        "difference_low": model and -5.0,
        "difference_high": model and 0.0,
        "p": model and 0.04,
        "p_holm": model and 0.04,
        "n_categories": 2,
        "n_questions": 6,
        "note": None,
        "difference_note": None,
        **columns,
    }


COMPARISONS_ROWS = [
    comparison(category, "best_of_n", model, p)
    for category, p in {"Overall": 0.01, "law": 0.2, "computer_science": 0.01}.items()
    for model in ("a", "b")
]
GROUPS = [
    grouped("all_but_law", "majority_vote", None),
    grouped("all_but_law", "best_of_n", "a"),
    grouped("all_but_law", "best_of_n", "a", n=2),
    grouped("all_but_law", "best_of_n", "hidden"),
]


def test_overall_then_groups_then_categories() -> None:
    with_others = [comparison("law", "best_of_n", "a", 0.1) | {"n": 2}]
    with_others += [comparison("law", "best_of_n", "a", 0.1) | {"other_selection": "best_of_n"}]
    rows = table_rows([*with_others, *COMPARISONS_ROWS], GROUPS, {"a": "a", "b": "b"})
    assert [(row["part"], row["model"], row["is_group"]) for row in rows] == [
        ("Overall", "a", False),
        ("Overall", "b", False),
        ("all_but_law", "a", True),
        ("law", "a", False),
        ("law", "b", False),
        ("computer_science", "a", False),
        ("computer_science", "b", False),
    ]
    assert {row["n"] for row in rows} == {4}
    (group,) = [row for row in rows if row["is_group"]]
    assert (group["difference"], group["difference_low"], group["difference_high"]) == (
        -2.5,
        -5.0,
        0.0,
    )
    assert group["family"] == "exploratory"


def test_the_sheet_has_gains_with_marks_and_intervals() -> None:
    rows = table_rows(COMPARISONS_ROWS, GROUPS, {"a": "a (2 seeds)", "b": "b"})
    (sheet,) = sheets(rows, {"a": "a (2 seeds)", "b": "b"})
    assert sheet.title == "Gain of best-of-N over the majority vote on d in points, N = 4"
    assert sheet.header == ["mean over or category", "a (2 seeds)", "b"]
    assert sheet.rows == [
        ["Overall", "+5.0* [+1.0, +9.0]", "+5.0* [+1.0, +9.0]"],
        ["all but law", "−2.5† [−5.0, +0.0]", "–"],
        ["law", "+5.0 [+1.0, +9.0]", "+5.0 [+1.0, +9.0]"],
        ["computer science", "+5.0† [+1.0, +9.0]", "+5.0† [+1.0, +9.0]"],
    ]
    text = " ".join(sheet.notes)
    assert "paired over questions" in text and "*: p <" in text and "†: p <" in text


def test_notes_are_explained_and_there_may_be_nothing() -> None:
    noted = [row | {"note": "one_question", "difference_low": None} for row in COMPARISONS_ROWS]
    (sheet,) = sheets(table_rows(noted, [], {"a": "a"}), {"a": "a"})
    assert "one question shows no spread" in " ".join(sheet.notes).lower()
    assert "brackets" not in " ".join(sheet.notes)
    assert sheets([], {}) == []


def test_tables_become_files(tmp_path: Path) -> None:
    compared, groups = tmp_path / "comparisons.parquet", tmp_path / "category_groups.parquet"
    parquet.write(compared, COMPARISONS, COMPARISONS_ROWS, made_of())
    parquet.write(groups, CATEGORY_GROUPS, [*GROUPS[:3]], made_of())
    output = [tmp_path / f"gains.{suffix}" for suffix in ("parquet", "tex", "md", "csv")]
    tabulate_gain_table(compared, groups, output)
    assert parquet.read(output[0], GAIN_TABLE).num_rows == 7
    assert "all but law" in output[2].read_text()
