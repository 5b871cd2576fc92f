"""What a Slurm site offers, held against what the profile's site.yaml and the jobs expect of it.

Run before the first job, because Slurm itself refuses a job only when it is submitted, which may be after days.
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

# Finished jobs are asked for every 180 s at least; with a little more, none is forgotten in between.
_LEAST_JOB_AGE = 200
_KEYS = ("account", "accounting", "gpu_type", "partitions")

# What the executor knows of a partition, as far as jobs here ask for it.
_LIMITS = ("max_runtime", "max_mem_mb", "max_threads", "max_gpu")
_COUNTS = _LIMITS[1:]


class Job(Protocol):
    """What is asked of a job, as Snakemake knows it."""

    name: str
    threads: int
    resources: Mapping[str, Any]


class Gpu(NamedTuple):
    """GPUs of one type on a node; `type` is empty where the site names none."""

    type: str
    number: int


@dataclass(frozen=True)
class Cluster:
    """What Slurm says of itself.

    Attributes:
        gpus: by partition, the GPUs that its nodes have.
        keeps_accounts: whether there is an accounting database.
        job_age: seconds for which finished jobs are remembered without one.
    """

    gpus: dict[str, set[Gpu]]
    keeps_accounts: bool
    job_age: int


def check_site(file: Path, jobs: Collection[Job]) -> None:
    """Check that the site described in `file` is the one at hand, and has room for each of the jobs.

    For the process that runs Snakemake, in which it also sees that breaks of Slurm are outlived.

    Raises:
        InputError: the file is not as it must be, Slurm does not answer, or it lacks what is expected.
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
        # Some sites let nothing into their GPUs' partitions that asks for none.
        has_gpus = name and site["partitions"][name].get("max_gpu", 0) > 0
        kind = f"{site['gpu_type']}:" if site.get("gpu_type") else ""
        gpu = [f"--gpus={kind}1"] if has_gpus else []
        try_submission([*account, *partition, *gpu], file)


def read_site(file: Path) -> dict[str, Any]:
    """The settings in a site.yaml.

    Raises:
        InputError: not a mapping, an unknown key, or partitions that are no mapping of mappings.
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
                    expected = f"a number as {key}"
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
        InputError: a partition or GPU type does not exist, no node has so many GPUs, or finished jobs
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
    """What each partition named by a site admits."""
    return {
        name: PartitionLimits(**limits) for name, limits in (site.get("partitions") or {}).items()
    }


def partitions_of(file: Path) -> list[PartitionLimits]:
    """What the partitions that a site's file names admit; none where it cannot be read.

    That is said before the first job, in one line (`check_site`).
    """
    try:
        return list(limits_of(read_site(file)).values())
    except InputError:
        return []


def check_partitions(site: Mapping[str, Any], jobs: Collection[Job], file: Path) -> None:
    """Check that each job fits into one of a site's partitions, where any are named.

    The executor would send one that fits nowhere to the default partition, which may keep it for ever.

    Raises:
        InputError: a job asks for more than every partition admits.
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
                expected="a partition that admits it:"
                f" {gpu} GPUs, {threads} cores, {mem_mb} MB, {runtime} minutes",
                found="none",
                remedy="name one with higher limits, or let rules ask for less with --set-resources"
                " RULE:runtime=MINUTES; what is cut off goes on where it was",
            )


def _check_accounting(site: dict[str, Any], cluster: Cluster, file: Path) -> None:
    """Check that the end of a job is noticed, and that an account can be charged."""
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
            expected=f"an accounting database, or MinJobAge of {_LEAST_JOB_AGE} s at least",
            found=f"MinJobAge = {cluster.job_age} s",
            remedy="ask the site's administrators: finished jobs are forgotten before they are noticed",
        )


def ask_slurm() -> Cluster:
    """What the site's Slurm says of itself.

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
    """See that Snakemake outlives a break of Slurm's controller where nothing but squeue knows jobs.

    Its executor asks for MinJobAge whenever it asks for jobs. Without an answer it turns to sacct, which
    fails here, and forgets the jobs that it asked for: it would wait for them for ever.
    """
    executor.get_min_job_age = lambda: cluster.job_age


def try_submission(options: list[str], file: Path) -> None:
    """Ask sbatch whether it would take a small job of a minute with these options; none is submitted.

    Snakemake does not repeat what sbatch says of jobs that are submitted together.

    Raises:
        InputError: it would not.
    """
    job = ["--ntasks=1", "--mem=2000", "--time=1", "--wrap=true"]
    command = ["sbatch", "--test-only", *options, *job]
    run = _run(command)
    if run.returncode != 0:
        options_shown = " ".join(["sbatch", *options])
        expected, found = "Slurm to take a small job", run.stderr.strip()
        remedy = f"mend account and partitions in {file}"
        raise InputError(options_shown, expected=expected, found=found, remedy=remedy)


def parse_gpus(resources: str) -> set[Gpu]:
    """The GPUs among a node's generic resources as sinfo writes them: `gpu:a100:4(S:0-1),nvme:1`."""
    # Without what is in brackets, where there may be commas.
    parts = [part.split(":") for part in re.sub(r"\([^)]*\)", "", resources).split(",")]
    return {
        Gpu(type="".join(part[1:-1]), number=int(part[-1]))
        for part in parts
        if part[0] == "gpu" and part[-1].isdigit()
    }


def _answer(*command: str) -> str:
    """What a command of Slurm prints."""
    run = _run(command)
    if run.returncode != 0:
        found = run.stderr.strip() or f"exit code {run.returncode}"
        raise InputError(" ".join(command), expected="an answer from Slurm", found=found)
    return run.stdout


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """A command of Slurm, run to its end."""
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
