"""Which multi-domain models are compared with which single-domain or hold-out ones, on which categories."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from multirm.evaluation.methods import Scorer
from multirm.tables.accuracy import OVERALL
from multirm.tables.domains import Domain
from multirm.tables.reward_model_rows import RewardModel

Weights = Mapping[str, Mapping[Scorer, float]]
"""For each category averaged over, the other models averaged over, with weights that add up to 1."""


@dataclass(frozen=True)
class Contrast:
    """A multi-domain model against others.

    Attributes:
        category: the category tested on, or Overall.
        scorer: the multi-domain model.
        other: the other model; None for the mean over several.
        trained_on: the category that it was trained on, if that is one.
        weights: what the mean is over; of one category and one model if there is no mean.
    """

    category: str
    scorer: Scorer
    domain: Domain
    weights: Weights
    other: Scorer | None = None
    trained_on: str | None = None


def contrasts_of(
    scorers: Sequence[Scorer], models: Mapping[str, RewardModel], categories: Sequence[str]
) -> list[Contrast]:
    """All comparisons, Overall first: each multi-domain model with the others of its kind and backbone.

    On each category, it is compared with other models one by one, and with the mean of several: of those trained on the
    category, of those trained on another one, and of those trained on all of its categories but this one. Overall is
    the mean over the categories that have such models.

    Args:
        models: what is known of each scorer's model.
        categories: those tested on.
    """
    found: dict[str, list[Contrast]] = {name: [] for name in (OVERALL, *categories)}
    singles, without = opponents(scorers, models), hold_outs(scorers, models)
    for scorer in scorers:
        trained_on = singles.get(scorer, {})
        for domain in Domain:
            weights: dict[str, Mapping[Scorer, float]] = {}
            for name in categories:
                if domain is Domain.HELD_OUT:
                    held_out = without.get(scorer, {})
                    others = [other for other, category in held_out.items() if category == name]
                else:
                    others = [
                        other
                        for other, category in trained_on.items()
                        if (category == name) is (domain is Domain.IN_DOMAIN)
                    ]
                found[name] += [
                    Contrast(
                        name, scorer, domain, {name: {other: 1.0}}, other, trained_on.get(other)
                    )
                    for other in others
                ]
                if others:
                    weights[name] = dict.fromkeys(others, 1 / len(others))
                if len(others) > 1:
                    found[name].append(Contrast(name, scorer, domain, {name: weights[name]}))
            if weights:
                found[OVERALL].append(Contrast(OVERALL, scorer, domain, weights))
    return [contrast for own in found.values() for contrast in own]


def unknown_models(
    scorers: Sequence[Scorer], models: Mapping[str, RewardModel]
) -> dict[str, RewardModel]:
    """The models that cannot be compared because their kind or training categories are unknown."""
    names = dict.fromkeys(scorer.model for scorer in scorers)
    return {
        name: models[name]
        for name in names
        if models[name].kind is None or not models[name].training_categories
    }


def opponents(
    scorers: Sequence[Scorer], models: Mapping[str, RewardModel]
) -> dict[Scorer, dict[Scorer, str]]:
    """For each multi-domain model, the single-domain ones to compare it with, and the category of each.

    They have the same kind, backbone and aggregation. `unknown_models` are not compared.
    """
    found = {}
    known = models.keys() - unknown_models(scorers, models)
    for scorer in scorers:
        own = models[scorer.model]
        if scorer.model not in known or len(own.training_categories or ()) < 2:
            continue
        singles = {
            other: learned[0]
            for other in scorers
            if other.model in known
            and len(learned := models[other.model].training_categories or []) == 1
            and other.aggregation is scorer.aggregation
            and (models[other.model].kind, models[other.model].backbone) == (own.kind, own.backbone)
        }
        if singles:
            found[scorer] = singles
    return found


def hold_outs(
    scorers: Sequence[Scorer], models: Mapping[str, RewardModel]
) -> dict[Scorer, dict[Scorer, str]]:
    """For each multi-domain model, those trained on two or more of its categories, all but one, and that one.

    They have the same kind, backbone, training datasets and aggregation. `unknown_models` are not compared.
    """
    found: dict[Scorer, dict[Scorer, str]] = {}
    known = models.keys() - unknown_models(scorers, models)
    for scorer in scorers:
        for other in scorers:
            if not {scorer.model, other.model} <= known or other.aggregation != scorer.aggregation:
                continue
            own, less = models[scorer.model], models[other.model]
            categories = set(less.training_categories or ())
            left_out = set(own.training_categories or ()) - categories
            alike = (own.kind, own.backbone, own.learned_from) == (
                less.kind,
                less.backbone,
                less.learned_from,
            )
            is_subset = categories < set(own.training_categories or ())
            if alike and is_subset and len(left_out) == 1 and len(categories) > 1:
                found.setdefault(scorer, {})[other] = left_out.pop()
    return found
