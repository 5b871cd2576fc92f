"""The study, checked and completed, and the functions that find a rule's files in it."""

import shlex
import sys
from functools import cache
from pathlib import Path

# Jobs run the package of this checkout: in their own environment where a deployment method is set,
# else in the one that runs Snakemake.
SOURCE_ROOT = Path(workflow.basedir, "src")
sys.path.insert(0, str(SOURCE_ROOT))
PREFIX = f"set -euo pipefail; export PYTHONPATH={shlex.quote(str(SOURCE_ROOT))}; "
if workflow.deployment_settings.deployment_method:
    PREFIX += "in_environment_of() { :; }; "
else:
    # Some engines have an environment of their own, beside the one that runs Snakemake.
    PREFIX += f'export PATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH"; '
    PREFIX += f"in_environment_of() {{ PATH={shlex.quote(workflow.basedir)}/.venv-$1/bin:$PATH; }}; "
# A training's processes share its cores. Those of a small model stay off a GPU, which they would crowd.
PREFIX += """python_in_processes() {
    local processes=$1 gpus=$2
    shift 2
    if [ "$processes" -eq 1 ]; then python "$@"; return; fi
    if [ "$gpus" -eq 0 ]; then export CUDA_VISIBLE_DEVICES=; fi
    export OMP_NUM_THREADS=$(( (${OMP_NUM_THREADS:-1} + processes - 1) / processes ))
    python -m torch.distributed.run --standalone --nproc-per-node "$processes" "$@"
}; """
# Snakemake formats what it prefixes a command with: braces in a path are doubled for it.
shell.prefix(PREFIX.replace("{", "{{").replace("}", "}}"))

from snakemake.exceptions import WorkflowError

from multirm.study import resources
from multirm.models.activations import Decoder
from multirm.models.dtype import Dtype
from multirm.study.load import load_study
from multirm.errors import InputError
from multirm.site.locks import enter_run
from multirm.study.owners import check_owners
from multirm.study.owners import note_owner
from multirm.formats.sources import local_files
from multirm.formats.sources import places_of
from multirm.site.preflight import check_access
from multirm.site.preflight import check_engines
from multirm.running.code import module_files

RESULTS = Path("results")
if set("{}") & set(workflow.basedir):
    # Snakemake takes what is between them for a wildcard, in each environment's and module's path.
    sys.exit(
        f"multirm: {workflow.basedir}: expected a checkout in a path without braces, found some;"
        " move or rename a folder"
    )

SITE = Path(workflow.basedir, "workflow/profiles/slurm/site.yaml")

try:
    config.update(load_study(config, [Path(file) for file in workflow.configfiles]))
except InputError as error:
    sys.exit(f"multirm: {error}")


wildcard_constraints:
    dataset="|".join(map(re.escape, config["datasets"])),
    category="|".join(
        {
            re.escape(category): None
            for dataset in config["datasets"].values()
            for category in dataset["categories"]
        }
    ),
    model="|".join(map(re.escape, config["models"])) or "(?!)",
    backbone="|".join(map(re.escape, config["backbones"])),
    kind="gORM|gPRM",


def any_of(names):
    """A pattern for some names, which may be none."""
    return "|".join(map(re.escape, names)) or "(?!)"


def named(section, **having):
    """A pattern for the names in a section of the study whose settings are among the given ones."""
    return any_of(
        name
        for name, settings in config[section].items()
        if all(settings.get(key) in values for key, values in having.items())
    )


def from_here(file):
    """A file of this checkout as rules name it: seen from the working directory, wherever the checkout lies."""
    here = Path.cwd()
    return str(file.relative_to(here) if file.is_relative_to(here) else file)


@cache
def begin():
    """Take away the lock of a run that was killed, if this is a run.

    While the Snakefile is read, nothing says whether it is one, a plan, or but a question. Once jobs are
    planned it is known, and the lock is not asked for yet.
    """
    if (
        workflow.executor_plugin is None
        or workflow.dryrun
        or not workflow.is_main_process
    ):
        return None
    this_run, is_freed = enter_run(Path(".snakemake"))
    if is_freed:
        print(
            "multirm: Snakemake was killed here before; its lock is taken away. Jobs that it may have left"
            " at work keep what they make to themselves.",
            file=sys.stderr,
        )
    return this_run


def code(module):
    """A function that gives the package's files that `module` uses: an edit to one makes outputs stale."""
    files = [from_here(file) for file in module_files(module)]

    def planned(wildcards):
        begin()
        return files

    return planned


def named_by_others(files):
    """Files as inputs of rules: Snakemake would look for wildcards between braces, and knows no way around it."""
    names = [str(file) for file in files]
    for name in names:
        if set("{}") & set(name):
            raise WorkflowError(
                f"multirm: {name}: expected a path without braces, found some; rename it"
            )
    return names


def solution_tables(dataset):
    """The solution tables of a dataset, a category each."""
    return [
        f"<results>/data/{dataset}/{category}.parquet"
        for category in config["datasets"][dataset]["categories"]
    ]


def dataset_places(wildcards):
    """The files, folders and hub names that a category of a dataset is read from."""
    dataset = config["datasets"][wildcards.dataset]
    file = f"{wildcards.category}.json"
    return places_of(dataset["reader"], dataset["source"], Path(config["data"]), file)


def dataset_sources(wildcards):
    """The local files that a category of a dataset is read from."""
    return named_by_others(local_files(dataset_places(wildcards)))


def reward_places(wildcards):
    """The files, folders and hub names that published rewards of a category are read from."""
    source = config["models"][wildcards.model]["rewards"][wildcards.dataset]
    file = f"{wildcards.category}_reward.json"
    return places_of("published", source, Path(config["data"]), file)


def reward_sources(wildcards):
    """The local files that published rewards of a category are read from."""
    return named_by_others(local_files(reward_places(wildcards)))


def critique_places(wildcards):
    """The files, folders and hub names that published critiques of a category are read from."""
    source = config["critiques"]["published"][wildcards.kind]
    file = f"{wildcards.category}.json"
    files = [f"preprocessed_{file}", file]
    return places_of("published", source, Path(config["data"]), *files)


def critique_sources(wildcards):
    """The local files that published critiques of a category are read from."""
    return named_by_others(local_files(critique_places(wildcards)))


def backbone_model(backbone):
    """The folder or hub name that a backbone is loaded from."""
    return (
        config["backbones"][backbone]["model"] or f"results/backbones/{backbone}/model"
    )


def replaced_files(jobs_to_run):
    """The files that jobs make anew because their settings or their inputs are others than they were."""
    for job in jobs_to_run:
        reason = workflow.dag.reason(job)
        if reason.params_changed or reason.input_changed:
            yield from (str(file) for file in job.output if Path(file).exists())


def submissions(jobs_to_run):
    """What is submitted of some jobs: groups of them, and those that are in none."""
    return list(
        dict.fromkeys(workflow.dag.get_job_group(job) or job for job in jobs_to_run)
    )


def hub_models(jobs_to_run):
    """The models that jobs load and that the study has a name for; those that jobs make are not among them."""
    named = {backbone["model"] for backbone in config["backbones"].values()} - {None}
    loaded = {
        job.params.get(name) for job in jobs_to_run for name in ("backbone", "teacher")
    }
    # An adapter brings its backbone.
    loaded |= {
        backbone_model(config["models"][job.wildcards.model]["backbone"])
        for job in jobs_to_run
        if job.rule.name.startswith("score_")
    }
    return named & loaded


def backbone_files(backbone):
    """The files of a backbone that a job must wait for or notice a change of; none for a hub name."""
    folder = backbone_model(backbone)
    if config["backbones"][backbone]["pretrain"]:
        return [
            f"{folder}/{name}"
            for name in ("config.json", "model.safetensors", "tokenizer.json")
        ]
    return named_by_others(
        sorted(file for file in Path(folder).glob("*") if file.is_file())
    )


def backbone_of_model(wildcards):
    """The files of the backbone of the wildcard's reward model."""
    return backbone_files(config["models"][wildcards.model]["backbone"])


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
    return critiques_of(config["models"][wildcards.model]["kind"])


def critiques_of(kind):
    """The tables of critiques of a kind that models learn from, a category each."""
    dataset = config["datasets"][config["critiques"]["dataset"]]
    return [
        f"<results>/critiques/{kind}/shortened/{category}.parquet"
        for category in dataset["categories"]
    ]


def setting(place):
    """A function that gives one leaf setting of the study, such as `datasets/{dataset}/policy`.

    Snakemake's `lookup` would walk through the whole study for each setting of each job.
    """

    def value(wildcards):
        found = config
        for key in place.format_map(dict(wildcards.items())).split("/"):
            found = found[key]
        return found

    return value


def model_setting(name, section=None):
    """A function that gives one leaf setting of the wildcard's reward model."""
    place = (
        f"models/{{model}}/{section}/{name}" if section else f"models/{{model}}/{name}"
    )
    return setting(place)


def scored(kinds, in_shards):
    """A pattern for the reward models of some kinds that are scored in shards, or that are not."""
    return any_of(
        name
        for name, model in config["models"].items()
        if model["kind"] in kinds
        and "scoring" in model
        and (model["scoring"]["shards"] > 1) == in_shards
    )


def published_models():
    """A pattern for the reward models whose rewards are published."""
    return any_of(
        name for name, model in config["models"].items() if "rewards" in model
    )


def shard_of(wildcards):
    """The shard that a job scores, as NUMBER/COUNT."""
    return f"{wildcards.get('shard', 1)}/{wildcards.get('shards', 1)}"


def shard_tables(suffix):
    """A function that gives the tables of all shards of a reward model's table."""

    def tables(wildcards):
        shards = config["models"][wildcards.model]["scoring"]["shards"]
        return [
            f"<results>/shards/{{model}}/{{dataset}}/{{category}}/{shard}-of-{shards}.{suffix}"
            for shard in range(1, shards + 1)
        ]

    return tables


def batch_tokens(wildcards):
    """The option for how much is read at once, where the reward model's scoring says it."""
    scoring = config["models"][wildcards.model]["scoring"]
    return option("--batch-tokens", scoring["batch_tokens"])


def recipe(wildcards):
    """The options that say how the wildcard's reward model is trained."""
    training = config["models"][wildcards.model]["training"]
    names = ["max_length", "epochs", "learning_rate", "batch_size", "device_batch_size"]
    names += ["rank", "alpha", "dropout", "weight_decay", "warmup", "seed"]
    options = [option(f"--{name.replace('_', '-')}", training[name]) for name in names]
    return [word for words in options for word in words]


def environment(stage):
    """The environment file of a stage: with it its jobs' results may change."""
    return from_here(Path(workflow.basedir, "envs", f"{stage}.yaml"))


def engine_stage(engine):
    """The stage whose environment a job with an engine needs."""
    return "vllm" if engine == "vllm" else "train"


def scoring_stage(wildcards):
    """The stage whose environment the engine of the wildcard's generative model needs."""
    return engine_stage(config["models"][wildcards.model]["scoring"]["engine"])


def scoring_server(wildcards):
    """The option that names the server of the wildcard's generative model, where it has one."""
    return option("--server", config["models"][wildcards.model]["scoring"]["server"])


def critique_setting(name):
    """A leaf setting of the study's critiques; nothing where the study has none."""
    return config["critiques"][name] if config["critiques"] else None


def teacher_writes():
    """A pattern for the kinds whose critiques the study's teacher writes."""
    return "gORM|gPRM" if critique_setting("teacher") else "(?!)"


def published_kinds():
    """A pattern for the kinds whose critiques are published."""
    return "gORM|gPRM" if critique_setting("published") else "(?!)"


def solutions_of_category(dataset):
    """About how many solutions a category of a dataset has."""
    settings = config["datasets"][dataset]
    if settings["reader"] == "miniature":
        return settings["questions"] * settings["solutions"]
    return settings["size"]


def size_of(backbone):
    """The number of parameters of a backbone."""
    return config["backbones"][backbone]["parameters"]


def decoder_of(backbone):
    """The shape of a backbone, guessed where it is not made here."""
    pretraining = config["backbones"][backbone]["pretrain"]
    if pretraining:
        width = pretraining["width"]
        return Decoder(pretraining["layers"], width, 3 * width)
    return Decoder.guessed(size_of(backbone))


def training_share(model):
    """What falls to one process of a reward model's training."""
    training = model["training"]
    pretraining = config["backbones"][model["backbone"]]["pretrain"]
    return resources.Share(
        decoder_of(model["backbone"]),
        max(1, training["batch_size"] // training["processes"]),
        training["max_length"],
        training["device_batch_size"],
        model["kind"] in ["gORM", "gPRM"],
        pretraining["vocabulary"] if pretraining else None,
    )


def training_request(wildcards):
    """What training the wildcard's reward model needs."""
    model = config["models"][wildcards.model]
    dataset = model.get("dataset") or config["critiques"]["dataset"]
    sequences = solutions_of_category(dataset) * len(
        config["datasets"][dataset]["categories"]
    )
    if model["kind"] in ["gORM", "gPRM"]:
        sequences *= config["critiques"]["per_solution"]
    training = model["training"]
    return resources.of_training(
        size_of(model["backbone"]),
        sequences,
        training["epochs"],
        training["processes"],
        training_share(model),
    )


def pretraining_request(wildcards):
    """What pretraining the wildcard's backbone needs."""
    settings = config["backbones"][wildcards.backbone]["pretrain"]
    return resources.of_pretraining(
        size_of(wildcards.backbone),
        settings["tokens"],
        decoder_of(wildcards.backbone),
        settings["vocabulary"],
        max(settings["batch_tokens"], settings["max_length"]),
    )


def merging_request(wildcards):
    """What merging the adapter of the wildcard's reward model needs."""
    return resources.of_merging(size_of(config["models"][wildcards.model]["backbone"]))


def writing_request(settings, backbone, critiques):
    """What an engine needs that writes so many critiques."""
    if settings["engine"] == "openai":
        return resources.of_asking()
    return resources.of_writing(
        size_of(backbone),
        critiques,
        settings["max_tokens"],
        config["gpu_memory"],
        Dtype(settings.get("dtype", Dtype.AUTO)),
    )


def critiques_request(wildcards):
    """What the teacher needs for the critiques of a category."""
    settings = config["critiques"]
    critiques = settings["per_solution"] * solutions_of_category(settings["dataset"])
    return writing_request(settings, settings["teacher"], critiques)


def scoring_request(wildcards):
    """What scoring a category, or a shard of one, with the wildcard's reward model needs."""
    model = config["models"][wildcards.model]
    scoring = model["scoring"]
    solutions = solutions_of_category(wildcards.dataset) // scoring["shards"]
    if model["kind"] in ["gORM", "gPRM"]:
        critiques = solutions * scoring["samples"]
        return writing_request(scoring, model["backbone"], critiques)
    dtype = Dtype(scoring["dtype"])
    return resources.of_reading(size_of(model["backbone"]), solutions, dtype)


def evaluation_request(wildcards):
    """What a job needs that evaluates all rewards for the wildcard's dataset."""
    categories = config["datasets"][wildcards.dataset]["categories"]
    solutions = solutions_of_category(wildcards.dataset) * len(categories)
    return resources.of_table(solutions * (1 + len(config["models"])))


def table_request(wildcards):
    """What a job needs that reads and writes tables."""
    return resources.of_table()


@cache
def partitions():
    """What the partitions that a Slurm site names admit."""
    if workflow.executor_plugin is None or workflow.executor_plugin.name != "slurm":
        return []
    from multirm.site.slurm import limits_of
    from multirm.site.slurm import read_site

    try:
        return list(limits_of(read_site(SITE)).values())
    except InputError:
        # Said before the first job, in one line (`onstart`).
        return []


def asked(request, name):
    """A function that gives one resource of a request, more of it with each attempt."""

    def amount(wildcards, attempt):
        return getattr(request(wildcards).again(attempt, partitions()), name)

    return amount


def cores(request):
    """A function that gives the threads of a request."""

    def threads(wildcards):
        return request(wildcards).threads

    return threads


def processes(wildcards):
    """How many processes train the wildcard's reward model."""
    return config["models"][wildcards.model]["training"]["processes"]


def parallelism(wildcards):
    """What the processes that train the wildcard's reward model share."""
    return config["models"][wildcards.model]["training"]["parallelism"]


def evaluated_tables(wildcards):
    """The solution tables of a dataset, and the reward tables of every reward model for it."""
    return {
        "solutions": solution_tables(wildcards.dataset),
        "rewards": [
            f"<results>/rewards/{model}/{wildcards.dataset}/{category}.parquet"
            for model in config["models"]
            for category in config["datasets"][wildcards.dataset]["categories"]
        ],
    }


def reward_options(wildcards, input):
    """Each reward table with the name of its reward model, which is its folder's parent's."""
    return [f"{Path(table).parts[-3]}={table}" for table in input.rewards]


def aggregations(wildcards):
    """Each reward model with the aggregation that it is evaluated with."""
    return [
        f"{model}={how}" for model, how in config["evaluation"]["aggregation"].items()
    ]


def accuracy_tables():
    """The accuracy tables of the datasets that the study evaluates on."""
    return [
        f"results/evaluation/{dataset}/accuracy.parquet"
        for dataset in config["evaluation"]["datasets"]
    ]


def study_files():
    """The tables and models on the way to the figures.

    Snakemake takes away what a failed job had made before, and does not miss it while what was made
    from it stands. Asked for by name, it is missed.
    """
    models, critiques = config["models"], config["critiques"]
    trained = {name: model for name, model in models.items() if "training" in model}
    kinds = sorted({model["kind"] for model in trained.values()} & {"gORM", "gPRM"})
    backbones = {model["backbone"] for model in trained.values()}
    datasets = {model["dataset"] for model in trained.values() if "dataset" in model}
    datasets.update(config["evaluation"]["datasets"])
    stages = ["shortened"]
    if kinds:
        datasets.add(critiques["dataset"])
        if critiques["teacher"]:
            backbones.add(critiques["teacher"])
            stages = ["generated", "filtered", "shortened"]
    files = []
    for backbone in sorted(backbones):
        if pretraining := config["backbones"][backbone]["pretrain"]:
            files += backbone_files(backbone)
            datasets.update(pretraining["datasets"])
    for dataset in sorted(datasets):
        files += solution_tables(dataset)
    for kind in kinds:
        for stage in stages:
            for category in config["datasets"][critiques["dataset"]]["categories"]:
                files.append(f"<results>/critiques/{kind}/{stage}/{category}.parquet")
        files.append(f"<results>/critiques/{kind}/checks.parquet")
    for model in trained:
        files.append(f"<results>/models/{model}/adapter/adapter_model.safetensors")
    for model in models:
        for dataset in config["evaluation"]["datasets"]:
            for category in config["datasets"][dataset]["categories"]:
                files.append(f"<results>/rewards/{model}/{dataset}/{category}.parquet")
    return files


def template_files(kind):
    """The study's own prompt template for a kind, as a list of none or one file."""
    template = config["templates"][kind]
    return [template] if template else []


def used_template(kind):
    """The prompt template of a kind: the study's own, or else the package's."""
    return named_by_others(template_files(kind)) or [
        from_here(SOURCE_ROOT / f"multirm/text/templates/{kind}.txt")
    ]


def model_template(wildcards):
    """The study's own prompt template for the wildcard's model, as a list of none or one file."""
    return template_files(config["models"][wildcards.model]["kind"])


def used_model_template(wildcards):
    """The prompt template of the wildcard's generative model."""
    return used_template(config["models"][wildcards.model]["kind"])


def option(flag, *values):
    """A command-line option and its values, a word each; nothing where there are none."""
    given = [str(value) for value in values if value is not None]
    return [flag, *given] if given else []
