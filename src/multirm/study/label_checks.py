"""Checks of where step labels come from, and of what they are compared with."""

from collections.abc import Iterator

from multirm.models.training_method import Targets
from multirm.study.datasets import (
    DerivedDataset,
    MiniatureDataset,
    SampledDataset,
)
from multirm.study.files import validation_solutions
from multirm.study.questions import MiniatureQuestions
from multirm.study.reward_models import (
    DiscriminativeModel,
)
from multirm.study.study import Study
from multirm.tables.reward_models import Kind
from multirm.tables.solutions import Policy


def unusable_labels(study: Study) -> list[str]:
    """Sources of labels that do not fit the solutions, and labels that are not there."""
    return [
        *_values_of_labels(study),
        *_empty_validation(study),
        *_unusable_labels(study),
        *_lost_labels(study),
        *_nothing_to_compare(study),
    ]


def _values_of_labels(study: Study) -> Iterator[str]:
    """Reward models that learn values from datasets without any."""
    for name, model in study.models.items():
        if isinstance(model, DiscriminativeModel) and model.training.targets is Targets.VALUES:
            datasets = study.training_datasets_of(name)
            if not any(study.labels_of(name, dataset) for dataset in datasets):
                yield (
                    f"models.{name}.training.targets: values are in the labels of datasets with `label`, "
                    f"and {' and '.join(datasets)} has none; choose labels"
                )


def _empty_validation(study: Study) -> Iterator[str]:
    for name in study.models:
        datasets = study.validation_datasets_of(name)
        if datasets and not validation_solutions(study, name):
            yield (
                f"models.{name}.training.validation.dataset: {' and '.join(datasets)} has none of the categories "
                "that the model is trained on"
            )


def _unusable_labels(study: Study) -> Iterator[str]:
    """Sources of labels that do not fit the dataset whose solutions are labelled."""
    for name, settings in study.datasets.items():
        if not isinstance(settings, DerivedDataset) or not (label := settings.label):
            continue
        key, origin = f"datasets.{name}.label", settings.from_
        for other in label.agree or []:
            one = study.datasets[other]
            if not isinstance(one, DerivedDataset) or not one.label or one.from_ != origin:
                yield f"{key}.agree: {other} is not {origin} with `label`; name datasets that are"
        if label.known and not _asks_miniature(study, origin):
            yield f"{key}.known: {origin} does not answer the miniature's questions; use another source"
        if label.monte_carlo and not study.has_answers(origin):
            yield f"{key}.monte_carlo: the questions of {origin} have no answers; use another source"
        if label.trust:
            model = study.models[label.trust.model]
            learned = model.datasets if isinstance(model, DiscriminativeModel) else []
            if model.kind is not Kind.DPRM or origin not in learned:
                yield (
                    f"{key}.trust.model: {label.trust.model} is not a dPRM trained on {origin}, "
                    "whose labels it should check; name one that is"
                )
        votes = label.judge
        if votes and votes.votes > 1 and votes.temperature == 0:
            yield f"{key}.judge: {votes.votes} votes at temperature 0 would be the same; raise it"


def _lost_labels(study: Study) -> Iterator[str]:
    """Changes after which it would be unknown which steps are to be learned."""
    for name, settings in study.datasets.items():
        if not isinstance(settings, DerivedDataset):
            continue
        cuts = settings.take is not None and settings.take.steps
        trusts = settings.label is not None and settings.label.trust
        if (cuts or trusts) and study.labels_table_of(settings.from_, values=False):
            key = "take.steps" if cuts else "label.trust"
            yield (
                f"datasets.{name}.{key}: of {settings.from_}, only some steps are learned, and this would be lost; "
                "derive from the dataset before it"
            )


def _nothing_to_compare(study: Study) -> Iterator[str]:
    for name in study.evaluation.step_labels:
        if not study.compared_labels(name):
            origin = study.labelled_from(name) or name
            yield (
                f"evaluation.step_labels: no other dataset labels the steps of {origin}; "
                f"define one with `from: {origin}` and `label`"
            )


def _asks_miniature(study: Study, dataset: str) -> bool:
    origin = study.datasets[study.origins_of(dataset)[-1]]
    if isinstance(origin, SampledDataset):
        return isinstance(study.questions[origin.sample.questions], MiniatureQuestions)
    return isinstance(origin, MiniatureDataset) and origin.policy is not Policy.TUTOR
