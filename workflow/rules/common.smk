"""Load and check the study, and define how rules ask it for what their jobs need."""

import shlex
import sys
from functools import cache, partial
from inspect import signature
from pathlib import Path

# Jobs run this checkout's package: in their own environment if a deployment method is set,
# else in Snakemake's.
SOURCE_ROOT = Path(workflow.basedir, "src")
sys.path.insert(0, str(SOURCE_ROOT))
PREFIX = f"set -euo pipefail; export PYTHONPATH={shlex.quote(str(SOURCE_ROOT))}; "
if workflow.deployment_settings.deployment_method:
    PREFIX += "in_environment_of() { :; }; "
else:
    # Some engines have a separate environment beside Snakemake's.
    PREFIX += f'export PATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH"; '
    PREFIX += f"in_environment_of() {{ PATH={shlex.quote(workflow.basedir)}/.venv-$1/bin:$PATH; }}; "
# The processes of a training run share its cores. Those of a small model must not share a GPU either.
PREFIX += """python_in_processes() {
    local processes=$1 gpus=$2
    shift 2
    if [ "$processes" -eq 1 ]; then python "$@"; return; fi
    if [ "$gpus" -eq 0 ]; then export CUDA_VISIBLE_DEVICES=; fi
    export OMP_NUM_THREADS=$(( (${OMP_NUM_THREADS:-1} + processes - 1) / processes ))
    python -m torch.distributed.run --standalone --nproc-per-node "$processes" "$@"
}; """
# Snakemake formats the prefix, so braces are doubled.
shell.prefix(PREFIX.replace("{", "{{").replace("}", "}}"))

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from multirm.errors import InputError
from multirm.running.code import code_lines as code
from multirm.formats.sources import Reader
from multirm.site import failed_jobs, planned_jobs, short_messages
from multirm.site.locks import take_over
from multirm.site.preflight import check_access, check_engines
from multirm.study import files, label_files, needs, options, report_files, targets
from multirm.study import search_files, search_options, tree_files, tree_options
from multirm.study.evaluations import EVALUATIONS, settings_of
from multirm.study.figures import figures_of
from multirm.study.load import load_study
from multirm.tables.conversations import ChatTask
from multirm.study.owners import Owner, check_owners, note_owner

if workflow.is_main_process:
    short_messages.shorten(logger)
    failed_jobs.report_at_exit(logger)

SITE = Path(workflow.basedir, "workflow/profiles/slurm/site.yaml")

try:
    files.check_checkout(Path(workflow.basedir))
    study = load_study(config, [Path(file) for file in workflow.configfiles])
except InputError as error:
    sys.exit(f"multirm: {error}")

STUDY_FILES = [
    files.from_here(Path(file).absolute(), Path.cwd()) for file in workflow.configfiles
]
OWNER = Owner(study.study, STUDY_FILES, Path(study.results))


wildcard_constraints:
    dataset=targets.any_of(study.datasets),
    questions=targets.any_of(study.questions),
    category=targets.categories(study),
    model=targets.any_of(study.runs),
    backbone=targets.any_of(study.backbones),
    critique_set=targets.any_of(study.critiques),
    trees=targets.any_of(study.trees),
    preferences=targets.any_of(study.preferences),
    search=targets.any_of(study.searches),
    kind="gORM|gPRM",


def ask(function, **fixed):
    """A function of a job's wildcards that calls a function of the study with those that are named like its parameters."""
    bound = partial(function, study, **fixed)
    names = signature(bound).parameters.keys() - fixed.keys()

    def answer(wildcards):
        given = {name: wildcards[name] for name in names if name in wildcards.keys()}
        try:
            return bound(**given)
        except InputError as error:
            raise WorkflowError(f"multirm: {error}") from None

    return answer


def scoring_model(wildcards, input):
    """The folder or hub name that a reward model is loaded from to score."""
    return options.scoring_model(study, wildcards.model, input.own)


def resources_of(need, **fixed):
    """The resources of a job, as functions that give more with each attempt."""
    needed = ask(need, **fixed)

    def amount(name):
        return lambda wildcards, attempt: getattr(
            needed(wildcards).again(attempt, partitions()), name
        )

    return {name: amount(name) for name in ("gpu", "mem_mb", "runtime")}


def threads_of(need, **fixed):
    """The cores of a job, as a function."""
    needed = ask(need, **fixed)
    return lambda wildcards: needed(wildcards).threads


@cache
def partitions():
    """The limits of the partitions in a Slurm site's settings."""
    if workflow.executor_plugin is None or workflow.executor_plugin.name != "slurm":
        return []
    from multirm.site.slurm import partitions_of

    return partitions_of(SITE)


@cache
def begin():
    """Remove the lock of a killed run, and say where Slurm's logs go, if this is a run.

    Snakemake does not tell while it reads the Snakefile whether this is a run, a dry run, or a query. Once jobs are
    planned it does, and the lock is not checked before that.
    """
    is_run = workflow.executor_plugin is not None and not workflow.dryrun
    if is_run and workflow.executor_plugin.name == "slurm":
        # Slurm's own logs: a profile cannot know the study. Without this, they would be in a hidden folder.
        settings = workflow.executor_settings
        settings.logdir = settings.logdir or Path(study.results, "logs/slurm")
    return (
        take_over(Path(".snakemake")) if is_run and workflow.is_main_process else None
    )


def environment(stage):
    """A function that gives the environment file of a stage, on which its jobs' results may depend.

    The stage is a name, or a function of wildcards that returns one.
    """

    def file(wildcards):
        # Every rule calls this once its jobs are planned.
        begin()
        name = stage(wildcards) if callable(stage) else stage
        return files.from_here(
            Path(workflow.basedir, "envs", f"{name}.yaml"), Path.cwd()
        )

    return file


# The targets of `all`: each stage adds its own.
wanted = []

# The resources of rules that only read and write tables.
TABLES = resources_of(needs.table)
TEMPLATES = files.from_here(SOURCE_ROOT / "multirm/text/templates", Path.cwd())
