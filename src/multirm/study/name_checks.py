"""Checks of the names, paths and templates in a study: each name is defined once, and refers to something."""

from collections.abc import Iterator
from pathlib import Path

from multirm.errors import InputError, did_you_mean
from multirm.reward_models.formats import STEP_PLACEHOLDERS, read_format, read_words
from multirm.study.datasets import (
    DerivedDataset,
    ReadDataset,
    SampledDataset,
)
from multirm.study.labelling import MonteCarlo, Sample
from multirm.study.questions import ReadQuestions
from multirm.study.reward_models import (
    ExternalModel,
    GenerativeModel,
    PairwiseModel,
    ReadyDiscriminativeModel,
    ReadyGenerativeModel,
    ReadyModel,
)
from multirm.study.study import Study
from multirm.tables.accuracy import RESERVED_NAMES
from multirm.tables.reward_models import FormatName, Kind
from multirm.text.judging import load_judge_template
from multirm.text.prompts import load_template


def unknown_names(study: Study) -> list[str]:
    """Names that are not defined, and datasets that are made with themselves; no other check works with these."""
    return [*_unknown_names(study), *_sets_without_teacher(study), *_circular_datasets(study)]


def unusable_names(study: Study) -> list[str]:
    """Names that collide, paths that Snakemake cannot use, and templates that cannot be filled."""
    return [*_colliding_names(study), *_braces(study), *_unusable_templates(study)]


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
        if model.backbone:
            yield f"models.{name}.backbone", model.backbone, backbones
        if isinstance(model, ReadyModel):
            continue
        if isinstance(model, GenerativeModel):
            yield f"models.{name}.critiques", model.critiques, list(study.critiques)
            continue
        if model.from_:
            yield f"models.{name}.from", model.from_, list(study.models)
        if isinstance(model, PairwiseModel):
            for preferences in model.preferences:
                yield f"models.{name}.preferences", preferences, list(study.preferences)
            continue
        for dataset in model.datasets:
            yield f"models.{name}.dataset", dataset, datasets
        watched = model.training.validation
        for dataset in (watched and watched.dataset) or ():
            yield f"models.{name}.training.validation.dataset", dataset, datasets
    yield from _references_of_trees(study)
    for name, search in study.searches.items():
        yield f"searches.{name}.questions", search.questions, list(study.questions)
        yield f"searches.{name}.policy", search.policy, backbones
        yield f"searches.{name}.model", search.model, list(study.models)
        if search.exemplars:
            yield f"searches.{name}.exemplars", search.exemplars, datasets
    for name, critiques in study.critiques.items():
        yield f"critiques.{name}.dataset", critiques.dataset, datasets
        if critiques.teacher:
            yield f"critiques.{name}.teacher", critiques.teacher, backbones
        if critiques.from_:
            yield f"critiques.{name}.from", critiques.from_, list(study.critiques)
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


def _sets_without_teacher(study: Study) -> Iterator[str]:
    """Sets of critiques that are to be filtered for another one, but were not written by a teacher."""
    for name, critiques in study.critiques.items():
        other = study.critiques.get(critiques.from_ or "")
        if other and not other.teacher:
            instead = ", or set `demonstrated` instead" if other.demonstrated else ""
            yield f"critiques.{name}.from: {critiques.from_} has no teacher; name a set that has one{instead}"


def _references_of_trees(study: Study) -> Iterator[tuple[str, str, list[str]]]:
    for name, trees in study.trees.items():
        yield f"trees.{name}.dataset", trees.dataset, list(study.datasets)
        if trees.reward:
            yield f"trees.{name}.reward.model", trees.reward.model, list(study.models)
    for name, preferences in study.preferences.items():
        yield f"preferences.{name}.trees", preferences.trees, list(study.trees)


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
        "trees": list(study.trees),
        "preferences": list(study.preferences),
        "searches": list(study.searches),
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
            if "categories" in section and name.casefold().endswith((".critiques", ".nodes")):
                yield (
                    f"{section}: the table of {name} would be named like a table of critiques or of nodes; "
                    "choose another name"
                )


def _braces(study: Study) -> Iterator[str]:
    """Paths with braces, which Snakemake would take for wildcards; it has no way to escape them."""
    paths = {"data": [study.data]}
    paths |= {key: [path] for key, _, path in _templates(study)}
    paths |= {key: [path] for key, _, path in _judge_templates(study)}
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
            compared = model.compared_with if isinstance(model, ReadyDiscriminativeModel) else None
            paths[f"models.{name}.model"] = [each for each in (model.model, compared) if each]
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


def _judge_templates(study: Study) -> Iterator[tuple[str, bool, str]]:
    """The key of each prompt template for a judge, whether the judge sees the reference answer, and the file."""
    for name, dataset in study.datasets.items():
        label = dataset.label if isinstance(dataset, DerivedDataset) else None
        if label and label.judge and label.judge.template:
            key = f"datasets.{name}.label.judge.template"
            yield key, label.judge.reference, label.judge.template


def _unusable_templates(study: Study) -> Iterator[str]:
    for key, kind, path in _templates(study):
        try:
            load_template(Path(path), kind)
        except InputError as error:
            yield f"{key}: {error}"
    for key, reference, path in _judge_templates(study):
        try:
            load_judge_template(Path(path), reference)
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
