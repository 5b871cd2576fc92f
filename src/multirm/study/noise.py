"""Which reward models of a study differ in the label noise of their training data alone."""

from multirm.study.datasets import DerivedDataset
from multirm.study.reward_models import (
    DiscriminativeModel,
    ExternalModel,
    GenerativeModel,
    PairwiseModel,
    ReadyModel,
)
from multirm.study.study import Study

# Settings that affect how a job runs, and nothing else.
_OF_JOBS = {
    "training": {"processes", "parallelism", "device_batch_size", "activation_memory"},
    "scoring": {"shards", "batch_tokens"},
}


def noise_baselines(study: Study) -> dict[str, str]:
    """For each reward model trained here, the first one that differs from it in label noise alone: possibly itself."""
    known: list[tuple[object, str]] = []
    found = {}
    for name, model in study.models.items():
        if isinstance(model, ExternalModel | ReadyModel):
            continue
        own = _apart_from_noise(study, name, model)
        found[name] = next((other for setup, other in known if setup == own), name)
        known.append((own, name))
    return found


def _apart_from_noise(
    study: Study, name: str, model: DiscriminativeModel | PairwiseModel | GenerativeModel
) -> tuple[object, ...]:
    """All that affects a model's rewards, except label noise."""
    sections = {
        key: getattr(model, key).model_dump(exclude=excluded) for key, excluded in _OF_JOBS.items()
    }
    datasets = study.training_datasets_of(name)
    solutions = [_solutions_apart_from_noise(study, dataset) for dataset in datasets]
    categories = sorted(study.training_categories_of(name))
    found = model.kind, model.backbone, sections, solutions, categories
    if isinstance(model, PairwiseModel):
        sets = [study.preferences[each] for each in model.preferences]
        made = [
            (
                each.model_dump(exclude={"trees"}),
                study.trees[each.trees].model_dump(exclude={"dataset"}),
            )
            for each in sets
        ]
        return *found, model.from_, model.format, made
    if not isinstance(model, GenerativeModel):
        return *found, model.from_
    filtered, generated = study.critiques[model.critiques], study.critiques_of(name)
    return (
        *found,
        study.template_of(name),
        (filtered.max_length, filtered.agreement),
        generated.model_dump(exclude={"dataset", "max_length", "agreement"}),
        _solutions_apart_from_noise(study, generated.dataset),
    )


def _solutions_apart_from_noise(study: Study, dataset: str) -> tuple[str, list[object]]:
    """The dataset that a dataset derives from, and the changes that lead to it other than noise, the last one first."""
    *derived, origin = study.origins_of(dataset)
    changes: list[object] = [
        (settings.shuffle, settings.take, settings.label, settings.augment)
        for settings in map(study.datasets.__getitem__, derived)
        if isinstance(settings, DerivedDataset) and not settings.noise
    ]
    return origin, changes
