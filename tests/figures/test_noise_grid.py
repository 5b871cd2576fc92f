"""Heat maps of label noise: which models they show, and what they say where there is nothing to show."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from multirm.errors import InputError
from multirm.figures.noise_grid import chart, draw_noise_grid
from multirm.figures.render import rendered
from multirm.tables.accuracy import IntervalNote, Selection
from multirm.tables.reward_model_rows import RewardModel, with_means
from multirm.tables.reward_models import Kind


def model(name: str, kind: Kind | None, share: float | None, steps: float | None) -> RewardModel:
    return RewardModel(model=name, run_of=name, kind=kind, noise_share=share, step_noise=steps)


def accuracy(name: str | None, n: int, value: float, **changes: Any) -> dict[str, Any]:
    row = {
        "dataset": "Facts",
        "category": "Overall",
        "selection": "best_of_n" if name else "majority_vote",
        "model": name,
        "aggregation": "min" if name else None,
        "n": n,
        "accuracy": value,
        "accuracy_low": value - 4,
        "accuracy_high": value + 3,
        "n_questions": 400,
        "note": None,
    }
    return row | changes


MODELS = [
    model("clean", Kind.DPRM, 0.0, 0.0),
    model("little", Kind.DPRM, 0.5, 0.1),
    model("much", Kind.DPRM, 1.0, 0.5),
    model("gPRM", Kind.GPRM, 1.0, 0.5),
    model("unknown", Kind.DORM, None, None),
    model("no kind", None, 1.0, 0.5),
    model("of outcomes", Kind.DORM, 1.0, 0.5),
]
ROWS = [
    accuracy(each.model, n, 60.0 + n + place) for place, each in enumerate(MODELS) for n in (1, 4)
] + [accuracy(None, 4, 55.5)]


def drawn(rows: list[dict[str, Any]], models: list[RewardModel]) -> dict[str, Any]:
    return chart(rows, models, Selection.BEST_OF_N).to_dict()


def cells(figure: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The rows of each panel, by the first word of its title."""
    return {
        panel["title"]["text"][0].split(",")[0].split()[0]: [
            row
            for layer in panel["layer"]
            for row in figure["datasets"][
                (layer.get("data") or panel.get("data") or figure["data"])["name"]
            ]
            if "noise" in row and layer["mark"]["type"] == "rect"
        ]
        for panel in figure["hconcat"]
    }


def test_a_cell_for_each_noisy_model_at_the_largest_n() -> None:
    found = cells(drawn(ROWS, MODELS))
    assert list(found) == ["dPRM", "gPRM"]
    dprm = {(row["share"], row["noise"]): (row["model"], row["label"]) for row in found["dPRM"]}
    assert dprm == {("0.5", "0.1"): ("little min", "65.0"), ("1", "0.5"): ("much min", "66.0")}
    assert found["gPRM"][0]["interval"] == "63.0 to 70.0"


def test_titles_name_the_model_without_noise_and_the_vote() -> None:
    figure = drawn(ROWS, MODELS)
    assert (
        " ".join(figure["hconcat"][0]["title"]["text"])
        == "dPRM, without noise 64.0 % (60.0 to 67.0)"
    )
    assert figure["title"]["text"] == [
        "Best-of-N accuracy after training with label noise on Facts"
    ]
    said = " ".join(figure["title"]["subtitle"])
    assert "400 questions, N = 4" in said
    assert "The majority vote has 55.5 %." in said


def test_the_mean_stands_for_the_runs_of_a_model() -> None:
    runs = [
        RewardModel(model=name, run_of="two", kind=Kind.DPRM, noise_share=1.0, step_noise=0.5)
        for name in ("two", "two@43")
    ]
    rows = [accuracy(name, 4, value) for name, value in (("two@mean", 50.0), ("two", 40.0))]
    found = cells(drawn(rows, with_means(runs)))
    assert [(row["model"], row["accuracy"]) for row in found["dPRM"]] == [
        ("two (2 seeds) min", 50.0)
    ]


@pytest.mark.parametrize(
    ("rows", "models"),
    [([], []), (ROWS, MODELS[4:]), ([accuracy(None, 4, 55.5)], MODELS)],
)
def test_without_models_of_known_noise_the_figure_says_so(
    rows: list[dict[str, Any]], models: list[RewardModel]
) -> None:
    assert "no process reward model with known label noise" in str(drawn(rows, models))


def test_only_models_without_noise_and_no_intervals() -> None:
    rows = [accuracy("clean", 4, 64.0, accuracy_low=None, accuracy_high=None)]
    figure = drawn(rows, MODELS)
    assert "no noise" in str(figure)
    assert "64.0 % (no interval)" in " ".join(figure["hconcat"][0]["title"]["text"])


def test_what_is_left_out_and_what_intervals_are_based_on_is_said() -> None:
    runs = [
        RewardModel(model=name, run_of="two", kind=Kind.DPRM, noise_share=1.0, step_noise=0.5)
        for name in ("two", "two@43")
    ]
    models = [*with_means(runs), model("another", Kind.DPRM, 1.0, 0.5)]
    rows = [
        accuracy("two@mean", 4, 50.0, note=IntervalNote.NO_SPREAD),
        accuracy("another", 4, 60.0),
        accuracy("another", 4, 70.0, aggregation="prod"),
    ]
    said = " ".join(drawn(rows, models)["title"]["subtitle"])
    assert "Not shown, with the same kind and noise as another: another min." in said
    assert "Not shown, since they differ from these in more than noise: another prod." in said
    assert "whether other settings are is not known" in said
    assert "over questions and, for means over training runs, seeds" in said
    assert "Where all questions came out alike" in said


def test_a_grid_has_models_that_differ_in_noise_alone() -> None:
    """Those of the setup with the most levels of noise, in whatever order models come."""
    names = {
        "on law": ("on law", ["law"], 0.0, 0.0),
        "fewer": ("fewer", ["law", "math"], 0.0, 0.0),
        "fewer, noisy": ("fewer", ["law", "math"], 0.5, 0.1),
        "clean": ("clean", ["law", "math"], 0.0, 0.0),
        "little": ("clean", ["law", "math"], 0.5, 0.1),
        "much": ("clean", ["law", "math"], 1.0, 0.5),
    }
    models = [
        RewardModel(
            model=name,
            run_of=name,
            kind=Kind.DPRM,
            backbone="8B",
            training_categories=categories,
            noise_share=share,
            step_noise=steps,
            noise_baseline=baseline,
        )
        for name, (baseline, categories, share, steps) in names.items()
    ]
    rows = [accuracy(name, 4, 60.0 + place) for place, name in enumerate(names)]
    for given in (models, models[::-1]):
        figure = drawn(rows, given)
        assert {row["model"] for row in cells(figure)["dPRM"]} == {"little min", "much min"}
        assert "without noise 63.0 %" in " ".join(figure["hconcat"][0]["title"]["text"])
        said = " ".join(figure["title"]["subtitle"])
        assert "in more than noise: on law min, fewer min, fewer, noisy min." in said
        assert "not known" not in said
    # Without baselines, as in tables of other programs, backbones and categories are compared.
    unknown = [
        replace(model, noise_baseline=None) for model in models if "fewer" not in model.model
    ]
    said = " ".join(drawn(rows, unknown)["title"]["subtitle"])
    assert "in more than noise: on law min." in said
    assert "whether other settings are is not known" in said


def test_hostile_names_are_drawn_as_text() -> None:
    hostile = "dPRM\x01\x1b[31m\u202e"
    models = [model(hostile, Kind.DPRM, 1.0, 0.5)]
    rows = [accuracy(hostile, 4, 50.0, dataset=hostile)]
    (svg,) = rendered(chart(rows, models, Selection.BEST_OF_N), {".svg"}).values()
    assert b"\\x01\\x1b[31m" in svg
    assert b"\x01" not in svg


@pytest.mark.parametrize("selection", [Selection.MAJORITY_VOTE, Selection.PASS])
def test_what_needs_no_reward_model_is_refused(tmp_path: Path, selection: Selection) -> None:
    with pytest.raises(InputError, match="--selection: expected best_of_n or weighted_vote"):
        draw_noise_grid(tmp_path / "a", [tmp_path / "b"], [tmp_path / "figure.svg"], selection)
