"""Which models are compared with which."""

from dataclasses import replace

from multirm.evaluation.domain_contrasts import contrasts_of, hold_outs, opponents, unknown_models
from multirm.evaluation.methods import Scorer
from multirm.tables.accuracy import OVERALL, Aggregation
from multirm.tables.domains import Domain
from multirm.tables.reward_model_rows import RewardModel
from multirm.tables.reward_models import Kind


def model(
    name: str, *categories: str, kind: Kind | None = Kind.DPRM, backbone: str = "8B"
) -> RewardModel:
    learned = list(categories) or None
    return RewardModel(
        model=name, run_of=name, kind=kind, backbone=backbone, training_categories=learned
    )


def scorer(name: str, aggregation: Aggregation = Aggregation.MIN) -> Scorer:
    return Scorer(name, aggregation)


MODELS = {
    each.model: each
    for each in (
        model("all", "law", "math"),
        model("law", "law"),
        model("more law", "law"),
        model("math", "math"),
        model("elsewhere", "math", backbone="14B"),
        model("orm", "math", kind=Kind.DORM),
        model("unknown"),
        model("no kind", "law", "math", kind=None),
    )
}


def test_models_of_one_kind_and_backbone_are_compared() -> None:
    found = opponents([scorer(name) for name in MODELS], MODELS)
    assert found == {
        scorer("all"): {scorer("law"): "law", scorer("more law"): "law", scorer("math"): "math"}
    }
    assert opponents([scorer("all"), scorer("unknown"), scorer("orm")], MODELS) == {}


def test_models_of_unknown_kind_or_categories_are_named() -> None:
    found = unknown_models([scorer(name) for name in MODELS], MODELS)
    assert list(found) == ["unknown", "no kind"]


def test_aggregations_are_compared_with_themselves() -> None:
    last = Aggregation.LAST
    scorers = [scorer("all"), scorer("all", last), scorer("law", last)]
    assert opponents(scorers, MODELS) == {scorer("all", last): {scorer("law", last): "law"}}


def test_several_models_are_averaged_over() -> None:
    scorers = [scorer(name) for name in ("all", "law", "more law", "math")]
    found = contrasts_of(scorers, MODELS, ["law", "physics"])
    of_law = {scorer("law"): 0.5, scorer("more law"): 0.5}
    thirds = dict.fromkeys(scorers[1:], 1 / 3)
    means = [each for each in found if each.other is None]
    assert [(each.category, each.domain, each.weights) for each in means] == [
        (OVERALL, Domain.IN_DOMAIN, {"law": of_law}),
        (OVERALL, Domain.OUT_OF_DOMAIN, {"law": {scorer("math"): 1.0}, "physics": thirds}),
        ("law", Domain.IN_DOMAIN, {"law": of_law}),
        ("physics", Domain.OUT_OF_DOMAIN, {"physics": thirds}),
    ]
    alone = [
        (each.category, each.domain, each.other and each.other.model, each.trained_on)
        for each in found
        if each.other is not None
    ]
    assert alone == [
        ("law", Domain.IN_DOMAIN, "law", "law"),
        ("law", Domain.IN_DOMAIN, "more law", "law"),
        ("law", Domain.OUT_OF_DOMAIN, "math", "math"),
        ("physics", Domain.OUT_OF_DOMAIN, "law", "law"),
        ("physics", Domain.OUT_OF_DOMAIN, "more law", "law"),
        ("physics", Domain.OUT_OF_DOMAIN, "math", "math"),
    ]
    assert all(each.weights == {each.category: {each.other: 1.0}} for each in found if each.other)


def test_a_category_without_such_models_is_left_out_of_overall() -> None:
    found = contrasts_of([scorer("all"), scorer("law")], MODELS, ["law"])
    assert [(each.category, each.domain) for each in found] == [
        (OVERALL, Domain.IN_DOMAIN),
        ("law", Domain.IN_DOMAIN),
    ]


def test_models_without_one_category_are_held_out_there() -> None:
    """Of the same kind, backbone and datasets; a model of one category is a single-domain model instead."""
    every = ("law", "math", "physics")
    models = {
        each.model: each
        for each in (
            model("every", *every),
            model("no law", "math", "physics"),
            model("no law again", "physics", "math"),
            model("no physics", "law", "math"),
            model("law", "law"),
            model("orm", "law", "math", kind=Kind.DORM),
            model("14B", "law", "math", backbone="14B"),
            replace(model("small", "law", "math"), learned_from=["small"]),
            model("another", "law", "history"),
        )
    }
    scorers = [scorer(name) for name in models]
    found = hold_outs(scorers, models)
    assert found == {
        scorer("every"): {
            scorer("no law"): "law",
            scorer("no law again"): "law",
            scorer("no physics"): "physics",
        }
    }
    assert hold_outs([scorer("every"), scorer("no law", Aggregation.LAST)], models) == {}
    contrasts = [
        each
        for each in contrasts_of([scorer(name) for name in models], models, list(every))
        if each.domain is Domain.HELD_OUT
    ]
    halves = {scorer("no law"): 0.5, scorer("no law again"): 0.5}
    one = {scorer("no physics"): 1.0}
    assert [
        (each.category, each.other and each.other.model, each.weights) for each in contrasts
    ] == [
        (OVERALL, None, {"law": halves, "physics": one}),
        ("law", "no law", {"law": {scorer("no law"): 1.0}}),
        ("law", "no law again", {"law": {scorer("no law again"): 1.0}}),
        ("law", None, {"law": halves}),
        ("physics", "no physics", {"physics": one}),
    ]
    assert {each.trained_on for each in contrasts} == {None}
