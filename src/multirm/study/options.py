"""A study's settings as command-line arguments."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from multirm.models.dtype import Dtype
from multirm.models.training_method import Method, Targets
from multirm.study import files, label_files
from multirm.study.datasets import DerivedDataset, MiniatureDataset, ReadDataset
from multirm.study.labelling import Augmentation, Judge, MonteCarlo, Sample
from multirm.study.noise import noise_baselines
from multirm.study.questions import MiniatureQuestions, ReadQuestions
from multirm.study.reward_models import (
    DiscriminativeScoring,
    DiscriminativeTraining,
    GenerativeScoring,
    PairwiseModel,
    PairwiseTraining,
    ReadyDiscriminativeModel,
    ReadyGenerativeModel,
    ReadyModel,
)
from multirm.study.runs import Run
from multirm.study.sampling import Sampling
from multirm.study.study import Study
from multirm.tables.reward_models import FormatName
from multirm.tables.rewards import REWARD_TYPES

_RECIPE = (
    *(
        "max_length",
        "epochs",
        "learning_rate",
        "batch_size",
        "device_batch_size",
        "activation_memory",
    ),
    *("rank", "alpha", "dropout", "weight_decay", "warmup"),
)


_PLACES = ("server", "batch_folder", "service_model")
_SAMPLING = ("engine", *_PLACES, "max_tokens", "temperature", "top_p", "top_k", "min_p")


def option(flag: str, *values: object) -> list[str]:
    """An option and its values as separate arguments; nothing without values."""
    given = [str(value) for value in values if value is not None]
    return [flag, *given] if given else []


def dataset_places(study: Study, dataset: str, category: str) -> list[str]:
    """The places from which a dataset's category is read, as arguments."""
    return [str(place) for place in files.dataset_places(study, dataset, category)]


def open_questions(study: Study, dataset: str = "", questions: str = "") -> list[str]:
    """The option for the miniature's questions without options, if a dataset or a set of bare questions has such."""
    settings = study.questions[questions] if questions else study.datasets[dataset]
    is_open = isinstance(settings, MiniatureDataset | MiniatureQuestions) and not settings.options
    return ["--open-questions"] if is_open else []


def question_places(study: Study, questions: str, category: str) -> list[str]:
    """The places from which a category of bare questions is read, as arguments."""
    return [str(place) for place in label_files.question_places(study, questions, category)]


def writing(study: Study, dataset: str) -> list[str]:
    """The engine and sampling options of the backbone that writes something for a dataset."""
    return [*_sampling(study.writing_of(dataset), _SAMPLING), *option("--seed", study.seed)]


def engine(study: Study, dataset: str) -> str:
    """The engine of the backbone that writes something for a dataset."""
    return study.writing_of(dataset).engine


def judge_reference(study: Study, dataset: str) -> list[str]:
    """The option that hides the reference answer from a dataset's judge, if the study does."""
    settings = study.writing_of(dataset)
    return [] if not isinstance(settings, Judge) or settings.reference else ["--no-reference"]


def shots(study: Study, dataset: str) -> list[str]:
    """The option for the number of worked examples in the prompts for a dataset, if it may have some."""
    settings = study.writing_of(dataset)
    if not isinstance(settings, Sample | MonteCarlo):
        return []
    return option("--shots", settings.shots if settings.exemplars else 0)


def exemplars(wildcards: object, input: Any) -> list[str]:
    """The option for the tables of worked examples among a job's inputs, if there are any."""
    return option("--exemplars", *input.exemplars)


def judge_template(study: Study, dataset: str) -> list[str]:
    """The option for the prompt template of a dataset's judge, if it has its own."""
    settings = study.writing_of(dataset)
    return option("--template", settings.template if isinstance(settings, Judge) else None)


def augmenting(study: Study, dataset: str) -> list[str]:
    """The options for the kind of variants that a dataset has, and for how many are asked for."""
    settings = study.writing_of(dataset)
    if not isinstance(settings, Augmentation):
        raise TypeError(f"{dataset} has no variants of solutions")
    return [
        *option("--kind", settings.kind),
        *option("--per-solution", settings.per_solution),
        *option("--math", *(settings.math or [])),
    ]


def reward_places(study: Study, model: str, dataset: str, category: str) -> list[str]:
    """The places from which external rewards of a category are read, as arguments."""
    return [str(place) for place in files.reward_places(study, model, dataset, category)]


def critique_places(study: Study, critique_set: str, kind: str, category: str) -> list[str]:
    """The places from which external critiques of a kind and category are read, as arguments."""
    return [str(place) for place in files.critique_places(study, critique_set, kind, category)]


def reward_type(study: Study, model: str) -> list[str]:
    """The options for the unit and scale of rewards of a model's kind."""
    known = REWARD_TYPES[study.runs[model].kind]
    return [*option("--unit", known.unit), *option("--scale", known.scale)]


def recipe(study: Study, model: str) -> list[str]:
    """The options for a reward model's training recipe."""
    run = study.runs[model]
    training = run.trained.training
    values = {name: getattr(training, name) for name in _RECIPE} | {"seed": run.seed}
    # The default is left out, so that models that were trained before it had a name stay as they are.
    values |= {"dtype": training.dtype} if training.dtype is not Dtype.AUTO else {}
    if isinstance(training, DiscriminativeTraining):
        values |= _discriminative(training)
    elif isinstance(training, PairwiseTraining):
        values |= _pairwise(training)
    options = [option(f"--{name.replace('_', '-')}", value) for name, value in values.items()]
    margins = isinstance(training, PairwiseTraining) and training.use_margins
    return [*(word for words in options for word in words), *(["--use-margins"] * margins)]


def _pairwise(training: PairwiseTraining) -> dict[str, object]:
    """The settings of a recipe for pairs, besides those of all recipes; None for those left out."""
    unused = ("rank", "alpha", "dropout") if training.method is Method.FULL else ()
    return {
        **dict.fromkeys(unused),
        "method": training.method,
        "process_weight": training.process_weight,
        "centring": training.centring,
    }


def _discriminative(training: DiscriminativeTraining) -> dict[str, object]:
    """The settings of a discriminative recipe, besides those of all recipes; None for those left out."""
    unused = ("rank", "alpha", "dropout") if training.method is Method.FULL else ()
    watched = training.validation
    return {
        **dict.fromkeys(unused),
        "method": training.method,
        # Labels are the default, and a dORM has no choice.
        "targets": training.targets if training.targets is Targets.VALUES else None,
        "validation_share": (watched and watched.share) or None,
        "evaluate_every": watched and watched.every,
        "patience": watched and watched.patience,
    }


def training_labels(study: Study, model: str, tables: Iterable[str]) -> list[str]:
    """The option for the labels tables that a reward model's training needs, if there are any.

    Args:
        tables: `files.training_labels`, as Snakemake names them.
    """
    datasets = [dataset for dataset, _ in files.labels_in_training(study, model)]
    pairs = zip(datasets, tables, strict=True)
    return option("--labels", *(f"{dataset}={table}" for dataset, table in pairs))


def validation(tables: Iterable[str]) -> list[str]:
    """The option for the solutions that a reward model is evaluated on during training, if there are any."""
    return option("--validation", *tables)


def template_of_critiques(study: Study, critique_set: str, kind: str) -> list[str]:
    """The option for the prompt template of a set of critiques, if it has its own."""
    return option("--template", study.critiques[critique_set].templates.of(kind))


def template_of_model(study: Study, model: str) -> list[str]:
    """The option for the prompt template of a generative reward model, if the study has its own."""
    return option("--template", study.template_of(model))


def template_of_backbone(study: Study, backbone: str, kind: str) -> list[str]:
    """The option for the prompt template of a kind for pretraining a backbone, if it has its own."""
    pretraining = study.backbones[backbone].pretrain
    own = pretraining.templates.of(kind) if pretraining else None
    return option(f"--{kind.lower()}-template", own)


def teacher_server(study: Study, critique_set: str) -> list[str]:
    """The options for the server or the batch service of a set's teacher, if it has one."""
    return _sampling(study.critiques[critique_set], _PLACES)


def relabelled(study: Study, critique_set: str) -> list[str]:
    """The option for the dataset of a set whose critiques were generated for another one."""
    settings = study.critiques[critique_set]
    return option("--dataset", settings.dataset if settings.from_ else None)


def scoring_model(study: Study, model: str, own: Sequence[str]) -> str:
    """The folder or hub name that a reward model is loaded from to score.

    Args:
        own: its files, `files.own_files`; none if it is not trained here.
    """
    settings = study.runs[model].settings
    if isinstance(settings, ReadyModel):
        return files.place_of(study, settings)
    return str(Path(own[0]).parent)


def format_of_model(study: Study, model: str) -> list[str]:
    """The options for the format of a pairwise reward model, or of one that was trained elsewhere."""
    settings = study.runs[model].settings
    if isinstance(settings, PairwiseModel):
        return option("--format", settings.scored_as)
    if isinstance(settings, ReadyGenerativeModel):
        return option("--format", settings.format)
    if not isinstance(settings, ReadyDiscriminativeModel):
        return []
    return [
        *option("--format", settings.format),
        *option("--reference", settings.reference),
        *option("--template", settings.template),
    ]


def batch_tokens(study: Study, model: str) -> list[str]:
    """The option for the number of tokens per batch, if the study sets it."""
    scoring = study.runs[model].scoring
    tokens = scoring.batch_tokens if isinstance(scoring, DiscriminativeScoring) else None
    return option("--batch-tokens", tokens)


def server(study: Study, model: str) -> list[str]:
    """The option for the server of a generative reward model, if it has one."""
    return option("--server", _generative(study, model).server)


def adaptive(study: Study, model: str) -> list[str]:
    """The option for adaptive sampling of critiques, if the study sets it."""
    return option("--adaptive", _generative(study, model).adaptive)


def limit(study: Study, dataset: str) -> list[str]:
    """The option for the number of questions of a dataset to read, if not all."""
    settings = study.datasets[dataset]
    return option("--limit", settings.questions if isinstance(settings, ReadDataset) else None)


def question_limit(study: Study, questions: str) -> list[str]:
    """The option for the number of bare questions to read, if not all."""
    settings = study.questions[questions]
    return option("--limit", settings.questions if isinstance(settings, ReadQuestions) else None)


def repair(study: Study, dataset: str) -> list[str]:
    """The option to repair last labels, if the dataset has it."""
    settings = study.datasets[dataset]
    repairs = isinstance(settings, ReadDataset) and settings.repair_last_labels
    return ["--repair-last-labels"] if repairs else []


def take(study: Study, dataset: str) -> list[str]:
    """The options for the amounts that a dataset takes from another one."""
    settings = study.datasets[dataset]
    found = settings.take if isinstance(settings, DerivedDataset) else None
    if found is None:
        raise TypeError(f"{dataset} takes no part of another dataset")
    return [
        *option("--questions", found.questions),
        *option("--per-question", found.solutions),
        *option("--steps", found.steps),
    ]


def named_rewards(tables: Iterable[str]) -> list[str]:
    """MODEL=PATH for each table of rewards; the model is the name of the folder above the dataset's."""
    return [f"{Path(table).parts[-3]}={table}" for table in tables]


def named_labels(tables: Iterable[str]) -> list[str]:
    """NAME=PATH for each table of labels; the name is that of the dataset that has them."""
    return [f"{Path(table).parts[-2]}={table}" for table in tables]


def samples(wildcards: object, input: Any) -> list[str]:
    """The option for the tables of samples among a job's inputs, if there are any."""
    return option("--samples", *input.samples)


def truth(wildcards: object, input: Any) -> list[str]:
    """The option for the tables of known labels among a job's inputs, if there are any."""
    return option("--truth", *input.truth)


def conversations(wildcards: object, input: Any) -> list[str]:
    """The option for the conversations that a backbone is pretrained on, if there are any."""
    return option("--conversations", *input.conversations)


def named_critiques(tables: Iterable[str]) -> list[str]:
    """The option for tables of critiques, each after the name of its set; nothing without any."""
    return option("--critiques", *(f"{Path(table).parts[-4]}={table}" for table in tables))


def reward_models(study: Study) -> list[str]:
    """The study's description of each training run and external reward model, as JSON."""
    baselines = noise_baselines(study)
    return [json.dumps(_description(study, run, baselines)) for run in study.runs.values()]


def _description(study: Study, run: Run, baselines: Mapping[str, str]) -> dict[str, object]:
    known: dict[str, object] = {"model": run.name, "run_of": run.model, "kind": run.kind}
    if isinstance(run.settings, ReadyDiscriminativeModel | ReadyGenerativeModel):
        known["format"] = run.settings.format
    if run.backbone:
        known["backbone"] = run.backbone
    if run.is_trained:
        known["seed"] = run.seed
        datasets = study.training_datasets_of(run.name)
        known["learned_from"] = study.learned_from(run.name)
        known["training_categories"] = study.training_categories_of(run.name)
        # Unknown of several datasets that differ in it.
        noises = {study.noise_of(dataset) for dataset in datasets}
        noise = noises.pop() if len(noises) == 1 else (None, None)
        known["noise_share"], known["step_noise"] = noise
        known["noise_baseline"] = baselines[run.model]
        known["format"] = FormatName.MULTI_RM
    if isinstance(run.settings, PairwiseModel):
        known["format"] = run.settings.scored_as
    if run.is_trained and run.kind.is_generative:
        known["critiques"] = study.critique_set_of(run.name)
    return known


def drawn_tables(names: Iterable[str], wildcards: object, input: Any) -> list[str]:
    """The tables among a job's inputs that a figure is drawn from, each kind as the option of its name."""
    words = []
    for name in names:
        tables = [input[name]] if isinstance(input[name], str) else input[name]
        words += option(f"--{name.replace('_', '-')}", *tables)
    return words


def aggregations(study: Study) -> list[str]:
    """MODEL=AGGREGATION for each reward model and each of its aggregations."""
    return [f"{model}={how}" for model, ways in study.aggregations.items() for how in ways]


def shard(study: Study, shard: str = "1", shards: str = "1") -> str:
    """The number of a job's shard, and of how many."""
    return f"{shard}/{shards}"


def _generative(study: Study, model: str) -> GenerativeScoring:
    scoring = study.runs[model].scoring
    if not isinstance(scoring, GenerativeScoring):
        raise TypeError(f"{model} generates no critiques")
    return scoring


def _sampling(settings: Sampling, names: Iterable[str]) -> list[str]:
    options = [option(f"--{name.replace('_', '-')}", getattr(settings, name)) for name in names]
    return [word for words in options for word in words]
