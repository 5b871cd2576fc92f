"""Steps against their labels: a line for each reward model, and last the one of length alone."""

from pathlib import Path
from typing import Any

from multirm.evaluation.describe import describe_reward_models
from multirm.figures.measures import Measures, read_measures
from multirm.figures.render import rendered
from multirm.figures.step_verification import chart, draw_step_verification
from multirm.tables import parquet
from multirm.tables.schema import Schema
from multirm.tables.verification import STEP_VERIFICATION, VERIFICATION
from tests.figures.measured import measured, panels, subtitle
from tests.origins import made_of

STEP_COUNTS = {
    **{f"{part}_n_scored": 20 for part in ("first_error", "all")},
    **{f"{part}_n_missing": 0 for part in ("first_error", "all", "process_bench")},
    **{f"{part}_n_correct": 12 for part in ("first_error", "all")},
    "process_bench_n_erroneous": 6,
    "process_bench_n_correct": 4,
}
COUNTS = {"n_questions": 5, "n_scored": 10, "n_missing": 0, "n_correct": 4}


def step_row(model: str, value: float, f1: float | None = 0.5, **columns: Any) -> dict[str, Any]:
    known = [field.name for field in STEP_VERIFICATION.columns]
    return {
        **dict.fromkeys(known),
        **STEP_COUNTS,
        "dataset": "d",
        "category": "math",
        "model": model,
        **measured("first_error_roc_auc", value),
        **measured("all_roc_auc", value - 0.05),
        **measured("process_bench_f1", f1),
        **columns,
    }


def row(model: str, value: float, aggregation: str = "min", **columns: Any) -> dict[str, Any]:
    known = [field.name for field in VERIFICATION.columns]
    own = {"dataset": "d", "category": "math", "model": model, "aggregation": aggregation}
    return {**dict.fromkeys(known), **COUNTS, **own, **measured("roc_auc", value), **columns}


def read(
    folder: Path, schema: Schema, rows: list[dict[str, Any]], tables: list[Path] | None = None
) -> Measures:
    path = folder / f"{schema.name}.parquet"
    parquet.write(path, schema, rows, made_of())
    return read_measures(path, schema, tables or [])


def drawn(figure: dict[str, Any]) -> dict[str, dict[str, dict[str, Any]]]:
    """What each panel shows, by its title and by the method."""
    found = {}
    for panel in panels(figure):
        names = [layer["data"]["name"] for layer in panel["layer"] if "data" in layer]
        names += [panel["data"]["name"]] if "data" in panel else []
        rows = [each for name in names for each in figure["datasets"][name] if "method" in each]
        title = " ".join(panel["title"]["text"])
        found[title] = {f"{each['category']} {each['method']}": each for each in rows}
    return found


def labels(figure: dict[str, Any]) -> str:
    """The names of the lines, as Vega is told them."""
    first, *others = panels(figure)
    axes = [
        next(e["encoding"]["y"]["axis"] for e in each["layer"] if "y" in e.get("encoding", {}))
        for each in (first, *others)
    ]
    assert [axis["labels"] for axis in axes] == [True] + [False] * len(others)
    return str(axes[0]["labelExpr"])


def test_each_measure_has_a_panel_and_the_stand_in_is_last(tmp_path: Path) -> None:
    models = ("dPRM", "gORM")
    parsed = [f'{{"model": "{name}", "run_of": "{name}", "kind": "{name}"}}' for name in models]
    describe_reward_models("d", tmp_path / "models.parquet", parsed)
    tables = [tmp_path / "models.parquet"]
    steps = read(
        tmp_path, STEP_VERIFICATION, [step_row("shorter", 0.7, None), step_row("dPRM", 0.9)], tables
    )
    whole = [
        row("shorter", 0.6, "last", n_pairs=7, **measured("pair_accuracy", 0.55)),
        row("gORM", 0.7, "mean"),
        *(row("dPRM", 0.75, "prod"), row("dPRM", 0.8)),
        row("dPRM", 0.1, category="unlabelled"),
    ]
    figure = chart(steps, read(tmp_path, VERIFICATION, whole, tables)).to_dict()
    found = drawn(figure)
    assert list(found) == [
        "Steps up to the first error, ROC AUC",
        "All steps, ROC AUC",
        "First error found, F1",
        "Solutions, ROC AUC",
        "Pairs of solutions",
    ]
    first, _, f1, of_solutions, of_pairs = found.values()
    values = {name: each["value"] for name, each in first.items()}
    assert values == {"math Shorter text": 0.7, "math dPRM min": 0.9}
    assert {name: each["n"] for name, each in f1.items()} == {"math dPRM min": 10}
    assert {name: (each["value"], each["n"]) for name, each in of_pairs.items()} == {
        "math Shorter text": (0.55, 7)
    }
    assert set(of_solutions) == {
        f"math {name}" for name in ("dPRM min", "dPRM prod", "gORM", "Shorter text")
    }
    assert labels(figure).startswith('["dPRM min", "dPRM prod", "gORM", "Shorter text"]')
    said = subtitle(figure)
    assert "20 steps, 20 up to the first error, of labelled solutions; 10 solutions." in said
    assert "they stand at a model's first line" in said
    assert "Models without a reward for each step have only measures of solutions." in said


def test_categories_have_headings_and_scores_no_panel_of_f1(tmp_path: Path) -> None:
    alone = {"first_error_note": "one_question: pr_auc, roc_auc"}
    steps = [
        *(step_row("mine", 0.3, None), step_row("shorter", 0.6, None)),
        *(step_row(name, 0.6, None, category="law", **alone) for name in ("mine", "shorter")),
    ]
    whole = [row("mine", 0.6, category=name) for name in ("math", "law")]
    figure = chart(
        read(tmp_path, STEP_VERIFICATION, steps), read(tmp_path, VERIFICATION, whole)
    ).to_dict()
    assert "First error found, F1" not in drawn(figure)
    expected = '["Math", "mine", "Shorter text", "Law", "mine", "Shorter text"]'
    assert labels(figure).startswith(expected)
    assert "Where one question shows no spread" in subtitle(figure)
    (scale,) = {
        tuple(layer["encoding"]["x"]["scale"]["domain"])
        for panel in panels(figure)
        for layer in panel["layer"]
        if "scale" in layer["encoding"].get("x", {})
    }
    # All intervals are in it: the lowest begins at 0.15.
    assert scale == (0.1, 1)


def test_any_name_is_a_label(tmp_path: Path) -> None:
    name = 'it\'s "a" \\ ${model}</script>'
    steps = read(tmp_path, STEP_VERIFICATION, [step_row(name, 0.9)])
    figure = chart(steps, read(tmp_path, VERIFICATION, [row(name, 0.8)]))
    svg = rendered(figure, [".svg"])[".svg"].decode()
    assert 'it\'s "a" \\ ${model}&lt;/script&gt;' in svg


def test_without_labelled_steps_it_says_so(tmp_path: Path) -> None:
    read(tmp_path, STEP_VERIFICATION, [])
    read(tmp_path, VERIFICATION, [row("mine", 0.8)])
    output = tmp_path / "figure.svg"
    draw_step_verification(
        tmp_path / "step_verification.parquet", tmp_path / "verification.parquet", [output]
    )
    assert "no labelled steps to draw" in output.read_text()
