"""The study, checked and completed, and the functions that find a rule's files in it."""

import sys
from pathlib import Path

# Jobs run the package of this checkout: in their own environment where a deployment method is set,
# else in the one that runs Snakemake.
SOURCE_ROOT = Path(workflow.basedir, "src")
sys.path.insert(0, str(SOURCE_ROOT))
PREFIX = f"set -euo pipefail; export PYTHONPATH='{SOURCE_ROOT}'; "
if not workflow.deployment_settings.deployment_method:
    PREFIX += f"export PATH='{Path(sys.executable).parent}':\"$PATH\"; "
shell.prefix(PREFIX)

from multirm.config import load_study
from multirm.errors import InputError
from multirm.sources import module_files

try:
    config.update(load_study(config, [Path(file) for file in workflow.configfiles]))
except InputError as error:
    sys.exit(f"multirm: {error}")


wildcard_constraints:
    dataset="|".join(map(re.escape, config["datasets"])),
    category=r"[A-Za-z0-9_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*",
    model="|".join(map(re.escape, config["models"])) or "(?!)",
    backbone="|".join(map(re.escape, config["backbones"])),
    kind="gORM|gPRM",


def named(section, **having):
    """A pattern for the names in a section of the study whose settings are among the given ones."""
    names = [
        re.escape(name)
        for name, settings in config[section].items()
        if all(settings.get(key) in values for key, values in having.items())
    ]
    return "|".join(names) or "(?!)"


def code(module):
    """The package's files that `module` uses: an edit to one of them makes the rule's outputs stale."""
    here = Path.cwd()
    return [
        str(file.relative_to(here) if file.is_relative_to(here) else file)
        for file in module_files(module)
    ]


def solution_tables(dataset):
    """The solution tables of a dataset, a category each."""
    return [
        f"<results>/data/{dataset}/{category}.parquet"
        for category in config["datasets"][dataset]["categories"]
    ]


def dataset_sources(wildcards):
    """The local files that a dataset is read from; none for a hub name, which is no file."""
    files = []
    for source in config["datasets"][wildcards.dataset]["source"]:
        path = Path(config["data"], source)
        if path.is_dir():
            files.append(str(path / f"{wildcards.category}.json"))
        elif path.suffix in (".json", ".jsonl"):
            # A pattern without a match stays as it is, for Snakemake to say that it is missing.
            found = sorted(Path(config["data"]).glob(source))
            files += map(str, found or [path])
    return files


def dataset_source_arguments(wildcards, input):
    """What to read a dataset from: its local files, else its hub names."""
    return list(input.files) or config["datasets"][wildcards.dataset]["source"]


def backbone_model(backbone):
    """The folder or hub name that a backbone is loaded from."""
    return (
        config["backbones"][backbone]["model"] or f"results/backbones/{backbone}/model"
    )


def backbone_files(backbone):
    """The files of a backbone that a job must wait for or notice a change of; none for a hub name."""
    folder = backbone_model(backbone)
    if config["backbones"][backbone]["pretrain"]:
        return [
            f"{folder}/{name}"
            for name in ("config.json", "model.safetensors", "tokenizer.json")
        ]
    return sorted(str(file) for file in Path(folder).glob("*") if file.is_file())


def pretraining_solutions(wildcards):
    """The solution tables that a backbone is pretrained on."""
    datasets = config["backbones"][wildcards.backbone]["pretrain"]["datasets"]
    return [table for dataset in datasets for table in solution_tables(dataset)]


def pretraining_demonstrations(kind):
    """A function that gives the demonstrations of one kind that a backbone is pretrained on."""

    def tables(wildcards):
        return [
            table.replace("<results>/data/", f"<results>/demonstrations/{kind}/")
            for table in pretraining_solutions(wildcards)
        ]

    return tables


def training_solutions(wildcards):
    """The solution tables that a reward model learns from."""
    model = config["models"][wildcards.model]
    return solution_tables(model.get("dataset") or config["critiques"]["dataset"])


def training_critiques(wildcards):
    """The critique tables that a generative reward model learns from."""
    dataset = config["datasets"][config["critiques"]["dataset"]]
    kind = config["models"][wildcards.model]["kind"]
    return [
        f"<results>/critiques/{kind}/shortened/{category}.parquet"
        for category in dataset["categories"]
    ]


def model_setting(name, section=None):
    """A function that gives one leaf setting of the wildcard's reward model."""
    place = (
        f"models/{{model}}/{section}/{name}" if section else f"models/{{model}}/{name}"
    )
    return lookup(place, within=config)


def critique_setting(name):
    """A leaf setting of the study's critiques; nothing where the study has none."""
    return lookup(f"critiques/{name}", within=config) if config["critiques"] else None


def reward_tables(wildcards):
    """The reward tables of every reward model for every category of a dataset."""
    return [
        f"<results>/rewards/{model}/{wildcards.dataset}/{category}.parquet"
        for model in config["models"]
        for category in config["datasets"][wildcards.dataset]["categories"]
    ]


def aggregations(wildcards):
    """Each reward model with the aggregation that it is evaluated with."""
    return [
        f"{model}={how}" for model, how in config["evaluation"]["aggregation"].items()
    ]


def accuracy_tables():
    """The accuracy tables that stand, of the datasets that the study evaluates on."""
    tables = [
        f"results/evaluation/{d}/accuracy.parquet"
        for d in config["evaluation"]["datasets"]
    ]
    return [table for table in tables if Path(table).is_file()]


def template_files(kind):
    """The study's own prompt template for a kind, as a list of none or one file."""
    template = config["templates"][kind]
    return [template] if template else []


def model_template(wildcards):
    """The prompt template of the wildcard's generative model, as a list of none or one file."""
    return template_files(config["models"][wildcards.model]["kind"])


def option(flag, values):
    """A command-line option with its values, or nothing where there are none."""
    return f"{flag} {values}" if values else ""
