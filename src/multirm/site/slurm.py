"""Check the profile's site.yaml and the planned jobs against what a Slurm site offers.

Run before the first job, because Slurm refuses a job only when it is submitted, which may be days later.
"""

import re
import subprocess
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import snakemake_executor_plugin_slurm as executor
from snakemake_executor_plugin_slurm.partitions import Partition, PartitionLimits
from snakemake_interface_common.exceptions import WorkflowError

from multirm.errors import InputError, did_you_mean, one_of, shown
from multirm.study.load import read_yaml

# Jobs are polled at least every 180 s; remembered a little longer, none is missed.
_LEAST_JOB_AGE = 200
_KEYS = ("account", "accounting", "gpu_type", "partitions")

# The executor's partition limits that jobs here may need.
_LIMITS = ("max_runtime", "max_mem_mb", "max_threads", "max_gpu")
_COUNTS = _LIMITS[1:]


class Job(Protocol):
    """A Snakemake job and its resources."""

    name: str
    threads: int
    resources: Mapping[str, Any]


class Gpu(NamedTuple):
    """GPUs of one type on a node; `type` is empty if the site names none."""

    type: str
    number: int


@dataclass(frozen=True)
class Cluster:
    """What Slurm reports about itself.

    Attributes:
        gpus: by partition, the GPUs of its nodes.
        keeps_accounts: whether there is an accounting database.
        job_age: seconds for which finished jobs are remembered without one.
    """

    gpus: dict[str, set[Gpu]]
    keeps_accounts: bool
    job_age: int


def check_site(file: Path, jobs: Collection[Job]) -> None:
    """Check that `file` describes this site correctly, and that each job fits into it.

    To be called in the process that runs Snakemake, which it also makes survive outages of Slurm.

    Raises:
        InputError: the file is invalid, Slurm does not answer, or it lacks what is expected.
    """
    site = read_site(file)
    cluster = ask_slurm()
    check(site, max((job.resources.get("gpu", 0) for job in jobs), default=0), cluster, file)
    check_partitions(site, jobs, file)
    if not cluster.keeps_accounts:
        keep_asking_squeue(cluster)
    account = ["--account", str(site["account"])] if site.get("account") else []
    for name in site.get("partitions") or [None]:
        partition = ["--partition", str(name)] if name else []
        # Some sites refuse jobs without GPUs in their GPU partitions.
        has_gpus = name and site["partitions"][name].get("max_gpu", 0) > 0
        kind = f"{site['gpu_type']}:" if site.get("gpu_type") else ""
        gpu = [f"--gpus={kind}1"] if has_gpus else []
        try_submission([*account, *partition, *gpu], file)


def read_site(file: Path) -> dict[str, Any]:
    """The settings in a site.yaml.

    Raises:
        InputError: it is not a mapping, has an unknown key, or its partitions are not a mapping of mappings.
    """
    site = read_yaml(file) or {}
    if not isinstance(site, dict):
        raise InputError(file, expected="keys with values", found=shown(site))
    for key in site:
        if key not in _KEYS:
            hint = did_you_mean(key, _KEYS)
            raise InputError(file, expected=one_of(_KEYS), found=shown(key), remedy=hint)
    partitions = site.get("partitions")
    if partitions is not None:
        if not isinstance(partitions, dict):
            expected = "partitions with what they allow, as `gpu: {max_gpu: 8}`"
            raise InputError(file, expected=expected, found=shown(partitions))
        for name, limits in partitions.items():
            if not isinstance(limits, dict):
                expected = (
                    f"what partition {name} allows, as `{name}: {{}}` or `{name}: {{max_gpu: 8}}`"
                )
                raise InputError(file, expected=expected, found=shown(limits))
            where = f"{file}, partitions.{name}"
            for key, value in limits.items():
                if key not in _LIMITS:
                    hint = did_you_mean(key, _LIMITS)
                    raise InputError(where, expected=one_of(_LIMITS), found=shown(key), remedy=hint)
                if key in _COUNTS and type(value) is not int:
                    expected = f"a whole number as {key}"
                    raise InputError(where, expected=expected, found=shown(value))
            runtime = limits.get("max_runtime", 0)
            try:
                is_time = isinstance(runtime, int | str) and PartitionLimits(max_runtime=runtime)
            except WorkflowError:
                is_time = False
            if not is_time:
                expected = "a time as max_runtime, such as 4h or 1d"
                raise InputError(where, expected=expected, found=shown(runtime))
    return site


def check(site: dict[str, Any], gpus: int, cluster: Cluster, file: Path) -> None:
    """Check a site's settings, read from `file`, and the GPUs that one job needs against the cluster.

    Raises:
        InputError: a partition or GPU type does not exist, no node has enough GPUs, or finished jobs
            could not be told from lost ones.
    """
    partitions = site.get("partitions") or {}
    for name in partitions:
        if name not in cluster.gpus:
            expected = f"one of the site's partitions, {', '.join(sorted(cluster.gpus))}"
            raise InputError(f"{file}, partitions", expected=expected, found=shown(name))
    admitted = {
        gpu
        for name, found in cluster.gpus.items()
        for gpu in found
        if not partitions or (name in partitions and partitions[name].get("max_gpu", 0) > 0)
    }
    where = "the partitions with a max_gpu" if partitions else "the partitions"
    wanted = site.get("gpu_type")
    if wanted and wanted not in {gpu.type for gpu in admitted}:
        types = ", ".join(sorted({gpu.type for gpu in admitted} - {""})) or "none with a type"
        expected = f"a type of GPU in {where} ({types})"
        remedy = "`sinfo --format=%G` lists them"
        raise InputError(f"{file}, gpu_type", expected=expected, found=shown(wanted), remedy=remedy)
    most = max((gpu.number for gpu in admitted if not wanted or gpu.type == wanted), default=0)
    if gpus > most:
        raise InputError(
            "jobs",
            expected=f"a node with {gpus} GPUs in {where}, as a job asks for",
            found=f"{most} at most" if most else "none with any",
            remedy=f"name a partition that has them in {file}, or set the study's gpu_memory to the site's",
        )
    _check_accounting(site, cluster, file)


def limits_of(site: Mapping[str, Any]) -> dict[str, PartitionLimits]:
    """The limits of each partition that a site names."""
    return {
        name: PartitionLimits(**limits) for name, limits in (site.get("partitions") or {}).items()
    }


def partitions_of(file: Path) -> list[PartitionLimits]:
    """The limits of the partitions in a site.yaml; none if it is invalid, which `check_site` reports."""
    try:
        return list(limits_of(read_site(file)).values())
    except InputError:
        return []


def check_partitions(site: Mapping[str, Any], jobs: Collection[Job], file: Path) -> None:
    """Check that each job fits into one of a site's partitions, if any are named.

    The executor would send a job that fits nowhere to the default partition, where it might wait forever.

    Raises:
        InputError: a job requests more than any partition allows.
    """
    partitions = [Partition(name, limits) for name, limits in limits_of(site).items()]
    alike: dict[tuple[int, ...], Job] = {}
    for job in jobs:
        asked = (job.resources.get(name, 0) for name in ("gpu", "mem_mb", "runtime"))
        alike.setdefault((job.threads, *asked), job)
    for (threads, gpu, mem_mb, runtime), job in alike.items():
        if partitions and all(place.score_job_fit(job) is None for place in partitions):
            raise InputError(
                f"{file}, partitions, job {job.name}",
                expected="a partition that allows"
                f" {gpu} GPUs, {threads} cores, {mem_mb} MB, {runtime} minutes",
                found="none",
                remedy="name one with higher limits, or request less with --set-resources"
                " RULE:runtime=MINUTES; a job that is cut off resumes when run again",
            )


def _check_accounting(site: dict[str, Any], cluster: Cluster, file: Path) -> None:
    """Check that finished jobs will be noticed, and that an account can be charged."""
    if cluster.keeps_accounts:
        if cluster.job_age < _LEAST_JOB_AGE and not site.get("accounting"):
            expected = "`accounting: true`, since squeue here forgets finished jobs"
            raise InputError(file, expected=expected, found=f"MinJobAge = {cluster.job_age} s")
        return
    for key in ("accounting", "account"):
        if site.get(key):
            expected = f"no {key}, since this site has no accounting database"
            raise InputError(file, expected=expected, found=f"{key}: {shown(site[key])}")
    if cluster.job_age < _LEAST_JOB_AGE:
        raise InputError(
            "slurm.conf",
            expected=f"an accounting database, or MinJobAge of at least {_LEAST_JOB_AGE} s",
            found=f"MinJobAge = {cluster.job_age} s",
            remedy="ask the site's administrators: finished jobs are forgotten before they are noticed",
        )


def ask_slurm() -> Cluster:
    """Ask the site's Slurm for its partitions, GPUs and accounting.

    Raises:
        InputError: Slurm is not installed or does not answer.
    """
    gpus: dict[str, set[Gpu]] = defaultdict(set)
    for line in _answer("sinfo", "--noheader", "--format=%R|%G").splitlines():
        partition, _, resources = line.strip().partition("|")
        gpus[partition].update(parse_gpus(resources))
    config = _answer("scontrol", "show", "config")
    settings = dict(re.findall(r"^(\w+) += (.*)$", config, re.MULTILINE))
    age = re.match(r"\d+", settings.get("MinJobAge", ""))
    storage = settings.get("AccountingStorageType", "")
    return Cluster(dict(gpus), storage.endswith("slurmdbd"), int(age.group()) if age else 0)


def keep_asking_squeue(cluster: Cluster) -> None:
    """Make Snakemake survive an outage of Slurm's controller on sites without accounting.

    Its executor queries MinJobAge whenever it polls jobs. Without an answer it falls back to sacct, which fails
    without accounting, and forgets the jobs: it would wait for them forever.
    """
    executor.get_min_job_age = lambda: cluster.job_age


def try_submission(options: list[str], file: Path) -> None:
    """Ask sbatch whether it would accept a small one-minute job with these options; none is submitted.

    Snakemake does not show what sbatch says about jobs that are submitted together.

    Raises:
        InputError: sbatch would not accept it.
    """
    job = ["--ntasks=1", "--mem=2000", "--time=1", "--wrap=true"]
    command = ["sbatch", "--test-only", *options, *job]
    run = _run(command)
    if run.returncode != 0:
        options_shown = " ".join(["sbatch", *options])
        expected, found = "Slurm to accept a small job", run.stderr.strip()
        remedy = f"correct account and partitions in {file}"
        raise InputError(options_shown, expected=expected, found=found, remedy=remedy)


def parse_gpus(resources: str) -> set[Gpu]:
    """The GPUs among a node's generic resources as sinfo writes them: `gpu:a100:4(S:0-1),nvme:1`."""
    # Without brackets, which may contain commas.
    parts = [part.split(":") for part in re.sub(r"\([^)]*\)", "", resources).split(",")]
    return {
        Gpu(type="".join(part[1:-1]), number=int(part[-1]))
        for part in parts
        if part[0] == "gpu" and part[-1].isdigit()
    }


def _answer(*command: str) -> str:
    """The output of a Slurm command."""
    run = _run(command)
    if run.returncode != 0:
        found = run.stderr.strip() or f"exit code {run.returncode}"
        raise InputError(" ".join(command), expected="an answer from Slurm", found=found)
    return run.stdout


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a Slurm command."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    except FileNotFoundError:
        remedy = "run this on a login node of the cluster"
        raise InputError(
            command[0], expected="Slurm", found="no such program", remedy=remedy
        ) from None
    except subprocess.TimeoutExpired:
        expected = "an answer from Slurm within two minutes"
        raise InputError(" ".join(command), expected=expected, found="none") from None
