"""The files that each job of a study reads and writes.

Files in the results folder are named `<results>/…`, which Snakemake fills in. Other files are named as in the study.
"""

from collections.abc import Iterable
from pathlib import Path

from multirm.errors import InputError
from multirm.formats.sources import Reader, local_files, places_of
from multirm.reward_models.formats import format_file
from multirm.study.datasets import DerivedDataset, ReadDataset
from multirm.study.figures import Figure, datasets_of
from multirm.study.reward_models import (
    ExternalModel,
    PairwiseModel,
    ReadyDiscriminativeModel,
    ReadyGenerativeModel,
    ReadyModel,
)
from multirm.study.study import Study
from multirm.tables.critiques import CritiqueStage
from multirm.tables.reward_models import FormatName, Kind

Places = list[Path | str]
"""Files and folders as `Path`, and hub names as `str`."""

RESULTS = "<results>"

BACKBONE_FILES = ("config.json", "model.safetensors", "tokenizer.json")


def check_checkout(folder: Path) -> None:
    """Refuse a checkout with braces in its path, which Snakemake would take for wildcards.

    Raises:
        InputError: its path has braces.
    """
    if set("{}") & set(str(folder)):
        raise InputError(
            folder,
            expected="a checkout in a path without braces",
            found="some",
            remedy="move or rename a folder",
        )


def from_here(file: Path, here: Path) -> str:
    """A file of this checkout as rules name it: relative to the working directory, wherever the checkout is."""
    return str(file.relative_to(here) if file.is_relative_to(here) else file)


def table_of(folder: str, dataset: str, category: str) -> str:
    """The table of a dataset and category in a folder of the results, such as data or labels."""
    return f"{RESULTS}/{folder}/{dataset}/{category}.parquet"


def solution_table(dataset: str, category: str) -> str:
    """The table of solutions of a dataset and category."""
    return table_of("data", dataset, category)


def question_table(questions: str, category: str) -> str:
    """The table of a set of bare questions and a category."""
    return table_of("questions", questions, category)


def solution_tables(study: Study, dataset: str) -> list[str]:
    """The tables of solutions of a dataset, one per category."""
    return [solution_table(dataset, category) for category in study.categories_of(dataset)]


def source_table(study: Study, dataset: str, category: str) -> str:
    """The table of solutions that a derived dataset's category derives from.

    Raises:
        TypeError: the dataset does not derive from another one.
    """
    settings = study.datasets[dataset]
    if not isinstance(settings, DerivedDataset):
        raise TypeError(f"{dataset} does not derive from another dataset")
    return solution_table(settings.from_, category)


def dataset_places(study: Study, dataset: str, category: str) -> Places:
    """The places from which a dataset's category is read.

    Raises:
        TypeError: the dataset is generated rather than read.
    """
    settings = study.datasets[dataset]
    if not isinstance(settings, ReadDataset):
        raise TypeError(f"{dataset} is not read from anywhere")
    return places_of(settings.reader, settings.source, Path(study.data), f"{category}.json")


def dataset_sources(study: Study, dataset: str, category: str) -> list[str]:
    """The local files from which a dataset's category is read."""
    return without_braces(local_files(dataset_places(study, dataset, category)))


def reward_places(study: Study, model: str, dataset: str, category: str) -> Places:
    """The places from which external rewards of a category are read.

    Raises:
        TypeError: the reward model's rewards are computed here.
    """
    settings = study.runs[model].settings
    if not isinstance(settings, ExternalModel):
        raise TypeError(f"the rewards of {model} are not read from anywhere")
    return places_of(
        Reader.PUBLISHED, settings.rewards[dataset], Path(study.data), f"{category}_reward.json"
    )


def reward_sources(study: Study, model: str, dataset: str, category: str) -> list[str]:
    """The local files from which external rewards of a category are read."""
    return without_braces(local_files(reward_places(study, model, dataset, category)))


def critique_places(study: Study, critique_set: str, kind: str, category: str) -> Places:
    """The places from which external critiques of a kind and category are read.

    Raises:
        TypeError: the set's critiques are generated here.
    """
    published = study.critiques[critique_set].published
    if published is None:
        raise TypeError(f"the critiques of {critique_set} are not read from anywhere")
    source = published.gORM if kind == Kind.GORM else published.gPRM
    names = (f"preprocessed_{category}.json", f"{category}.json")
    return places_of(Reader.PUBLISHED, source, Path(study.data), *names)


def critique_sources(study: Study, critique_set: str, kind: str, category: str) -> list[str]:
    """The local files from which external critiques of a kind and category are read."""
    return without_braces(local_files(critique_places(study, critique_set, kind, category)))


def without_braces(files: Iterable[Path | str]) -> list[str]:
    """Names of files for Snakemake, which takes braces for wildcards and cannot escape them.

    Raises:
        InputError: a name has braces.
    """
    names = [str(file) for file in files]
    for name in names:
        if set("{}") & set(name):
            raise InputError(
                name, expected="a path without braces", found="some", remedy="rename it"
            )
    return names


def backbone_model(study: Study, backbone: str) -> str:
    """The folder or hub name from which a backbone is loaded."""
    return study.backbones[backbone].model or f"{study.results}/backbones/{backbone}/model"


def backbone_files(study: Study, backbone: str) -> list[str]:
    """The files of a backbone that its jobs depend on; none for a hub name."""
    folder = backbone_model(study, backbone)
    if study.backbones[backbone].pretrain:
        return [f"{folder}/{name}" for name in BACKBONE_FILES]
    return without_braces(sorted(file for file in Path(folder).glob("*") if file.is_file()))


def weights_of_model(study: Study, model: str) -> str:
    """The weights of a reward model that is trained here: of its adapter, or of the whole model."""
    name = "model/model" if study.is_whole(model) else "adapter/adapter_model"
    return f"{RESULTS}/models/{model}/{name}.safetensors"


def config_of_model(study: Study, model: str) -> str:
    """The configuration of a reward model that is trained here: of its adapter, or of the whole model."""
    name = "model/config.json" if study.is_whole(model) else "adapter/adapter_config.json"
    return f"{RESULTS}/models/{model}/{name}"


def start_of_model(study: Study, model: str) -> str:
    """The folder or hub name of the model from which a reward model's training starts."""
    start = study.start_of(model)
    if start is None:
        return backbone_model(study, study.runs[model].trained.backbone)
    return f"{study.results}/models/{start}/{'model' if study.is_whole(start) else 'adapter'}"


def start_files_of_model(study: Study, model: str) -> list[str]:
    """The files of the model from which a reward model's training starts."""
    start = study.start_of(model)
    if start is None:
        return backbone_files(study, study.runs[model].trained.backbone)
    own = [weights_of_model(study, start), config_of_model(study, start)]
    return [*own, *backbone_files_of_model(study, start)]


def backbone_of_model(study: Study, model: str) -> str:
    """The folder or hub name of the whole model that a reward model's adapter was trained on."""
    start = study.start_of(model)
    is_adapted = start is not None and not study.is_whole(start)
    return backbone_of_model(study, start) if start and is_adapted else start_of_model(study, model)


def backbone_files_of_model(study: Study, model: str) -> list[str]:
    """The files that a reward model's adapter needs besides its own; none for a whole model that is trained here.

    Of a model that is not trained here, all files; none for a hub name.
    """
    settings = study.runs[model].settings
    if isinstance(settings, ReadyModel):
        own = backbone_files(study, settings.backbone) if settings.backbone else []
        places = [settings.model] if settings.model else []
        places += reference_of(settings)
        found = (file for place in places for file in sorted(Path(place).glob("*")))
        return [*own, *without_braces(file for file in found if file.is_file())]
    if study.is_whole(model):
        return []
    start = study.start_of(model)
    if start is None:
        return backbone_files(study, study.runs[model].trained.backbone)
    if not study.is_whole(start):
        return backbone_files_of_model(study, start)
    return [weights_of_model(study, start), config_of_model(study, start)]


def place_of(study: Study, settings: ReadyModel) -> str:
    """The folder or hub name of a reward model that is not trained here."""
    return settings.model or backbone_model(study, settings.backbone or "")


def reference_of(settings: ReadyModel) -> list[str]:
    """The folder or hub name of the reference model that its rewards are compared with, if there is one."""
    compared = settings.compared_with if isinstance(settings, ReadyDiscriminativeModel) else None
    return [compared] if compared else []


def own_files(study: Study, model: str) -> list[str]:
    """The weights and the configuration of a reward model that is trained here; none if it was trained elsewhere."""
    if not study.runs[model].is_trained:
        return []
    return [weights_of_model(study, model), config_of_model(study, model)]


def format_files(study: Study, model: str) -> list[str]:
    """The file of a reward model's format, and of its own words for it, if it has them."""
    settings = study.runs[model].settings
    if isinstance(settings, PairwiseModel):
        return without_braces([format_file(settings.scored_as)])
    if not isinstance(settings, ReadyDiscriminativeModel):
        return []
    own = [settings.template] if settings.template else []
    is_ours = settings.format is FormatName.MULTI_RM
    return without_braces([*([] if is_ours else [format_file(settings.format)]), *own])


def teacher(study: Study, critique_set: str) -> str:
    """The folder or hub name of the teacher of a set of critiques.

    Raises:
        TypeError: the set has no teacher.
    """
    return backbone_model(study, teacher_name(study, critique_set))


def teacher_name(study: Study, critique_set: str) -> str:
    """The backbone that is the teacher of a set of critiques.

    Raises:
        TypeError: the set has no teacher.
    """
    name = study.critiques[critique_set].teacher
    if name is None:
        raise TypeError(f"the critiques of {critique_set} have no teacher")
    return name


def teacher_files(study: Study, critique_set: str) -> list[str]:
    """The files of the teacher of a set of critiques; none for a hub name."""
    return backbone_files(study, teacher_name(study, critique_set))


def pretraining_solutions(study: Study, backbone: str) -> list[str]:
    """The tables of solutions on which a backbone is pretrained."""
    pretraining = study.backbones[backbone].pretrain
    datasets = pretraining.datasets if pretraining else []
    return [table for dataset in datasets for table in solution_tables(study, dataset)]


def pretraining_demonstrations(study: Study, backbone: str, kind: str) -> list[str]:
    """The demonstrations of a kind on which a backbone is pretrained; none if it learns no critiques."""
    pretraining = study.backbones[backbone].pretrain
    if pretraining and not pretraining.critiques:
        return []
    return [
        table.replace(f"{RESULTS}/data/", f"{RESULTS}/demonstrations/{kind}/")
        for table in pretraining_solutions(study, backbone)
    ]


def pretraining_conversations(study: Study, backbone: str) -> list[str]:
    """The conversations on which a backbone is pretrained; none if it learns no task of a chat model."""
    pretraining = study.backbones[backbone].pretrain
    return [
        table.replace(f"{RESULTS}/data/", f"{RESULTS}/demonstrations/{task}/")
        for task in (pretraining.tasks if pretraining else [])
        for table in pretraining_solutions(study, backbone)
    ]


def training_solutions(study: Study, model: str) -> list[str]:
    """The tables of solutions on which a reward model is trained."""
    return [
        solution_table(dataset, category)
        for dataset in study.training_datasets_of(model)
        for category in study.trained_categories(model, dataset)
    ]


def labels_in_training(study: Study, model: str) -> list[tuple[str, str]]:
    """The labels tables that a reward model's training needs, each after the dataset whose solutions it is used for."""
    return [
        (dataset, f"{RESULTS}/labels/{labelled}/{category}.parquet")
        for dataset in [*study.training_datasets_of(model), *study.validation_datasets_of(model)]
        if (labelled := study.labels_of(model, dataset))
        for category in study.trained_categories(model, dataset)
    ]


def training_labels(study: Study, model: str) -> list[str]:
    """The labels tables that a reward model's training needs; possibly none."""
    return [table for _, table in labels_in_training(study, model)]


def validation_solutions(study: Study, model: str) -> list[str]:
    """The tables of solutions on which a reward model is evaluated during training; possibly none."""
    return [
        solution_table(dataset, category)
        for dataset in study.validation_datasets_of(model)
        for category in study.trained_categories(model, dataset)
    ]


def critique_table(
    critique_set: str, kind: str, category: str, stage: CritiqueStage = CritiqueStage.SHORTENED
) -> str:
    """The table of critiques of a set, kind and category at a stage; models train on the last stage."""
    return f"{RESULTS}/critiques/{critique_set}/{kind}/{stage}/{category}.parquet"


def critique_tables(
    study: Study, critique_set: str, kind: str, stage: CritiqueStage = CritiqueStage.SHORTENED
) -> list[str]:
    """The tables of critiques of a set and kind at a stage, one per category that a model is trained on."""
    categories = study.criticised_categories(critique_set, kind)
    return [critique_table(critique_set, kind, category, stage) for category in categories]


def generated_critiques(study: Study, critique_set: str, kind: str, category: str) -> str:
    """The table of critiques of a category, a teacher's or demonstrated ones, that are filtered for a set."""
    of = study.generated_for(critique_set)
    if study.critiques[of].demonstrated:
        return f"{RESULTS}/demonstrations/{kind}/{study.critiques[of].dataset}/{category}.parquet"
    return critique_table(of, kind, category, CritiqueStage.GENERATED)


def training_critiques(study: Study, model: str) -> list[str]:
    """The tables of critiques on which a generative reward model is trained."""
    critique_set, kind = study.critique_set_of(model), study.runs[model].kind
    categories = study.training_categories_of(model)
    return [critique_table(critique_set, kind, category) for category in categories]


def criticised_solutions(study: Study, critique_set: str, category: str) -> str:
    """The table of solutions for the critiques of a set and category."""
    return solution_table(study.critiques[critique_set].dataset, category)


def template_of_critiques(study: Study, critique_set: str, kind: str, templates: str) -> str:
    """The prompt template that critiques of a set and kind are generated with.

    Args:
        templates: the folder of the package's own templates.
    """
    return study.critiques[critique_set].templates.of(kind) or f"{templates}/{kind}.txt"


def template_of_model(study: Study, model: str, templates: str) -> str:
    """The prompt template of a generative reward model."""
    settings = study.runs[model].settings
    own = study.template_of(model)
    if isinstance(settings, ReadyGenerativeModel) and settings.format is not FormatName.MULTI_RM:
        return own or str(format_file(settings.format))
    return own or f"{templates}/{study.runs[model].kind}.txt"


def template_of_backbone(study: Study, backbone: str, kind: str, templates: str) -> str:
    """The prompt template of a kind for pretraining a backbone."""
    pretraining = study.backbones[backbone].pretrain
    own = pretraining.templates.of(kind) if pretraining else None
    return own or f"{templates}/{kind}.txt"


def reward_tables(study: Study, model: str, dataset: str) -> list[str]:
    """The tables of a reward model's rewards on a dataset, one per category."""
    categories = study.categories_of(dataset)
    return [f"{RESULTS}/rewards/{model}/{dataset}/{category}.parquet" for category in categories]


def evaluated_tables(study: Study, dataset: str) -> dict[str, list[str]]:
    """The tables of a dataset's solutions, and of all reward models' rewards of them."""
    return {
        "solutions": solution_tables(study, dataset),
        "rewards": [
            table for model in study.runs for table in reward_tables(study, model, dataset)
        ],
    }


def pooled_tables(study: Study, dataset: str) -> dict[str, list[str]]:
    """`evaluated_tables` of a dataset, and the tables of samples that its pools consist of; none if it is read."""
    sampled = study.sampled_as(dataset)
    categories = study.categories_of(dataset) if sampled else []
    samples = [table_of("samples", sampled, category) for category in categories if sampled]
    return {**evaluated_tables(study, dataset), "samples": samples}


def compared_tables(study: Study, dataset: str) -> dict[str, list[str]]:
    """`pooled_tables` of a dataset with shuffled steps, and the others of the one whose steps were shuffled."""
    before = evaluated_tables(study, study.shuffled_from()[dataset])
    return {
        **pooled_tables(study, dataset),
        **{f"before_{name}": tables for name, tables in before.items()},
    }


def shard_tables(study: Study, model: str, suffix: str) -> list[str]:
    """The tables of all shards of a reward model's rewards, or of the critiques behind them.

    Args:
        suffix: the suffix of the tables' names, `parquet` or `critiques.parquet`.
    """
    shards = study.runs[model].scoring.shards
    folder = f"{RESULTS}/shards/{model}/{{dataset}}/{{category}}"
    return [f"{folder}/{shard}-of-{shards}.{suffix}" for shard in range(1, shards + 1)]


def accuracy_tables(study: Study, results: str = RESULTS) -> list[str]:
    """The tables of accuracies on the datasets that a study evaluates, of those that have answers."""
    return [
        f"{results}/evaluation/{dataset}/accuracy.parquet"
        for dataset in study.evaluation.datasets
        if study.has_answers(dataset)
    ]


def drawn_tables(study: Study, figure: Figure) -> dict[str, list[str]]:
    """The tables that a figure is drawn from, by their names: of one dataset, or of all that are evaluated."""
    own = {
        table: [
            f"{RESULTS}/evaluation/{dataset}/{_folder(figure, table)}{table}.parquet"
            for dataset in (datasets_of(study, table) if figure.of_study else ["{dataset}"])
        ]
        for table in figure.tables
    }
    common = {table: [common_table(table)] for table in figure.common_tables}
    reports = {
        table: [f"{RESULTS}/tables/{table}/{study.study}.parquet"] for table in figure.report_tables
    }
    return own | common | reports


def _folder(figure: Figure, table: str) -> str:
    """The folder, within its dataset's, of a table that a figure is drawn from."""
    return f"{figure.protocol}/" if figure.protocol and table == "accuracy" else ""


def common_table(table: str) -> str:
    """A table of evaluation that is the same for all datasets."""
    return f"{RESULTS}/evaluation/{table}.parquet"
