"""Gain against shift of length: which distance is a model's, and which points there are."""

from typing import Any

from multirm.figures.gain_by_distance import chart, points_of
from multirm.tables.reward_model_rows import RewardModel, with_means
from multirm.tables.reward_models import Kind
from tests.figures.analysed import groups


def shift(part: str, distance: float, category: str = "law", **columns: Any) -> dict[str, Any]:
    return {
        "dataset": "d",
        "category": category,
        "part": part,
        "learned_from": "train",
        "critiques": None,
        "kind": None,
        "n_questions": 7,
        "distance": distance,
        "distance_low": 0.0,
        "distance_high": 9.0,
        **columns,
    }


def gain(model: str, category: str = "law", n: int = 4, **columns: Any) -> dict[str, Any]:
    return {
        "dataset": "d",
        "category": category,
        "selection": "best_of_n",
        "model": model,
        "n": n,
        "aggregation": "min",
        "other_selection": "majority_vote",
        "difference": 3.0,
        "difference_low": -1.0,
        "difference_high": 7.0,
        **columns,
    }


def model(name: str, kind: Kind | None, critiques: str | None = None) -> RewardModel:
    return RewardModel(
        model=name, run_of=name, kind=kind, learned_from=["train"], critiques=critiques
    )


MODELS = [
    model("d", Kind.DPRM),
    model("gO", Kind.GORM, "set"),
    model("gP", Kind.GPRM, "set"),
]
SHIFTS = [
    shift("train", 1.0),
    shift("kept", 2.0, critiques="set", kind="gORM"),
    shift("kept", 3.0, critiques="set", kind="gPRM"),
    shift("seen", 4.0, critiques="set", kind="gPRM"),
]
GAINS = [gain(each.model) for each in MODELS]
GROUPS = groups("law")


def test_a_model_s_distance_is_that_of_what_it_learned_from() -> None:
    found = {p["method"]: p["distance"] for p in points_of(SHIFTS, GAINS, GROUPS, MODELS)}
    assert found == {"d": 1.0, "gO": 2.0, "gP": 4.0}
    counts = {(p["questions"], p["learned"]) for p in points_of(SHIFTS, GAINS, GROUPS, MODELS)}
    assert counts == {(10, 7)}


def test_only_best_of_the_largest_n_against_the_vote_by_category() -> None:
    others = [
        gain("d", n=2),
        gain("d", category="Overall"),
        gain("d", selection="weighted_vote"),
        gain("d", other_selection="best_of_n"),
        gain("d", category="never learned"),
        gain("d", aggregation="mean", difference=9.0),
    ]
    points = points_of(SHIFTS, [GAINS[0], *others], GROUPS, MODELS)
    assert [(p["category"], p["gain"], p["interval"]) for p in points] == [
        ("Law", 3.0, "-1.0 to +7.0")
    ]


def test_the_mean_stands_for_the_runs() -> None:
    runs = [
        RewardModel(model=name, run_of="d", kind=Kind.DORM, learned_from=["train"])
        for name in ("d", "d@2")
    ]
    points = points_of(SHIFTS, [gain("d@mean"), gain("d")], GROUPS, with_means(runs))
    assert [p["method"] for p in points] == ["d (2 seeds)"]


def test_the_figure_says_what_is_compared() -> None:
    figure = chart("Law_test", SHIFTS, GAINS, GROUPS, MODELS).to_dict()
    said = " ".join(figure["title"]["subtitle"])
    assert "40 solutions to 10 questions." in said
    assert "Best-of-4; a point for each model and category, of which there are 1." in said
    assert "95 % intervals" in said


def test_a_gain_without_an_interval() -> None:
    (point,) = points_of(
        SHIFTS, [gain("d", difference_low=None, difference_high=None)], GROUPS, MODELS
    )
    assert point["interval"] == "none"


def test_nothing_to_draw() -> None:
    for figure in (chart("d", [], [], [], []), chart("d", SHIFTS, GAINS, GROUPS, [])):
        assert "no model with known training lengths" in str(figure.to_dict())
