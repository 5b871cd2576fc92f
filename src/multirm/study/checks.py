"""Checks of a study's settings that are valid one by one, but inconsistent together."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from multirm.errors import InputError, did_you_mean
from multirm.formats.sources import Reader, local_files, places_of
from multirm.models.activations import Decoder
from multirm.models.parallelism import Parallelism
from multirm.models.training_method import Method, Targets
from multirm.reward_models.formats import STEP_PLACEHOLDERS, read_format, read_words
from multirm.study.datasets import (
    DerivedDataset,
    MiniatureDataset,
    ReadDataset,
    SampledDataset,
)
from multirm.study.files import models_of, validation_solutions
from multirm.study.labelling import MonteCarlo, Sample
from multirm.study.questions import MiniatureQuestions, ReadQuestions
from multirm.study.resources import Share, reading_memory, runs_on_gpu, training_memory
from multirm.study.reward_models import (
    DiscriminativeModel,
    ExternalModel,
    GenerativeModel,
    ReadyDiscriminativeModel,
    ReadyGenerativeModel,
    ReadyModel,
)
from multirm.study.study import Study
from multirm.study.targets import used_critiques, used_datasets
from multirm.tables.accuracy import RESERVED_NAMES, Aggregation
from multirm.tables.questions import Split
from multirm.tables.reward_models import FormatName, Kind
from multirm.tables.solutions import Policy
from multirm.text.prompts import load_template


def problems(study: Study) -> list[str]:
    """All inconsistencies, each with its key and a remedy."""
    unknown = [*_unknown_names(study), *_circular_datasets(study), *_unsuited_starts(study)]
    found = [*unknown, *_colliding_names(study), *_braces(study), *_unusable_templates(study)]
    if unknown:
        # The other checks look names up.
        return found
    return [
        *found,
        *_foreign_categories(study),
        *_empty_validation(study),
        *_values_of_labels(study),
        *_missing_critiques(study),
        *_critiques_of_other_solutions(study),
        *_missing_rewards(study),
        *_too_large_models(study),
        *_too_large_ready_models(study),
        *_uneven_batches(study),
        *_unusable_labels(study),
        *_nothing_to_compare(study),
        *_unsuited_aggregations(study),
        *_impossible_groups(study),
        *_too_small_pools(study),
        *dict.fromkeys(_training_on_what_is_evaluated(study)),
    ]


def _learned(study: Study) -> Iterator[tuple[str, str, list[str]]]:
    """The key, name and categories of each dataset that a model of the study is trained on."""
    trained = _trained(study)
    for name, model in trained.items():
        categories = study.training_categories_of(name)
        if isinstance(model, DiscriminativeModel):
            for dataset in model.datasets:
                yield f"models.{name}.dataset", dataset, study.trained_categories(name, dataset)
            watched = model.training.validation
            # The weights that are kept are chosen by them.
            for dataset in (
                study.validation_datasets_of(name) if watched and watched.patience else ()
            ):
                key = f"models.{name}.training.validation.dataset"
                yield key, dataset, study.trained_categories(name, dataset)
        else:
            dataset = study.critiques[model.critiques].dataset
            yield f"critiques.{model.critiques}.dataset", dataset, categories
    backbones = [model.backbone for model in trained.values()]
    sets = (model.critiques for model in trained.values() if isinstance(model, GenerativeModel))
    generated = (study.critiques[study.generated_for(name)] for name in sets)
    backbones += [each.teacher for each in generated if each.teacher]
    learned = [
        dataset for dataset in used_datasets(study) if dataset not in study.evaluation.datasets
    ]
    backbones += [writer for dataset in learned if (writer := study.writer_of(dataset))]
    for backbone in dict.fromkeys(backbones):
        pretraining = study.backbones[backbone].pretrain
        for dataset in pretraining.datasets if pretraining else []:
            yield f"backbones.{backbone}.pretrain.datasets", dataset, study.categories_of(dataset)


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
        elif isinstance(dataset, SampledDataset):
            asked = dataset.sample.questions
            questions = study.questions[asked]
            if isinstance(questions, ReadQuestions):
                for category in study.categories_of(name):
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


def _circular_datasets(study: Study) -> Iterator[str]:
    """Datasets that are made with themselves, directly or through others."""
    for name in study.datasets:
        if way := _way_back(study, name):
            key = "from" if isinstance(study.datasets[name], DerivedDataset) else "sample"
            shown = " from ".join(way)
            yield f"datasets.{name}.{key}: {shown}; read or generate one of them instead"


def _way_back(study: Study, name: str) -> list[str] | None:
    """The shortest chain of datasets from one back to itself, if it is made with itself."""
    ways, seen = [[name]], {name}
    for way in ways:
        needed = [each for each in study.needed_datasets(way[-1]) if each in study.datasets]
        for other in needed:
            if other == name:
                return [*way, name]
            if other not in seen:
                seen.add(other)
                ways.append([*way, other])
    return None


def _unsuited_starts(study: Study) -> Iterator[str]:
    """Reward models that start from another one with another backbone or adapter, or from themselves."""
    for name, model in study.models.items():
        if not isinstance(model, DiscriminativeModel) or model.from_ not in study.models:
            continue
        key, start = f"models.{name}.from", study.models[model.from_]
        if not isinstance(start, DiscriminativeModel):
            yield f"{key}: {model.from_} is not a dORM or dPRM that is trained here"
            continue
        if start.backbone != model.backbone:
            yield f"{key}: {model.from_} has the backbone {start.backbone}, not {model.backbone}"
        adapters = [each.training for each in (start, model)]
        shapes = {(each.rank, each.alpha) for each in adapters}
        if all(each.method is Method.LORA for each in adapters) and len(shapes) > 1:
            yield (
                f"{key}: the adapter of {model.from_} is trained on, so `rank` and `alpha` must be its own; "
                f"set them in models.{name}.training"
            )
        way, at = [name], start
        while at.from_ and at.from_ not in way:
            way.append(at.from_)
            following = study.models.get(at.from_)
            if not isinstance(following, DiscriminativeModel):
                break
            at = following
        if name in (model.from_, at.from_):
            yield f"{key}: it starts from itself; start one of {', '.join(way)} from its backbone"


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
        for name, model in _trained(study).items()
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


def _unknown_names(study: Study) -> Iterator[str]:
    for place, name, known in _references(study):
        if name not in known:
            hint = did_you_mean(name, known)
            problem = f"not one of {', '.join(known)}" if known else "not defined"
            yield f"{place}: {name} is {problem}" + (f"; {hint}" if hint else "")


def _references(study: Study) -> Iterator[tuple[str, str, list[str]]]:
    """Each reference to a name defined elsewhere: its key, the name, and the defined names."""
    datasets, backbones = list(study.datasets), list(study.backbones)
    for name, backbone in study.backbones.items():
        for dataset in backbone.pretrain.datasets if backbone.pretrain else []:
            yield f"backbones.{name}.pretrain.datasets", dataset, datasets
    for name, model in study.models.items():
        if isinstance(model, ExternalModel):
            for dataset in model.rewards:
                yield f"models.{name}.rewards", dataset, datasets
            continue
        if isinstance(model, ReadyModel):
            continue
        yield f"models.{name}.backbone", model.backbone, backbones
        if isinstance(model, DiscriminativeModel):
            for dataset in model.datasets:
                yield f"models.{name}.dataset", dataset, datasets
            watched = model.training.validation
            for dataset in (watched and watched.dataset) or ():
                yield f"models.{name}.training.validation.dataset", dataset, datasets
            if model.from_:
                yield f"models.{name}.from", model.from_, list(study.models)
        else:
            yield f"models.{name}.critiques", model.critiques, list(study.critiques)
    for name, critiques in study.critiques.items():
        yield f"critiques.{name}.dataset", critiques.dataset, datasets
        if critiques.teacher:
            yield f"critiques.{name}.teacher", critiques.teacher, backbones
        if critiques.from_:
            with_teacher = [other for other, each in study.critiques.items() if each.teacher]
            yield f"critiques.{name}.from", critiques.from_, with_teacher
    for name in study.datasets:
        yield from _references_of_dataset(study, name)
    for dataset in study.evaluation.datasets:
        yield "evaluation.datasets", dataset, datasets
    for dataset in study.evaluation.also_trained_on:
        yield "evaluation.also_trained_on", dataset, study.evaluation.datasets
    for dataset in study.evaluation.step_labels:
        yield "evaluation.step_labels", dataset, datasets
    for name in study.evaluation.aggregation:
        yield "evaluation.aggregation", name, list(study.models)


def _references_of_dataset(study: Study, name: str) -> Iterator[tuple[str, str, list[str]]]:
    key, datasets, backbones = f"datasets.{name}", list(study.datasets), list(study.backbones)
    settings = study.datasets[name]
    writing: Sample | MonteCarlo | None = None
    if isinstance(settings, SampledDataset):
        writing = settings.sample
        yield f"{key}.sample.questions", settings.sample.questions, list(study.questions)
    if isinstance(settings, DerivedDataset):
        yield f"{key}.from", settings.from_, datasets
        if settings.label:
            writing = settings.label.monte_carlo
            for other in settings.label.agree or []:
                yield f"{key}.label.agree", other, datasets
            if settings.label.trust:
                yield f"{key}.label.trust.model", settings.label.trust.model, list(study.models)
    if writing and writing.exemplars:
        yield f"{key}.exemplars", writing.exemplars, datasets
    if backbone := study.writer_of(name):
        yield f"{key}: backbone", backbone, backbones


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


def _colliding_names(study: Study) -> Iterator[str]:
    """Reserved names, and names that would give the same file names."""
    for name in study.questions.keys() & study.datasets.keys():
        yield f"questions.{name}: a dataset has this name; choose another, because its questions have a table, too"
    reserved = {name.casefold() for name in RESERVED_NAMES}
    for name in study.models:
        if name.casefold() in reserved:
            yield f"models.{name}: tables use this name for something else; choose another name"
    sections: dict[str, list[str]] = {
        "datasets": list(study.datasets),
        "backbones": list(study.backbones),
        "models": list(study.models),
        "critiques": list(study.critiques),
        # Questions of the miniature's datasets are in the same folder as sets of bare questions.
        "questions and datasets": [*study.questions, *study.datasets],
        "categories": study.categories,
    }
    for name, dataset in study.datasets.items():
        sections[f"datasets.{name}.categories"] = dataset.categories or []
    for section, names in sections.items():
        first: dict[str, str] = {}
        for name in names:
            other = first.setdefault(name.casefold(), name)
            if other != name:
                yield (
                    f"{section}: {other} and {name} differ only in case, "
                    "which some file systems ignore; choose other names"
                )
            if "categories" in section and name.casefold().endswith(".critiques"):
                yield (
                    f"{section}: the table of {name} would be named like a table of critiques; "
                    "choose another name"
                )


def _braces(study: Study) -> Iterator[str]:
    """Paths with braces, which Snakemake would take for wildcards; it has no way to escape them."""
    paths = {"data": [study.data]}
    paths |= {key: [path] for key, _, path in _templates(study)}
    for name, backbone in study.backbones.items():
        paths[f"backbones.{name}.model"] = [backbone.model] if backbone.model else []
    for name, dataset in study.datasets.items():
        if isinstance(dataset, ReadDataset):
            paths[f"datasets.{name}.source"] = dataset.source
    for name, questions in study.questions.items():
        if isinstance(questions, ReadQuestions):
            paths[f"questions.{name}.source"] = questions.source
    for name, model in study.models.items():
        if isinstance(model, ExternalModel):
            for other, source in model.rewards.items():
                paths[f"models.{name}.rewards.{other}"] = source
        elif isinstance(model, ReadyModel):
            paths[f"models.{name}.model"] = models_of(model)
            paths[f"models.{name}.template"] = [model.template] if model.template else []
    for name, critiques in study.critiques.items():
        for kind, source in critiques.published or ():
            paths[f"critiques.{name}.published.{kind}"] = source
    for key, named in paths.items():
        for path in named:
            if set("{}") & set(path):
                yield f"{key}: {path} has braces, which Snakemake takes for wildcards; rename it"


def _templates(study: Study) -> Iterator[tuple[str, Kind, str]]:
    """The key, kind and file of each prompt template in the study."""
    for name, model in study.models.items():
        is_stepwise = isinstance(model, ReadyGenerativeModel) and model.format is FormatName.R_PRM
        if is_stepwise or not isinstance(model, GenerativeModel | ReadyGenerativeModel):
            continue
        if model.template:
            yield f"models.{name}.template", model.kind, model.template
    named = [(f"critiques.{name}", each.templates) for name, each in study.critiques.items()]
    for name, backbone in study.backbones.items():
        if backbone.pretrain:
            named.append((f"backbones.{name}.pretrain", backbone.pretrain.templates))
    for place, templates in named:
        for kind in (Kind.GORM, Kind.GPRM):
            if path := templates.of(kind):
                yield f"{place}.templates.{kind}", kind, path


def _unusable_templates(study: Study) -> Iterator[str]:
    for key, kind, path in _templates(study):
        try:
            load_template(Path(path), kind)
        except InputError as error:
            yield f"{key}: {error}"
    for name, model in study.models.items():
        if not isinstance(model, ReadyModel) or not model.template:
            continue
        try:
            if isinstance(model, ReadyDiscriminativeModel):
                read_format(model.format).with_first_turn(Path(model.template))
            elif isinstance(model, ReadyGenerativeModel) and model.format is FormatName.R_PRM:
                read_words(Path(model.template), STEP_PLACEHOLDERS)
        except InputError as error:
            yield f"models.{name}.template: {error}"


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


def _trained(study: Study) -> Mapping[str, DiscriminativeModel | GenerativeModel]:
    return {
        name: model
        for name, model in study.models.items()
        if isinstance(model, DiscriminativeModel | GenerativeModel)
    }


def _too_large_models(study: Study) -> Iterator[str]:
    for name, model in _trained(study).items():
        size = study.backbones[model.backbone].size
        training = model.training
        share = Share(
            Decoder.guessed(size),
            max(1, training.batch_size // training.processes),
            training.max_length,
            training.device_batch_size,
            model.kind.is_generative,
        )
        shared = training.parallelism is Parallelism.FSDP
        needed = training_memory(
            size, training.processes if shared else 1, share, study.is_whole(name)
        )
        if runs_on_gpu(size) and needed > study.gpu_memory:
            yield (
                f"models.{name}.training: needs {needed:.0f} GB on each GPU, but gpu_memory "
                f"is {study.gpu_memory:g}; shard it with `parallelism: fsdp` and more `processes`, "
                "or lower device_batch_size or max_length"
            )
        needed = reading_memory(size, model.scoring.dtype)
        if isinstance(model, DiscriminativeModel) and needed > study.gpu_memory:
            yield (
                f"models.{name}.backbone: scoring runs on one GPU and needs {needed:.0f} GB, "
                f"but gpu_memory is {study.gpu_memory:g}"
            )


def _too_large_ready_models(study: Study) -> Iterator[str]:
    for name, model in study.models.items():
        if isinstance(model, ReadyDiscriminativeModel):
            needed = reading_memory(study.size_of(name), model.scoring.dtype)
            if needed > study.gpu_memory:
                yield (
                    f"models.{name}.parameters: scoring runs on one GPU and needs {needed:.0f} GB, "
                    f"but gpu_memory is {study.gpu_memory:g}"
                )


def _uneven_batches(study: Study) -> Iterator[str]:
    for name, model in _trained(study).items():
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


def _training_on_what_is_evaluated(study: Study) -> Iterator[str]:
    for key, learned, categories in _learned(study):
        for evaluated in study.evaluation.datasets:
            common = sorted({*categories} & {*study.categories_of(evaluated)})
            shared = _shared_source(study, learned, evaluated, common)
            if shared and evaluated not in study.evaluation.also_trained_on:
                yield (
                    f"{key}: models are trained on {learned}, and evaluation.datasets has "
                    f"{evaluated}, {shared}; choose other data, or allow it with "
                    f"evaluation.also_trained_on: [{evaluated}]"
                )


def _shared_source(study: Study, learned: str, evaluated: str, common: list[str]) -> str | None:
    """How two datasets come to share questions, as far as their settings tell; None if they do not.

    Args:
        common: the categories that are both learned and evaluated.
    """
    if not common:
        return None
    if learned == evaluated:
        return "the same"
    learned, evaluated = (study.origins_of(name)[-1] for name in (learned, evaluated))
    if learned == evaluated:
        return f"derived from the same dataset {learned}"
    one, other = _asked(study, learned), _asked(study, evaluated)
    if isinstance(one, Split) and isinstance(other, Split):
        return f"of the same split {one}" if one is other else None
    if isinstance(one, ReadDataset | ReadQuestions) and isinstance(
        other, ReadDataset | ReadQuestions
    ):
        for category in common:
            same = _read_from(study, one, category) & _read_from(study, other, category)
            if same:
                return f"which is read from {min(same)} as well"
    return None


def _asked(study: Study, dataset: str) -> Split | ReadDataset | ReadQuestions | None:
    """Where the questions of a dataset are from: a split of the miniature, or what is read.

    None for the tutor's questions, which are drills that no other policy answers.
    """
    settings = study.datasets[dataset]
    if isinstance(settings, SampledDataset):
        questions = study.questions[settings.sample.questions]
        return questions.split if isinstance(questions, MiniatureQuestions) else questions
    if isinstance(settings, MiniatureDataset):
        return None if settings.policy is Policy.TUTOR else settings.split
    return settings if isinstance(settings, ReadDataset) else None


def _read_from(study: Study, dataset: ReadDataset | ReadQuestions, category: str) -> set[str]:
    """The files and hub names from which a category is read."""
    places = places_of(dataset.reader, dataset.source, Path(study.data), f"{category}.json")
    hub = {place for place in places if isinstance(place, str)}
    return hub | {str(file.resolve()) for file in local_files(places)}
