"""Checks of a study's settings that are valid one by one, but inconsistent together."""

from collections.abc import Iterator
from pathlib import Path

from multirm.engines.name import EngineName
from multirm.errors import did_you_mean
from multirm.formats.sources import Reader, places_of
from multirm.models.activations import Decoder
from multirm.models.parallelism import Parallelism
from multirm.models.training_method import Method
from multirm.reward_models.formats import read_format
from multirm.study.datasets import (
    DerivedDataset,
    MiniatureDataset,
    ReadDataset,
    SampledDataset,
)
from multirm.study.label_checks import unusable_labels
from multirm.study.leak_checks import training_on_what_is_evaluated
from multirm.study.name_checks import unknown_names, unusable_names
from multirm.study.questions import ReadQuestions
from multirm.study.resources import Share, reading_memory, runs_on_gpu, training_memory
from multirm.study.reward_models import (
    DiscriminativeModel,
    DiscriminativeScoring,
    ExternalModel,
    GenerativeModel,
    PairwiseModel,
    ReadyDiscriminativeModel,
    ReadyGenerativeModel,
    RewardModel,
)
from multirm.study.study import Study
from multirm.study.targets import used_critiques, used_datasets, used_questions
from multirm.tables.accuracy import Aggregation, Estimator
from multirm.tables.reward_models import FormatName
from multirm.tables.rewards import REWARD_TYPES, Scale


def problems(study: Study) -> list[str]:
    """All inconsistencies, each with its key and a remedy."""
    unknown = [*unknown_names(study), *_unsuited_starts(study)]
    found = [*unknown, *unusable_names(study)]
    if unknown:
        # The other checks look names up.
        return found
    return [
        *found,
        *_foreign_categories(study),
        *unusable_labels(study),
        *_missing_critiques(study),
        *_critiques_of_other_solutions(study),
        *_missing_rewards(study),
        *_unusable_trees(study),
        *_unusable_searches(study),
        *_too_large_models(study),
        *_too_large_ready_models(study),
        *_uneven_batches(study),
        *_unsuited_aggregations(study),
        *_scores_as_probabilities(study),
        *_impossible_groups(study),
        *_too_small_pools(study),
        *_parts_of_sampled_pools(study),
        *_nothing_evaluated(study),
        *training_on_what_is_evaluated(study),
    ]


def missing_sources(study: Study) -> list[str]:
    """The missing files and folders among a study's sources, each with its key.

    Whatever can be a hub name is taken for one: only the hub knows whether it exists.
    """
    data = Path(study.data)
    found = []
    for key, reader, source, *names in _sources(study):
        missing = [
            place
            for place in places_of(reader, source, data, *names)
            if isinstance(place, Path) and not place.exists()
        ]
        for place in dict.fromkeys(missing):
            found.append(f"{key}: {place} does not exist (looked in {Path.cwd()})")
    return list(dict.fromkeys(found))


def _sources(study: Study) -> Iterator[tuple[str, Reader, list[str], *tuple[str, ...]]]:
    """Each source: its key, its format, its places, and the name of its file if it is a folder."""
    for name in used_datasets(study):
        dataset = study.datasets[name]
        if isinstance(dataset, ReadDataset):
            for category in dataset.categories or study.categories:
                yield f"datasets.{name}.source", dataset.reader, dataset.source, f"{category}.json"
    for asked, categories in used_questions(study).items():
        questions = study.questions[asked]
        if isinstance(questions, ReadQuestions):
            for category in categories:
                file = f"{category}.json"
                yield f"questions.{asked}.source", questions.reader, questions.source, file
    for name, model in study.models.items():
        if isinstance(model, ExternalModel):
            for dataset_name in study.evaluation.datasets:
                for category in study.categories_of(dataset_name):
                    key = f"models.{name}.rewards.{dataset_name}"
                    file = f"{category}_reward.json"
                    yield key, Reader.PUBLISHED, model.rewards[dataset_name], file
    for name, used in used_critiques(study):
        critiques = study.critiques[name]
        for kind, source in critiques.published or ():
            for category in study.criticised_categories(name, used) if kind == used else ():
                files = (f"preprocessed_{category}.json", f"{category}.json")
                yield f"critiques.{name}.published.{kind}", Reader.PUBLISHED, source, *files


def _unsuited_starts(study: Study) -> Iterator[str]:
    """Reward models that start from another one with another backbone or adapter, or from themselves."""
    for name, model in study.models.items():
        if not isinstance(model, DiscriminativeModel | PairwiseModel):
            continue
        if model.from_ not in study.models:
            continue
        key, start = f"models.{name}.from", study.models[model.from_]
        is_pairwise = isinstance(model, PairwiseModel)
        suited = (DiscriminativeModel, PairwiseModel) if is_pairwise else (DiscriminativeModel,)
        if not isinstance(start, suited):
            kinds = "dORM, dPRM or pairwise model" if is_pairwise else "dORM or dPRM"
            yield f"{key}: {model.from_} is not a {kinds} that is trained here"
            continue
        if start.backbone != model.backbone:
            yield f"{key}: {model.from_} has the backbone {start.backbone}, not {model.backbone}"
        adapters = [each.training for each in (start, model)]
        shapes = {(each.rank, each.alpha) for each in adapters}
        # A pairwise model has no adapter: it is merged.
        continued = not is_pairwise and all(each.method is Method.LORA for each in adapters)
        if continued and len(shapes) > 1:
            yield (
                f"{key}: the adapter of {model.from_} is trained on, so `rank` and `alpha` must be its own; "
                f"set them in models.{name}.training"
            )
        way, at = [name], start
        while at.from_ and at.from_ not in way:
            way.append(at.from_)
            following = study.models.get(at.from_)
            if not isinstance(following, DiscriminativeModel | PairwiseModel):
                break
            at = following
        if name in (model.from_, at.from_):
            yield f"{key}: it starts from itself; start one of {', '.join(way)} from its backbone"


def _foreign_categories(study: Study) -> Iterator[str]:
    """Categories of derived datasets and of reward models that the dataset they are from lacks."""
    origins: list[tuple[str, list[str] | None, list[str]]] = []
    for name, dataset in study.datasets.items():
        if isinstance(dataset, DerivedDataset):
            origins.append((f"datasets.{name}.categories", dataset.categories, [dataset.from_]))
            if dataset.augment:
                key = f"datasets.{name}.augment.math"
                origins.append((key, dataset.augment.math, [dataset.from_]))
    origins += [
        (f"models.{name}.categories", model.categories, study.training_datasets_of(name))
        for name, model in study.trained_models.items()
    ]
    for key, categories, names in origins:
        known = [category for name in names for category in study.categories_of(name)]
        origin = " and ".join(names)
        for category in categories or []:
            if category not in known:
                yield (
                    f"{key}: {category} is not one of {', '.join(known)}, "
                    f"the categories of {origin}"
                )


def _missing_critiques(study: Study) -> Iterator[str]:
    for name, model in study.models.items():
        if isinstance(model, GenerativeModel):
            published = study.critiques[model.critiques].published
            if published and not getattr(published, model.kind):
                yield f"models.{name}: there are no critiques.{model.critiques}.published.{model.kind}"


def _critiques_of_other_solutions(study: Study) -> Iterator[str]:
    """Sets with another set's critiques whose datasets differ in more than labels."""
    for name, critiques in study.critiques.items():
        if critiques.from_:
            own, criticised = critiques.dataset, study.critiques[critiques.from_].dataset
            chain = study.origins_of(own)
            changed = chain[: chain.index(criticised)] if criticised in chain else chain
            if not all(study.keeps_solutions(each) for each in changed):
                yield (
                    f"critiques.{name}.dataset: the critiques of {critiques.from_} are of {criticised}, and {own} is "
                    f"not {criticised} with `noise`, or fewer questions or solutions of it; choose a dataset that is, "
                    "or a `teacher` of its own"
                )


def _missing_rewards(study: Study) -> Iterator[str]:
    for name, model in study.models.items():
        if isinstance(model, ExternalModel):
            for dataset in study.evaluation.datasets:
                if dataset not in model.rewards:
                    yield f"models.{name}.rewards: none for {dataset}"


def _unusable_trees(study: Study) -> Iterator[str]:
    """Trees whose solutions have no answers or rewards, or whose rewards are by a model that learns from them."""
    for name, trees in study.trees.items():
        key = f"trees.{name}"
        if trees.reward is None:
            if not study.has_answers(trees.dataset):
                yield (
                    f"{key}.dataset: the questions of {trees.dataset} have no answers, so that no solution is right "
                    "or wrong; name a `reward` model"
                )
            continue
        rewarding = study.models[trees.reward.model]
        if isinstance(rewarding, ExternalModel) and trees.dataset not in rewarding.rewards:
            yield f"{key}.reward.model: {trees.reward.model} has no rewards for {trees.dataset}"
        if name in _learned_trees(study, trees.reward.model):
            yield (
                f"{key}.reward.model: {trees.reward.model} learns from these trees; name a model that does not, such "
                "as the one that it starts from"
            )


def _unusable_searches(study: Study) -> Iterator[str]:
    """Searches whose reward model gives no rewards of steps here, or that would multiply scores."""
    for name, search in study.searches.items():
        key, model = f"searches.{name}", study.models[search.model]
        if not isinstance(model, DiscriminativeModel | PairwiseModel | ReadyDiscriminativeModel):
            yield f"{key}.model: {search.model} is no dORM, dPRM or pairwise model that scores here"
        elif isinstance(model, ReadyDiscriminativeModel) and (
            model.template or model.compared_with
        ):
            yield f"{key}.model: {search.model} has a template or a reference model, which searches do not use"
        for use in ("pruning", "final"):
            if getattr(search, use) is Aggregation.PROD and _gives_scores(model):
                yield f"{key}.{use}: prod needs probabilities, and {search.model} gives scores"
        if search.exemplars:
            shown = study.categories_of(search.exemplars)
            for category in study.categories_of_questions(search.questions):
                if category not in shown:
                    yield f"{key}.exemplars: {search.exemplars} has no {category}, which is searched"


def _learned_trees(study: Study, model: str) -> set[str]:
    """The trees that a reward model is trained on, directly or through the models that it needs."""
    waiting, seen, found = [model], set[str](), set[str]()
    while waiting:
        name = waiting.pop()
        settings = study.models[name]
        if name in seen or not isinstance(settings, DiscriminativeModel | PairwiseModel):
            continue
        seen.add(name)
        waiting += [settings.from_] if settings.from_ else []
        if isinstance(settings, PairwiseModel):
            trees = {study.preferences[each].trees for each in settings.preferences}
            rewards = (study.trees[each].reward for each in trees)
            waiting += [each.model for each in rewards if each]
            found |= trees
    return found


def _too_large_models(study: Study) -> Iterator[str]:
    for name, model in study.trained_models.items():
        size = study.backbones[model.backbone].size
        training = model.training
        share = Share(
            Decoder.guessed(size),
            max(1, training.batch_size // training.processes),
            training.max_length,
            training.device_batch_size,
            model.kind.is_generative,
            activation_memory=training.activation_memory,
            dtype=training.dtype,
        )
        shared = training.parallelism is Parallelism.FSDP
        needed = training_memory(
            size, training.processes if shared else 1, share, study.trains_all(name)
        )
        if runs_on_gpu(size) and needed > study.gpu_memory:
            yield (
                f"models.{name}.training: needs {needed:.0f} GB on each GPU, but gpu_memory "
                f"is {study.gpu_memory:g}; shard it with `parallelism: fsdp` and more `processes`, "
                "or lower activation_memory or max_length"
            )
        if isinstance(model, DiscriminativeModel | PairwiseModel):
            yield from _too_large_to_read(study, f"models.{name}.backbone", size, model.scoring)


def _too_large_ready_models(study: Study) -> Iterator[str]:
    for name, model in study.models.items():
        if isinstance(model, ReadyDiscriminativeModel):
            size = study.size_of(name)
            key = f"models.{name}.{'backbone' if model.backbone else 'parameters'}"
            yield from _too_large_to_read(study, key, size, model.scoring)


def _too_large_to_read(
    study: Study, key: str, size: float, scoring: DiscriminativeScoring
) -> Iterator[str]:
    needed = reading_memory(size, scoring.dtype)
    if scoring.engine is not EngineName.VLLM and needed > study.gpu_memory:
        yield (
            f"{key}: scoring runs on one GPU and needs {needed:.0f} GB, but gpu_memory is {study.gpu_memory:g}; "
            "vLLM splits models over several (`scoring: {engine: vllm}`)"
        )


def _uneven_batches(study: Study) -> Iterator[str]:
    for name, model in study.trained_models.items():
        training = model.training
        share = max(1, training.batch_size // training.processes)
        together = training.processes * (training.device_batch_size or share)
        if training.batch_size % together:
            yield (
                f"models.{name}.training.batch_size: {training.batch_size} is not a multiple of the "
                f"{together} sequences that {training.processes} processes read at once; choose "
                "another batch_size, device_batch_size or number of processes"
            )


def _unsuited_aggregations(study: Study) -> Iterator[str]:
    for name, aggregations in study.evaluation.aggregation.items():
        model = study.models[name]
        if not isinstance(model, GenerativeModel | ReadyGenerativeModel):
            continue
        if model.scoring.adaptive is not None and aggregations != [Aggregation.MEAN]:
            yield (
                f"models.{name}.scoring.adaptive: needs {Aggregation.MEAN} "
                f"as evaluation.aggregation.{name}, which is {', '.join(aggregations)}"
            )


def _scores_as_probabilities(study: Study) -> Iterator[str]:
    """What needs probabilities, in a study with models that give scores without bounds."""
    voting = [each for each in study.evaluation.protocols if not Estimator(each).takes_scores]
    for name, model in study.models.items():
        if not _gives_scores(model):
            continue
        if Aggregation.PROD in study.evaluation.aggregation.get(name, []):
            yield f"evaluation.aggregation.{name}: {Aggregation.PROD} needs probabilities, and {name} gives scores"
        if voting and any(map(study.has_answers, study.evaluation.datasets)):
            yield (
                f"evaluation.protocols: {' and '.join(voting)} vote with probabilities, and {name} "
                "gives scores; write `protocols: []` or `[openprm]`, or evaluate it in a study of its own"
            )


def _gives_scores(model: RewardModel) -> bool:
    if isinstance(model, ReadyDiscriminativeModel) and model.format is not FormatName.MULTI_RM:
        return read_format(model.format).scale is Scale.SCORE
    return REWARD_TYPES[model.kind].scale is Scale.SCORE


def _impossible_groups(study: Study) -> Iterator[str]:
    """Groups of categories that a dataset has only in part, or that are called like a category."""
    of_datasets = {
        name: study.categories_of(name)
        for name in study.evaluation.datasets
        if study.has_answers(name)
    }
    every = list(dict.fromkeys(each for own in of_datasets.values() for each in own))
    for group, members in study.evaluation.category_groups.items():
        key = f"evaluation.category_groups.{group}"
        if group.casefold() in map(str.casefold, every):
            yield f"{key}: {group} is a category; choose another name"
        for category in members:
            if category not in every:
                hint = did_you_mean(category, every) or f"choose from {', '.join(every)}"
                yield f"{key}: {category} is not evaluated; {hint}"
        for name, own in of_datasets.items():
            missing = [each for each in members if each in every and each not in own]
            if missing and {*own} & {*members}:
                yield (
                    f"{key}: {name} has no {' and no '.join(missing)}; leave out what not every dataset has, "
                    "or evaluate the datasets in studies of their own"
                )


def _too_small_pools(study: Study) -> Iterator[str]:
    for name in study.evaluation.datasets:
        dataset = study.datasets[name]
        if isinstance(dataset, MiniatureDataset):
            most, key = dataset.solutions, "solutions"
        elif isinstance(dataset, SampledDataset):
            most, key = dataset.sample.per_question, "sample.per_question"
        else:
            continue
        if beyond := [n for n in study.evaluation.n if n > most]:
            yield (
                f"evaluation.n: {beyond[0]} is more than the {most} solutions per "
                f"question of {name}; leave it out, or increase datasets.{name}.{key}"
            )


def _parts_of_sampled_pools(study: Study) -> Iterator[str]:
    """Evaluated datasets that take from the solutions of a sampled one, which lack the samples without an answer."""
    for name in study.evaluation.datasets:
        if study.takes_from_pools(name) and study.has_answers(name):
            origin = study.origins_of(name)[-1]
            yield (
                f"evaluation.datasets: {name} takes some of the solutions of {origin}, and accuracies would leave out "
                f"those samples of {origin} that have no answer; evaluate {origin}, with fewer samples "
                f"(datasets.{origin}.sample.per_question) or questions"
            )


def _nothing_evaluated(study: Study) -> Iterator[str]:
    evaluation = study.evaluation
    if evaluation.datasets or (evaluation.step_labels and not study.models) or study.searches:
        return
    yield "evaluation.datasets: none; name those whose solutions reward models score" + (
        "" if study.models else ", or datasets with known labels in evaluation.step_labels"
    )
